"""``offerflow rewards`` over a history of its own: lists, single rewards, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from console.cli import tables
from console.cli.main import main
from offerflow.runtime.store.holds import hold
from tests.consumers.history.said import Kept, entered, exited, fulfilled, satisfied, taken_back

Run = Callable[..., Result]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def run(kept: Kept) -> Run:
    """Runs ``offerflow …`` on the history; nothing of it needs Kafka."""
    environment = {
        "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "OFFERFLOW_STORE__URL": str(kept.engine.url),
    }  # fmt: skip

    def invoke(*arguments: str) -> Result:
        return CliRunner(env=environment).invoke(main, arguments)

    return invoke


def ids(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [reward["id"] for reward in json.loads(done.stdout)]


def test_rewards_are_listed_newest_last(run: Run, kept: Kept) -> None:
    """The newest, or from a cursor on; by state, user and offer; those on hold are marked."""
    kept.complete()
    kept.take(*(satisfied(f"w-{n}", user_id=f"u-{n}", offer=("shop", "gym")[n % 2]) for n in range(4)))
    kept.take(fulfilled("w-0"))
    listed = run("rewards", "list", "--output", "json")
    assert ids(listed) == ["w-1", "w-2", "w-3", "w-0"]
    cursor = str(json.loads(listed.stdout)[1]["seq"])
    assert ids(run("rewards", "list", "--limit", "2", "--output", "json")) == ["w-3", "w-0"]
    assert ids(run("rewards", "list", "--after", cursor, "--limit", "1", "--output", "json")) == ["w-3"]
    assert ids(run("rewards", "list", "--state", "fulfilled", "--output", "json")) == ["w-0"]
    assert ids(run("rewards", "list", "--user", "u-2", "--offer", "shop", "--output", "json")) == ["w-2"]
    hold(kept.engine, "gym", "ana")
    table = run("rewards", "list").stdout.splitlines()
    assert [("on hold" in line) for line in table] == [False, True, False, True, False]
    assert "7.50 EUR" in table[1]


def test_an_empty_list_says_where_pending_ones_are(run: Run, kept: Kept) -> None:
    """On stderr; a program gets an empty list."""
    kept.complete()
    table = run("rewards", "list")
    assert (table.exit_code, table.stdout) == (0, "")
    assert "pending" in table.stderr
    assert "user show USER" in table.stderr
    assert ids(run("rewards", "list", "--output", "json")) == []
    kept.take(entered("i-1"), exited("i-1"), entered("i-2"), exited("i-2", "expired"))
    assert "; 1 completion has none announced (pending" in run("rewards", "list", "--offer", "shop").stderr
    assert "completion" not in run("rewards", "list", "--user", "ben").stderr


def test_a_narrow_terminal_shows_all_of_a_reward(run: Run, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit beside the id is below it; nothing is dropped, nothing cut."""
    kept.complete()
    reward = "5d41402abc4b2a76b9719d911017c592"
    kept.take(satisfied(reward, user_id="u-000123", offer="activation-test", variant="subscribe"))
    hold(kept.engine, "activation-test", "ana")
    monkeypatch.setenv("COLUMNS", "80")
    whole = run("rewards", "list").stdout.splitlines()
    monkeypatch.setattr(tables, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    narrow = run("rewards", "list").stdout.splitlines()
    assert (len(whole), len(narrow), max(map(len, narrow)) <= 80) == (2, 4, True)
    assert narrow[2] == f"{reward}  satisfied  1970-01-01 00:00  on hold"
    assert narrow[3].split() == ["u-000123", "7.50", "EUR", "voucher", "activation-test", "subscribe"]
    assert f"{narrow[2]} {narrow[3]}".split() == whole[1].split()


def test_a_reward_in_full(run: Run, kept: Kept) -> None:
    """With times, reasons and evidence; of one there is not, what to do."""
    kept.take(satisfied(attributes={"headline": "Save 10"}), taken_back())
    told = run("rewards", "show", "w-1").stdout
    for words in (
        "state          reversed",
        "7.50 EUR",
        "1970-01-01T00:00:07.000Z",
        "refund",
        "headline=Save 10",
        "e-1",
    ):
        assert words in told
    assert json.loads(run("rewards", "show", "w-1", "--output", "json").stdout)["evidence"][0]["event_id"] == "e-1"
    missing = run("rewards", "show", "w-9")
    assert (missing.exit_code, "no reward w-9" in missing.stderr) == (1, True)


def test_hostile_names_do_nothing_to_a_terminal(run: Run, kept: Kept) -> None:
    """Control characters and changes of direction are written out."""
    kept.complete()
    kept.take(satisfied(user_id="\x1b[2Jan\nna\u202e", attributes={"a": "\x1b]0;x\x07"}))
    for done in (run("rewards", "list"), run("rewards", "show", "w-1")):
        assert "\\x1b[2Jan\\nna\\u202e" in done.stdout
        assert not {"\x1b", "\u202e", "\x07"} & set(done.stdout)


def test_no_list_of_a_history_that_is_not_whole(run: Run, kept: Kept) -> None:
    """75: it will be, if its program runs."""
    kept.take(satisfied())
    done = run("rewards", "list")
    assert (done.exit_code, "consumers.history" in done.stderr) == (75, True)


@pytest.mark.parametrize(
    ("command", "state"), [("fulfil", "reversed"), ("reverse", "reversed"), ("fulfil", "fulfilled")]
)
def test_what_cannot_be_is_told_before_anything_is_asked(run: Run, kept: Kept, command: str, state: str) -> None:
    """All or none, with the state of the one in the way."""
    kept.take(satisfied(), satisfied("w-2"), taken_back("w-2") if state == "reversed" else fulfilled("w-2"))
    done = run("rewards", command, "w-1", "w-2", "--yes")
    assert (done.exit_code, f"w-2 is {state}" in done.stderr) == (1, True)
