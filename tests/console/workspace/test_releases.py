"""What was in force when, who made it so, and the way back."""

from __future__ import annotations

import pytest

from console.workspace.change import plan_rollback
from console.workspace.lines import lines_between
from console.workspace.releases import last_change, releases, state_at
from console.workspace.state import state_of
from offerflow.runtime.errors import OfferflowError
from schemas.catalog import plan_of, ruleset_of
from tests.console.workspace.conftest import Deployed
from tests.console.workspace.samples import ALL, CONDITION, OFFER, SOURCES, X, event, optional, with_


def test_a_release_for_every_change(deployed: Deployed) -> None:
    """Serial, time, person, means, ruleset and what changed; the last one who touched a definition is found."""
    deployed.apply(ALL)
    deployed.apply({"c.yaml": CONDITION.replace("> 1", "> 2")}, by="bob@desk", how="console")
    first, second = releases(deployed.catalog)
    assert (first.serial, first.by, first.how, len(first.changes)) == (1, "ana@laptop", "apply", 5)
    assert (second.at, second.by, second.how, second.ruleset) == (
        "2026-03-05T10:00:02.000Z", "bob@desk", "console", deployed.catalog.head.ruleset,
    )  # fmt: skip
    assert second.changes == ({"action": "change", "kind": "condition", "id": "c"},)
    assert (last_change(deployed.catalog, "condition/c"), last_change(deployed.catalog, "offer/o")) == (second, first)
    assert last_change(deployed.catalog, "offer/none") is None
    assert state_at(deployed.catalog, second) == state_of(deployed.catalog)
    (line,) = lines_between(state_at(deployed.catalog, first), state_at(deployed.catalog, second))
    assert [one.text for one in line.details] == ["where: x > 1 -> x > 2"]


def test_back_to_a_release(deployed: Deployed) -> None:
    """Rules, events and sources are as they were, under the old ruleset, as a new release; ids are never used again."""
    first = deployed.apply(ALL)
    before = state_of(deployed.catalog)
    deployed.apply({
        "A2.avsc": event(X, optional("y"), version=2), "c.yaml": CONDITION.replace("> 1", "> 2"),
        "s.yaml": SOURCES.replace("raw.backend", "raw.till") + "- {id: more, origin: sdk}\n", "B.avsc": event(name="B"),
    })  # fmt: skip
    change = deployed.roll_back(1)
    assert sorted((one.action, one.name) for one in change.lines) == [
        ("change", "condition/c"), ("change", "source/shop"), ("remove", "event/A@2"), ("remove", "event/B@1"),
        ("remove", "source/more"),
    ]  # fmt: skip
    assert (change.ruleset, change.serial, change.records["source/more"]) == (first.ruleset, 3, None)
    assert state_of(deployed.catalog) == before
    assert list(ruleset_of(deployed.catalog, change.ruleset).offers) == ["o"]
    assert sorted(plan_of(deployed.catalog).by_id) == [1000, 1001, 1002]
    deployed.apply({"C.avsc": event(name="C")})
    assert plan_of(deployed.catalog).by_name["C"].id == 1003


def test_forth_again(deployed: Deployed) -> None:
    """The release that was left is a release like any other; going to the present one changes nothing."""
    deployed.apply(ALL)
    second = deployed.apply(with_(A2_avsc=event(X, optional("y"), version=2), o_yaml=OFFER.replace("Old", "New")))
    deployed.roll_back(1)
    change = deployed.roll_back(2)
    assert change.ruleset == second.ruleset
    assert plan_of(deployed.catalog).newest["A"].version == 2
    again = plan_rollback(deployed.catalog, 4)
    assert (again.lines, again.records) == ([], {})


def test_what_a_way_back_means(deployed: Deployed) -> None:
    """The diff tells whom it breaks, as any change does."""
    deployed.apply(ALL)
    deployed.apply({"A2.avsc": event(X, optional("y"), event=["A", "Also A"], version=2)})
    (line,) = plan_rollback(deployed.catalog, 1).lines
    assert [effect.text for effect in line.effects if effect.kind == "breaks"] == [
        "Also A becomes a dead letter (unknown_event); sources that may send it: app, shop",
        "y is no longer planned: stripped and counted; sources that may send it: app, shop",
    ]


def test_a_release_that_is_not_there(deployed: Deployed) -> None:
    """The error lists those that are."""
    deployed.apply(ALL)
    with pytest.raises(OfferflowError, match=r"there is no release 7; there are: 1 \(`offerflow rulesets list`\)"):
        plan_rollback(deployed.catalog, 7)


def test_a_catalog_of_an_older_version(deployed: Deployed) -> None:
    """Without release records the present one is known all the same; the next change records it too, so that there is
    a way back to it."""
    deployed.apply(ALL)
    del deployed.records["release/1"]
    (present,) = releases(deployed.catalog)
    assert (present.serial, present.by, present.definitions) == (1, None, deployed.catalog.head.definitions)
    assert present.author == "before changes were recorded (release 1)"
    before = state_of(deployed.catalog)
    deployed.apply({"s.yaml": "- {id: shop, origin: backend}\n", "o.yaml": OFFER.replace("Old", "New")})
    assert [one.serial for one in releases(deployed.catalog)] == [1, 2]
    deployed.roll_back(1)
    assert state_of(deployed.catalog) == before


def test_releases_are_bounded(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog keeps the newest ones, as many as it may and no fewer: every program has it in memory."""
    monkeypatch.setattr("console.workspace.commit.KEPT", 10)
    deployed.apply(ALL)
    for serial in range(2, 24):
        deployed.apply({"o.yaml": OFFER.replace("Old", f"New {serial}")})
        kept = [one.serial for one in releases(deployed.catalog)]
        assert kept == list(range(max(1, serial - 9), serial + 1))


def test_a_way_back_from_what_cannot_be_read(deployed: Deployed) -> None:
    """A definition that a newer version wrote does not stand in the way of going back."""
    deployed.apply(ALL)
    before = state_of(deployed.catalog)
    deployed.apply({"o.yaml": OFFER.replace("Old", "New")})
    key = next(key for key in deployed.catalog.head.definitions if key.startswith("offer/"))
    deployed.records[key]["definition"]["holidays"] = "all of them"
    assert [line.name for line in deployed.roll_back(1).lines] == ["offer/o"]
    assert state_of(deployed.catalog) == before
