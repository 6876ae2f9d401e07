"""The plan as people look at it, and its commands' output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from console.cli import plan as commands
from console.cli import tables
from console.cli.plan_text import ago
from console.plan import catalog, entries
from console.plan.adding import check_names
from console.plan.drafting import Choices, entry_by_name
from console.plan.entries import PlanView, view_of_state
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import LocalSettings, Settings
from schemas import seen
from schemas.codec import load_schema
from schemas.seen import Seen

NOW = 1_772_704_800_000
STATE: dict[str, dict[str, Any]] = {
    "event/PurchaseCompleted@1": load_schema("events", "PurchaseCompleted"),
    "event/PushNotificationDismissed@1": load_schema("events", "PushNotificationDismissed"),
    "event/LessonPaused@1": entry_by_name("Lesson Paused", "LessonPaused", Choices(owner="learning")),
    "source/shop": {"id": "shop", "origin": "backend", "topics": ["raw.backend"]},
    "source/app": {"id": "app", "origin": "sdk", "topics": ["raw.sdk"]},
    "condition/bought": {"kind": "condition", "id": "bought", "event": "Order Completed", "where": "amount > 5"},
    "offer/upgrade": {"kind": "offer", "id": "upgrade", "entry": {"condition": "bought"}},
}
STATE["event/PurchaseCompleted@2"] = {
    **STATE["event/PurchaseCompleted@1"],
    "version": 2,
    "fields": [
        *STATE["event/PurchaseCompleted@1"]["fields"],
        {"name": "gift", "type": ["null", "boolean"], "default": None},
    ],
}
SEEN = [
    Seen("Purchase Completed", "shop", "valid", 1_234_567, NOW - 9_000_000, NOW - 5_000),
    Seen("Order Completed", "shop", "schema_violation", 3, NOW - 8_000_000, NOW - 6_000),
    Seen("Push Notification Dismissed", "app", "dropped", 7, NOW - 8_000_000, NOW - 6_000),
    Seen("Lesson Stopped \x1b[31m" + "x" * 100, "app", "unknown_event", 41, NOW - 8_000_000, NOW - 7_000),
]


def view(source: str | None = None) -> PlanView:
    return view_of_state(
        STATE, {"event/PurchaseCompleted@1": 1000, "event/PurchaseCompleted@2": 1003},
        [one for one in SEEN if source in (None, one.source)], 4,
    )  # fmt: skip


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands against the plan above, rather than a catalog."""
    monkeypatch.setattr(commands, "connect", lambda files: None)
    monkeypatch.setattr(commands, "_view", lambda settings, source, counted=True: view(source))
    monkeypatch.setenv("COLUMNS", "80")
    return CliRunner()


