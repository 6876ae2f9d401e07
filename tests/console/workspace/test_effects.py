"""What a change means: whom it breaks, which offers and conditions it touches."""

from __future__ import annotations

from typing import Any

import pytest

from console.workspace.change import plan_change
from console.workspace.lines import Line
from console.workspace.narrowing import accepts, narrowed
from tests.console.workspace.conftest import Deployed, Files
from tests.console.workspace.samples import ALL, CONDITION, META, SOURCES, X, event, optional, with_

Y = {"name": "y", "type": "string"}
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}


def said(line: Line, kind: str) -> list[str]:
    return [effect.text for effect in line.effects if effect.kind == kind]


X_OPTIONAL = optional("x", "double")
SENDERS = "; sources that may send it: app, shop"
LETTERS = "become dead letters"
NARROWER: dict[str, tuple[str, str, list[str]]] = {
    "an alias less": (event(event=["A", "Old A"]), event(event=["A"], version=2),
                      [f"Old A becomes a dead letter (unknown_event){SENDERS}"]),
    "an origin less": (event(), event(origins=["backend", "integration"], version=2),
                       ["what sources of origin sdk (app) send becomes dead letters (origin_forbidden)"]),
    "a higher minimum": (
        event({**X, "minimum": 0}), event({**X, "minimum": 5}, version=2),
        [f"minimum of x is 5: values beyond it {LETTERS} (rule_of_plan_violation){SENDERS}"]),
    "a first maximum": (
        event(), event({**X, "maximum": 9}, version=2),
        [f"maximum of x is 9: values beyond it {LETTERS} (rule_of_plan_violation){SENDERS}"]),
    "another pattern": (
        event(X, Y), event(X, {**Y, "pattern": "^a$"}, version=2),
        [f"y must match ^a$: other values {LETTERS} (rule_of_plan_violation){SENDERS}"]),
    "unplanned properties refused": (
        event(), event(unplanned="dead-letter", version=2),
        [f"properties that are not planned: events that carry them {LETTERS} (schema_violation){SENDERS}"]),
    "a property less, stripped": (
        event(X, optional("y")), event(version=2), [f"y is no longer planned: stripped and counted{SENDERS}"]),
    "a property less, refused": (
        event(X, optional("y"), unplanned="dead-letter"), event(unplanned="dead-letter", version=2),
        [f"y is no longer planned: events that carry it {LETTERS} (schema_violation){SENDERS}"]),
    "a part of the unique key that may be null": (
        event(X, optional("y")), event(X, optional("y"), unique=["y"], version=2),
        [f"y is part of the unique key: events without it {LETTERS} (rule_of_plan_violation){SENDERS}"]),
    "a symbol less": (
        event(X, {"name": "e", "type": ENUM}),
        event(X, {"name": "e", "type": {**ENUM, "symbols": ["B"]}}, version=2, compatibility="FORWARD"),
        [f"e no longer takes A: other values {LETTERS} (schema_violation){SENDERS}"]),
    "no longer null": (
        event(X, optional("y")), event(X, Y, version=2, compatibility="NONE"),
        [f"y is required: events without it {LETTERS} (schema_violation){SENDERS}",
         f"y is string instead of null or string: other values {LETTERS} (schema_violation){SENDERS}"]),
}  # fmt: skip
WIDER = {
    "an alias more": (event(), event(event=["A", "B"], version=2)),
    "an origin more": (event(origins=["sdk"]), event(version=2)),
    "a lower minimum": (event({**X, "minimum": 5}), event({**X, "minimum": 0}, version=2)),
    "no maximum": (event({**X, "maximum": 5}), event(version=2)),
    "no pattern": (event(X, {**Y, "pattern": "a"}), event(X, Y, version=2)),
    "an optional property more": (event(), event(X, optional("y"), version=2)),
    "unplanned properties stripped": (event(unplanned="dead-letter"), event(version=2)),
    "a number that takes more": (
        event(X, {"name": "n", "type": "int"}),
        event(X, {"name": "n", "type": "double"}, version=2, compatibility="BACKWARD"),
    ),
    "nullable": (event(X, Y), event(X, optional("y"), version=2, compatibility="BACKWARD")),
}


@pytest.mark.parametrize("case", NARROWER)
def test_what_breaks_senders(deployed: Deployed, case: str) -> None:
    """Avro sees none of it (or was told to let it pass): it is applied, and marked with the reason of the dead letters
    to come and with who may send the event."""
    before, after, wanted = NARROWER[case]
    deployed.apply(with_(A_avsc=before))
    (line,) = deployed.apply({"A2.avsc": after}).lines
    assert said(line, "breaks") == wanted


