"""A workspace against the catalog: what would be written, and what is refused as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.workspace.change import json_lines
from offerflow.rules.ruleset import ENGINE
from schemas.catalog import plan_of, ruleset_of
from tests.console.workspace.conftest import Deployed, Files


def event(name: str = "A", version: int = 1, **more: Any) -> str:
    fields = [{"name": "meta", "type": "events.Meta"}, {"name": "x", "type": "double"}]
    return json.dumps({"type": "record", "name": name, "version": version, "fields": fields, **more})


CONDITION = "kind: condition\nid: c\nevent: A\nwhere: x > 1\n"
OFFER = "kind: offer\nid: o\nentry: {condition: c}\n"
SOURCES = "- id: shop\n  origin: backend\n  topics: [raw.backend]\n"
ALL: Files = {"A.avsc": event(), "c.yaml": CONDITION, "o.yaml": OFFER, "s.yaml": SOURCES}


def without(*names: str, **more: str) -> Files:
    return {name: text for name, text in {**ALL, **{key.replace("_", "."): text for key, text in more.items()}}.items()
            if name not in names}  # fmt: skip


def lines(change: Any) -> list[str]:
    return [f"{one['action']} {one['kind']} {one['id']}" for one in json_lines(change)]


def test_a_first_workspace(deployed: Deployed) -> None:
    """Every definition, a ruleset of those that rules are made of, and a head; all of it compiles as it was written."""
    change = deployed.apply(ALL)
    assert lines(change) == ["add event A@1", "add condition c", "add offer o", "add source shop"]
    head = deployed.catalog.head
    assert (head.serial, head.ruleset, head.next_schema_id) == (1, change.ruleset, 1001)
    kinds = [key.partition("@")[0] for key in head.definitions]
    assert kinds == ["condition/c", "event/A", "offer/o"]
    assert deployed.records[f"ruleset/{change.ruleset}"] == {"engine": ENGINE, "definitions": list(head.definitions)}
    assert deployed.records["event/A@1"]["schema_id"] == 1000
    assert deployed.catalog.sources["shop"].topics == ("raw.backend",)
    assert list(ruleset_of(deployed.catalog, change.ruleset).offers) == ["o"]
    assert sorted(plan_of(deployed.catalog).by_name) == ["A"]


def test_the_same_again_changes_nothing(deployed: Deployed) -> None:
    """Neither lines nor records, however the files are cut and ordered."""
    deployed.apply(ALL)
    for files in (ALL, {"z.yaml": OFFER + "---\n" + CONDITION, "y.yaml": SOURCES, "b/B.avsc": event()}):
        change = deployed.plan(files)
        assert (change.lines, change.records, change.ruleset) == ([], {}, "")


def test_a_changed_condition(deployed: Deployed) -> None:
    """One line; a new definition, a new ruleset, a new head; the old definition stays for old instances."""
    first = deployed.apply(ALL)
    change = deployed.apply(without(c_yaml=CONDITION.replace("x > 1", "x > 2")))
    assert lines(change) == ["change condition c"]
    assert sorted(key.partition("/")[0] for key in change.records) == ["condition", "head", "ruleset"]
    assert change.ruleset not in ("", first.ruleset)
    assert (change.serial, deployed.catalog.head.serial) == (2, 2)
    assert len(deployed.catalog.of_kind("condition")) == 2
    assert set(ruleset_of(deployed.catalog, first.ruleset).offers) == {"o"}


def test_back_to_an_older_definition(deployed: Deployed) -> None:
    """It is activated again under its old name; what the catalog has is not written once more."""
    first = deployed.apply(ALL)
    deployed.apply(without(c_yaml=CONDITION.replace("x > 1", "x > 2")))
    change = deployed.apply(ALL)
    assert change.ruleset == first.ruleset
    assert sorted(change.records) == ["head", f"ruleset/{first.ruleset}"]


def test_apply_touches_only_what_it_defines(deployed: Deployed) -> None:
    """What another folder brought stays in force."""
    deployed.apply(ALL)
    change = deployed.apply({"p.yaml": OFFER.replace("id: o", "id: p")})
    assert lines(change) == ["add offer p"]
    assert sorted(ruleset_of(deployed.catalog, change.ruleset).offers) == ["o", "p"]


def test_prune_removes_the_rest(deployed: Deployed) -> None:
    """Offers, conditions and sources go, and the ruleset is made without them; their definitions stay readable."""
    first = deployed.apply(ALL)
    change = deployed.apply(without("o.yaml", "s.yaml"), prune=True)
    assert lines(change) == ["remove offer o", "remove source shop"]
    assert change.records["source/shop"] is None
    assert ruleset_of(deployed.catalog, change.ruleset).offers == {}
    assert list(ruleset_of(deployed.catalog, first.ruleset).offers) == ["o"]
    assert deployed.catalog.sources == {}
    again = deployed.apply(ALL)
    assert lines(again) == ["add offer o", "add source shop"]


def test_prune_of_an_event(deployed: Deployed) -> None:
    """It no longer arrives; its schema stays known by id, and coming back it keeps its id."""
    deployed.apply({**ALL, "B.avsc": event("B")})
    change = deployed.apply(ALL, prune=True)
    assert lines(change) == ["remove event B@1"]
    plan = plan_of(deployed.catalog)
    assert (sorted(plan.by_name), sorted(plan.by_id)) == (["A"], [1000, 1001])
    assert lines(deployed.apply({"B.avsc": event("B")})) == ["add event B@1"]
    assert plan_of(deployed.catalog).by_name["B"].id == 1001
    assert deployed.catalog.head.next_schema_id == 1002


def test_sources_alone_activate_nothing(deployed: Deployed) -> None:
    """Rules do not know them: a new head, no ruleset."""
    deployed.apply(ALL)
    change = deployed.apply({"s.yaml": SOURCES.replace("raw.backend", "raw.own")})
    assert (lines(change), change.ruleset, change.raw_topics) == (["change source shop"], "", ["raw.own"])
    assert sorted(change.records) == ["head", "source/shop"]
    assert deployed.catalog.head.ruleset


def test_events_alone_need_no_ruleset(deployed: Deployed) -> None:
    """As long as there is no condition and no offer, nothing is activated."""
    change = deployed.apply({"A.avsc": event(), "s.yaml": SOURCES})
    assert (change.ruleset, deployed.catalog.head.ruleset, change.serial) == ("", "", 1)


def test_everything_removed(deployed: Deployed) -> None:
    """Rules that were in force are replaced by a ruleset without any, so that they end."""
    deployed.apply(ALL)
    change = deployed.apply({"A.avsc": event()}, prune=True)
    assert change.ruleset
    assert ruleset_of(deployed.catalog, change.ruleset).offers == {}


def test_a_schema_that_was_applied_never_changes(deployed: Deployed) -> None:
    """Other content under the same version is refused, naming the next version; as that it is added beside."""
    deployed.apply(ALL)
    changed = {"name": "y", "type": ["null", "string"], "default": None}
    fields = [{"name": "meta", "type": "events.Meta"}, {"name": "x", "type": "double"}, changed]
    written = json.dumps(json.loads(event(fields=fields)), indent=1)
    (said,) = deployed.refused(without(A_avsc=written))
    assert said.startswith("A.avsc:4: version: version 1 of A was applied with other content")
    assert 'expected "version": 2' in said
    change = deployed.apply(without(A_avsc=event(version=2, fields=fields)))
    assert lines(change) == ["add event A@2"]
    assert change.lines[0].against == "A@1"
    assert change.ruleset
    assert plan_of(deployed.catalog).by_name["A"].id == 1001
    deployed.apply(without("A.avsc", A2_avsc=event(version=2, fields=fields)), prune=True)
    assert deployed.refused(without(A_avsc=event(doc="other")))


def test_a_name_belongs_to_one_event(deployed: Deployed) -> None:
    """In a workspace, and against what the catalog has; a newer version may take a name of its own older one."""
    (said,) = deployed.refused({"A.avsc": event(event=["X", "Y"]), "B.avsc": event("B", event=["Z", "Y"])})
    assert said == (
        f"B.avsc:1: event: the name 'Y' belongs to A already ({deployed.folder}/A.avsc:1); a name means one event type"
    )
    deployed.apply({"B.avsc": event("B", event=["Z", "Y"])})
    deployed.apply({"B.avsc": event("B", version=2, event=["Y"]), "A.avsc": event(event=["Z"])})
    assert plan_of(deployed.catalog).by_name["Z"].name == "A"


@pytest.mark.parametrize("newcomer", ["A", "X"])
def test_the_newcomer_gives_way(deployed: Deployed, newcomer: str) -> None:
    """Whatever its place in the alphabet: once for all names, at its own file, naming where the other stands and what
    helps; nothing untrue is said of the rules that use the name."""
    mine: Files = {"M.avsc": event("M", event=["Ride", "Rode"]), "c.yaml": CONDITION.replace("event: A", "event: Ride")}
    fields = [{"name": "meta", "type": "events.Meta"}]
    deployed.apply(mine)
    new: Files = {"new.avsc": event(newcomer, event=["Ride", "Rode"], fields=fields)}
    (said,) = deployed.refused(new)
    assert said == (
        "new.avsc:1: event: the names 'Ride', 'Rode' belong to M already (in the catalog, and no file here defines it;"
        " choose another name, or --prune removes what no file has); a name means one event type"
    )
    (said,) = deployed.refused({**mine, **new})
    assert said.startswith("new.avsc:1: event: the names 'Ride', 'Rode' belong to M already (")
    assert f"({deployed.folder}/M.avsc:1)" in said
    assert {one.action for one in deployed.plan(new, prune=True).lines} == {"add", "remove"}


@pytest.mark.parametrize("newcomer", ["a", "z"])
def test_a_new_source_gives_way(deployed: Deployed, newcomer: str) -> None:
    """A topic has the origin of the source that was there first."""
    deployed.apply({"s.yaml": "- {id: m, origin: backend, topics: [raw.own]}\n"})
    (said,) = deployed.refused({"t.yaml": f"- {{id: {newcomer}, origin: sdk, topics: [raw.own]}}\n"})
    assert said.startswith("t.yaml:1: topics.0: raw.own is for backend (source m); expected a topic for sdk")


def test_reserved_names(deployed: Deployed) -> None:
    """Events named offerflow.… are kept for requests that come by API."""
    (said,) = deployed.refused({"A.avsc": event(event=["offerflow.EnterOffer"])})
    assert said.startswith("A.avsc:1: event: names that start with 'offerflow.' are reserved")


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        ({"o.yaml": OFFER.replace("condition: c", "condition: cc")}, "o.yaml:3",
         "no condition 'cc'; did you mean 'c'?"),
        ({"c.yaml": CONDITION.replace("event: A", "event: B")}, "c.yaml:3", "no event 'B'"),
        ({"c.yaml": CONDITION.replace("x > 1", "y > 1")}, "c.yaml:4",
         "column 1 of the expression: A has no property 'y'"),
        ({"c.yaml": "kind: condition\nid: c\nany:\n- event: A\n- event: A\n  where: x >\n"}, "c.yaml:6", "column 4"),
        ({"o.yaml": "kind: offer\nid: o\nentry:\n  none:\n  - condition: c\n"}, "o.yaml:3", "never did anything"),
        ({"o.yaml": OFFER + "completion:\n  any:\n  - {condition: c}\n  - event: Q\n"}, "o.yaml:7", "no event 'Q'"),
    ],
)  # fmt: skip
def test_rules_are_checked_as_a_whole(deployed: Deployed, files: Files, place: str, words: str) -> None:
    """What only the plan and the other definitions show is told at the line where it stands."""
    found = deployed.refused({**ALL, **files})
    assert [one for one in found if words in one and one.startswith(place)] != [], found
    assert all(one.startswith(place.split(":", maxsplit=1)[0]) for one in found), found


def test_a_circle_of_conditions(deployed: Deployed) -> None:
    """Each of its conditions is told, at the line of its reference."""
    first, second = "kind: condition\nid: c\ncondition: d\n", "kind: condition\nid: d\nany:\n- {condition: c}\n"
    found = deployed.refused({"c.yaml": first + "---\n" + second})
    assert [one.split(": ")[0] for one in found] == ["c.yaml:3", "c.yaml:8"]
    assert all("refers to itself" in one for one in found)


def test_what_breaks_the_catalog_is_told(deployed: Deployed) -> None:
    """A change that leaves a definition of another folder without its condition or its event is refused."""
    deployed.apply(ALL)
    (said,) = deployed.refused(without("c.yaml"), prune=True)
    assert said.startswith("o.yaml:3: ")
    fields = [{"name": "meta", "type": "events.Meta"}, {"name": "z", "type": "double"}]
    (said,) = deployed.refused({"A2.avsc": event(version=2, fields=fields, compatibility="NONE")})
    assert said == (
        "A2.avsc:1: live offer o (condition c) would break: where: column 1 of the expression: A has no property 'x';"
        " it has z; keep what it uses, or change it in the same apply"
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- id: local-server\n  origin: backend\n", 1, "local-server is built in"),
        ("- id: s\n  origin: sdk\n  topics: [raw.backend]\n", 3,
         "raw.backend is for backend (the topic); expected a topic for sdk"),
        ("- id: s\n  origin: backend\n  topics:\n  - raw.own\n  - raw.replay\n", 5, "raw.replay is kept for replays"),
        ("- {id: s, origin: backend, topics: [raw.own]}\n- id: t\n  origin: sdk\n  topics: [raw.own]\n", 4,
         "raw.own is for backend (source s); expected a topic for sdk"),
        ("- id: s\n  origin: sdk\n  system_events:\n    Scren: false\n", 4, "no event 'Scren'; did you mean 'Screen'?"),
        ("- id: s\n  origin: sdk\n  system_events:\n    Screen: false\n    A: true\n", 5, "'A' is not a system event"),
    ],
)  # fmt: skip
def test_sources_are_checked(deployed: Deployed, text: str, line: int, words: str) -> None:
    """Topics against origins, switches against the plan, ids against what is built in."""
    (said,) = deployed.refused({**ALL, "S.avsc": event("Screen", system=True), "s.yaml": SOURCES, "z.yaml": text})
    assert said.startswith(f"z.yaml:{line}: ")
    assert words in said


def test_topics_of_ones_own(deployed: Deployed) -> None:
    """They are to be made before the change; the fixed ones are there; each is named once."""
    text = "- {id: s, origin: sdk, topics: [raw.b, raw.sdk]}\n- {id: t, origin: sdk, topics: [raw.b, raw.a]}\n"
    assert deployed.apply({"s.yaml": text}).raw_topics == ["raw.b", "raw.a"]


def test_problems_stand_in_order(deployed: Deployed) -> None:
    """By file and line, whatever found them first."""
    found = deployed.refused({
        **ALL, "o.yaml": OFFER.replace("condition: c", "condition: x") + "audience: {event: Q}\n",
        "b.yaml": CONDITION.replace("id: c", "id: b").replace("A", "Q"),
        "z.yaml": "- {id: local-server, origin: sdk}\n",
    })  # fmt: skip
    assert [one.split(": ")[0] for one in found] == ["b.yaml:3", "o.yaml:3", "o.yaml:4", "z.yaml:1"]


def test_nothing_is_written_of_a_refused_change(deployed: Deployed) -> None:
    """The catalog that a plan was made against is as before."""
    deployed.apply(ALL)
    before = json.dumps(deployed.records)
    deployed.refused({"o.yaml": OFFER.replace("condition: c", "condition: x"), "B.avsc": event("B")})
    assert json.dumps(deployed.records) == before