def run(cli: CliRunner, *arguments: str) -> str:
    done = cli.invoke(commands.plan, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_entry_has_everything_about_its_type() -> None:
    """Names, versions with ids and changes, who uses and who may send it, and counts under any of its names."""
    entry = view().find("PurchaseCompleted")
    assert entry.name == "Purchase Completed"
    assert [(one.number, one.id) for one in entry.versions] == [(1, 1000), (2, 1003)]
    assert [one.text for one in entry.newest.changes] == ["field gift (null or boolean, default null)"]
    assert (entry.conditions, entry.offers, entry.senders) == (("bought",), ("upgrade",), ("shop",))
    assert (entry.sightings.valid, entry.sightings.dead) == (1_234_567, 3)
    assert view().find("Order Completed") == entry
    assert view("app").find("Order Completed").sightings.seen == ()


def test_a_name_that_is_not_planned() -> None:
    """The nearest planned name is offered; a name that came unplanned says how to plan it."""
    with pytest.raises(OfferflowError, match="did you mean 'Purchase Completed'"):
        view().find("purchase completd")
    with pytest.raises(OfferflowError, match=r"it came 41 times. `offerflow plan infer"):
        view().find(SEEN[3].name)


def test_list_fits_a_terminal(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line fits 80 columns, nothing of a hostile name reaches the terminal, and what never came says so."""
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    text = run(cli, "list")
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "\x1b" not in text
    line = next(line for line in text.splitlines() if line.startswith("Purchase Completed"))
    assert line.split()[2:8] == ["2", "be", "int", "payments", "1234567", "3"]
    assert "not seen yet" in next(line for line in text.splitlines() if line.startswith("Lesson Paused"))
    assert "Not planned" in text
    assert "\\u001b[31m" in text


def test_list_filters(cli: CliRunner) -> None:
    """--unplanned, --not-seen and --source choose; as JSON each name is one object."""
    assert [one["event"] for one in json.loads(run(cli, "list", "--unplanned", "--output", "json"))] == [SEEN[3].name]
    assert [one["event"] for one in json.loads(run(cli, "list", "--not-seen", "--output", "json"))] == ["Lesson Paused"]
    from_app = {one["event"]: one for one in json.loads(run(cli, "list", "--source", "app", "--output", "json"))}
    assert from_app["Push Notification Dismissed"]["dropped"] == 7
    assert from_app["Purchase Completed"]["last_seen"] is None
    assert from_app[SEEN[3].name] == {
        "event": SEEN[3].name, "planned": False, "sources": ["app"], "valid": 0, "dropped": 0, "dead": 41,
        "first_seen": SEEN[3].first, "last_seen": SEEN[3].last,
    }  # fmt: skip
    assert cli.invoke(commands.plan, ["list", "--unplanned", "--not-seen"]).exit_code == 2


def test_a_source_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan list --source` of none that is declared, built in or was ever seen names the nearest; a built-in source is
    among those that may send."""
    records = {"source/shop": STATE["source/shop"], "event/LessonPaused@1": {"schema_id": 1000}}
    state = {name: STATE[name] for name in ("source/shop", "event/LessonPaused@1")}
    settings = Settings(local=LocalSettings(server_key=SecretStr("k" * 20)))
    monkeypatch.setattr(commands, "connect", lambda files: settings)
    monkeypatch.setattr(catalog, "read_catalog", lambda settings: Catalog(records))
    monkeypatch.setattr(entries, "state_of", lambda catalog: state)
    monkeypatch.setattr(seen, "read_report", lambda settings: seen.Report([SEEN[3]], 0, 0, 0))
    wrong = CliRunner().invoke(commands.plan, ["list", "--source", "shpo"])
    assert wrong.exit_code == 2
    told = " ".join(wrong.stderr.replace("│", "").split())
    assert "there is no source 'shpo'; did you mean 'shop'?; there are app, local-server, shop" in told
    for source in ("shop", "app", "local-server"):
        assert CliRunner().invoke(commands.plan, ["list", "--source", source]).exit_code == 0
    shown = json.loads(run(CliRunner(), "show", "Lesson Paused", "--output", "json"))
    assert shown["sources"] == ["local-server", "shop"]


def test_show(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan show` tells versions, properties, use and counts; an entry by name says that it is not typed."""
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    text = run(cli, "show", "Purchase Completed")
    for part in ("PurchaseCompleted version 2, id 1003", "unique:        order_id", "offers:        upgrade",
                 "at least 0", "add field gift", "schema_violation"):  # fmt: skip
        assert part in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "Planned by name" in run(cli, "show", "Lesson Paused")
    told = json.loads(run(cli, "show", "Purchase Completed", "--output", "json"))
    assert told["versions"][1] == {
        "version": 2, "schema_id": 1003,
        "changes": [{"action": "add", "path": "gift", "text": "field gift (null or boolean, default null)",
                     "before": None, "after": {"name": "gift", "type": ["null", "boolean"], "default": None}}],
    }  # fmt: skip
    assert cli.invoke(commands.plan, ["show", "nope"]).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [("--adopt",), ("--adopt", "--output", "json"), ("--name", "A"), ("A", "--name", "B", "--from-file", __file__)],
    ids=" ".join,
)
def test_infer_asks_for_what_it_needs(cli: CliRunner, arguments: tuple[str, ...]) -> None:
    """Adopting without a terminal needs --yes, and --name a file and no other name: misspelt, not done."""
    assert cli.invoke(commands.plan, ["infer", *arguments]).exit_code == 2


def test_names_that_cannot_be_added() -> None:
    """A name that is planned is refused with where; so is one given twice, and one the plan cannot hold."""
    planned = dict.fromkeys(("Purchase Completed", "Order Completed"), STATE["event/PurchaseCompleted@2"])
    for names, why in (
        (["A", "Order Completed"], "planned already, as PurchaseCompleted version 2, owner payments"),
        (["A", "A"], "given twice"),
        (["A", "b\n"], "nobody sees"),
        (["offerflow.x"], "reserved"),
    ):
        with pytest.raises(OfferflowError, match=why):
            check_names(names, planned)
    check_names(["order completed"], planned)


@pytest.mark.parametrize(
    ("before", "text"),
    [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (3 * 86400, "3 d ago"),
     (40 * 86400, "2026-01-24"), (-5, "0 s ago")],
)  # fmt: skip
def test_ago(before: int, text: str) -> None:
    """Ages are told in the unit that fits, and dates once they are old."""
    assert ago(NOW - before * 1000, NOW / 1000) == text