@pytest.mark.parametrize("case", WIDER)
def test_what_breaks_nobody(deployed: Deployed, case: str) -> None:
    """A contract that got wider has no such mark."""
    before, after = WIDER[case]
    deployed.apply(with_(A_avsc=before))
    (line,) = deployed.apply({"A2.avsc": after}).lines
    assert said(line, "breaks") == []


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("int", "long", True), ("long", "int", False), ("int", "double", True), ("double", "float", False),
        ("string", ["null", "string"], True), (["null", "string"], "string", False), (ENUM, "string", True),
        ("string", ENUM, False), (ENUM, {**ENUM, "symbols": ["A", "B", "C"]}, True),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, True),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, False),
        ("long", {"type": "long", "logicalType": "timestamp-millis"}, False),
        ({"type": "record", "name": "P", "fields": [X]}, {"type": "record", "name": "P", "fields": [X, optional("y")]},
         True),
        ({"type": "record", "name": "P", "fields": [X]}, {"type": "record", "name": "P", "fields": [X, Y]}, False),
        ("string", "bytes", False), ("boolean", "boolean", True),
    ],
)  # fmt: skip
def test_types_that_take_what_another_took(old: Any, new: Any, holds: bool) -> None:
    """Whether every JSON value of the older type is one of the newer."""
    assert accepts(new, old) is holds


def test_nothing_is_narrower_than_itself() -> None:
    """Two equal contracts differ for nobody."""
    schema = {"name": "A", "fields": [META, {**X, "minimum": 1, "maximum": 2}, {**Y, "pattern": "a"}], "unique": ["x"]}
    assert list(narrowed(schema, schema)) == []


def test_who_really_sends_it(deployed: Deployed) -> None:
    """With what validation has counted, the sources that sent the event stand in place of those that may."""
    deployed.apply(ALL)
    found = deployed.read({"A.avsc": event({**X, "minimum": 3}, version=2), "B.avsc": event(name="B")})
    traffic = {("A", "app"): 1200, ("B", "app"): 7, ("B", "shop"): 3, ("A", ""): 5}
    fewer, new = plan_change(deployed.catalog, found.defined, traffic=lambda: traffic).lines
    assert said(fewer, "breaks")[0].endswith("; the event came from app (1,200)")
    assert "10 events of this name came in so far" in said(new, "note")[1]
    (fewer, _) = plan_change(deployed.catalog, found.defined, traffic=lambda: {("B", "app"): 7}).lines
    assert said(fewer, "breaks")[0].endswith("; the event has not come from any source yet")


def test_an_alias_that_live_offers_use_stays(deployed: Deployed) -> None:
    """Taking it away is refused at the schema, naming offer and condition; in one apply with them it is taken."""
    deployed.apply(with_(A_avsc=event(event=["A", "Old A"]), c_yaml=CONDITION.replace("event: A", "event: Old A")))
    (told,) = deployed.refused({"A2.avsc": event(event=["A"], version=2)})
    assert told.startswith(
        "A2.avsc:1: live offer o (condition c) would break: event: the event plan has no event 'Old A'"
    )
    change = deployed.apply({"A2.avsc": event(event=["A"], version=2), "c.yaml": CONDITION})
    assert [line.name for line in change.lines] == ["event/A@2", "condition/c"]


def test_an_event_that_live_offers_use_stays(deployed: Deployed) -> None:
    """``--prune`` without its schema is refused at the rule that uses it, saying why the event would go."""
    deployed.apply(ALL)
    (told,) = deployed.refused({name: text for name, text in ALL.items() if name != "A.avsc"}, prune=True)
    assert told == (
        "c.yaml:3: event: the event plan has no event 'A'; it has no event at all; no file defines event A and --prune"
        " would remove it, yet live offer o (condition c) uses it"
    )


def test_what_a_change_touches(deployed: Deployed) -> None:
    """A changed property names the conditions and offers that read it, directly or not; others are told apart."""
    more = "kind: condition\nid: d\nevent: A\n---\nkind: condition\nid: e\nevent: A\nwhere: is_set(y)\n"
    deployed.apply(with_(d_yaml=more, A_avsc=event(X, optional("y"))))
    (line,) = deployed.apply({"A2.avsc": event({**X, "doc": "new"}, optional("y"), version=2)}).lines
    assert said(line, "touches") == [
        "x is read by condition c and offer o",
        "the event is counted by conditions c, d, e and offer o",
    ]
    touched = next(effect for effect in line.effects if effect.kind == "touches")
    assert touched.names == ("condition/c", "offer/o")
    (line,) = deployed.apply({"c.yaml": CONDITION.replace("> 1", "> 2")}).lines
    assert said(line, "touches") == ["offers that use it: o"]
    assert [detail.text for detail in line.details] == ["where: x > 1 -> x > 2"]


def test_a_removed_event(deployed: Deployed) -> None:
    """Who sends it is told; what was written stays readable."""
    deployed.apply({**ALL, "B.avsc": event(name="B", event=["Bee", "B"])})
    (line,) = deployed.apply(ALL, prune=True).lines
    assert said(line, "breaks") == ["Bee, B no longer arrives (unknown_event); sources that may send it: app, shop"]
    assert "stay readable" in said(line, "note")[0]


def test_pii(deployed: Deployed) -> None:
    """Marking and unmarking is told, since one hides values from the journal and the other puts them there."""
    deployed.apply(with_(A_avsc=event(X, optional("y"))))
    (line,) = deployed.apply({"A2.avsc": event(X, optional("y", pii=True), version=2)}).lines
    assert said(line, "note") == ["y is pii from now on: the journal carries null; events written before keep it"]
    (line,) = deployed.apply({"A3.avsc": event(X, optional("y"), version=3)}).lines
    assert said(line, "note") == ["y is no longer pii: from now on its values stay in the journal"]


EXTRA = {"name": "extra", "type": {"type": "map", "values": "string"}, "default": {}}


def test_from_a_name_to_properties(deployed: Deployed) -> None:
    """What was kept untyped gets a type; what is dropped is kept as before; a unique key less counts more."""
    deployed.apply({"B.avsc": event(optional("y"), EXTRA, name="B", unplanned="allow", unique=["y"])})
    (line,) = deployed.apply({"B2.avsc": event(X_OPTIONAL, EXTRA, name="B", version=2, unplanned="allow")}).lines
    assert said(line, "breaks") == []
    assert said(line, "note") == [
        "its unique key is another one: what counted as the same fact may count again",
        "x was kept whatever it was; now it is null or double, and other values become dead letters (schema_violation)",
    ]


NO_SOURCE = "records on raw.backend that name no source"


@pytest.mark.parametrize(
    ("files", "breaks", "notes"),
    [
        ({"s.yaml": "- {id: shop, origin: backend}\n"}, [f"{NO_SOURCE} become dead letters (unknown_source)"], []),
        ({"s.yaml": "- {id: till, origin: backend, topics: [raw.backend]}\n"},
         ["raw.backend now has the sources shop, till: records that name none become dead letters (unknown_source)"],
         []),
        ({"s.yaml": "- {id: shop, origin: sdk}\n"},
         ["events sent as shop on a topic for backend become dead letters (origin_forbidden)",
          f"{NO_SOURCE} become dead letters (unknown_source)"], []),
        ({"s.yaml": SOURCES.replace("origin: sdk", "origin: sdk, system_events: {S: false}")}, [],
         ["counted and dropped when app sends them: S"]),
        ({"s.yaml": SOURCES.replace("origin: sdk", "origin: sdk, unplanned_events: adopt")}, [],
         ["event names that the plan lacks are planned by themselves when app sends them"]),
    ],
)  # fmt: skip
def test_sources(deployed: Deployed, files: Files, breaks: list[str], notes: list[str]) -> None:
    """Who loses a topic, its default sender or an origin; what is dropped or adopted from now on."""
    deployed.apply({**ALL, "S.avsc": event(name="S", system=True)})
    (line,) = deployed.apply(files).lines
    assert (said(line, "breaks"), said(line, "note")) == (breaks, notes)


def test_a_removed_source(deployed: Deployed) -> None:
    """Its events, its keys and the default of its topic are told."""
    deployed.apply(ALL)
    (line,) = deployed.apply(with_(s_yaml="- {id: app, origin: sdk}\n"), prune=True).lines
    assert said(line, "breaks") == [
        "events sent as shop become dead letters (unknown_source); its ingest keys get 401",
        f"{NO_SOURCE} become dead letters (unknown_source)",
    ]


def test_everything_is_there_for_programs(deployed: Deployed) -> None:
    """The JSON of a line carries values, not only sentences."""
    deployed.apply(ALL)
    (line,) = deployed.apply({"o.yaml": ALL["o.yaml"].replace("Old", "New")}).lines  # type: ignore[union-attr]
    assert line.size is not None
    assert line.as_json() == {
        "action": "change", "kind": "offer", "id": "o", "against": None,
        "details": [{"action": "change", "path": "name", "text": "name: Old -> New", "before": "Old", "after": "New"}],
        "effects": [
            {"kind": "note", "text": "users inside finish under the definition they began with", "names": []}
        ],
        "bytes_per_user": {"typical": line.size.typical, "most": line.size.most},
    }  # fmt: skip
