"""New versions of event schemas: which may follow which, told at the line of the field."""

from __future__ import annotations

import json

import pytest

from schemas.catalog import plan_of
from tests.console.workspace.conftest import Deployed
from tests.console.workspace.samples import ALL, X, event, optional, with_

Y = {"name": "y", "type": "string"}


def lined(text: str) -> str:
    """A line per value, so that problems have places."""
    return json.dumps(json.loads(text), indent=1)


def test_a_required_field_is_refused(deployed: Deployed) -> None:
    """By file, line, field, both versions, the level and what to do; as an optional field it is taken."""
    deployed.apply(ALL)
    (said,) = deployed.refused({"A2.avsc": lined(event(X, Y, version=2))})
    assert said == (
        "A2.avsc:14: fields.2: field y: version 2 requires it (string, no default) and version 1 lacks it, so version 2"
        " cannot read events of version 1. A is held to FULL_TRANSITIVE (the default): give it a default, such as"
        ' "type": ["null", …], "default": null, or state another level with "compatibility", or leave version 1 alone'
        " and plan a new event type"
    )
    change = deployed.apply({"A2.avsc": event(X, optional("y"), version=2)})
    assert [one.text for one in change.lines[0].details] == ["field y (null or string, default null)"]
    (reads,) = [effect for effect in change.lines[0].effects if effect.kind == "reads"]
    assert reads.text == (
        "version 2 reads version 1: yes; readers of version 1 can read version 2: yes (FULL_TRANSITIVE)"
    )


def test_another_level_lets_it_pass(deployed: Deployed) -> None:
    """The level is the newest version's; the diff says what it costs."""
    deployed.apply(ALL)
    assert "held to BACKWARD (stated in it)" in deployed.refused(
        {"A2.avsc": event(X, Y, version=2, compatibility="BACKWARD")}
    )[0]  # fmt: skip
    (line,) = deployed.apply({"A2.avsc": event(X, Y, version=2, compatibility="FORWARD")}).lines
    said = {(effect.kind, effect.text) for effect in line.effects}
    assert (
        "reads", "version 2 reads version 1: no; readers of version 1 can read version 2: yes (FORWARD)",
    ) in said  # fmt: skip
    assert (
        "breaks",
        "y is required: events without it become dead letters (schema_violation); sources that may send it: app, shop",
    ) in said


def test_one_message_for_one_field(deployed: Deployed) -> None:
    """A type change that neither direction survives, over several versions, is one problem."""
    deployed.apply(ALL)
    deployed.apply({"A2.avsc": event(X, optional("y"), version=2)})
    string = {"name": "x", "type": "string"}
    said, impact = sorted(deployed.refused({"A3.avsc": event(string, optional("y"), version=3)}), key=len, reverse=True)
    assert "live offer o (condition c) would break: where: column 3" in impact
    assert said.startswith(
        "A3.avsc:1: fields.1: field x: it is double in version 1 and string in version 3, so version 3 cannot read"
        " events of version 1; nor can version 1 read version 3, nor version 3 read version 2, nor version 2"
        " read version 3. A is held to FULL_TRANSITIVE"
    )


def test_several_versions_at_once(deployed: Deployed) -> None:
    """They are checked one after the other, whatever their files are called; ids grow with versions; gaps are fine."""
    second, ninth = event(X, optional("y"), version=2), event(X, optional("y", "int"), version=9)
    (said,) = deployed.refused({**ALL, "z.avsc": second, "b.avsc": ninth})
    assert said.startswith(
        "b.avsc:1: fields.2: field y: it is null or string in version 2 and null or int in version 9"
    )
    deployed.apply({**ALL, "z.avsc": second, "b.avsc": event(X, optional("z"), version=9)})
    ids = {version: deployed.records[f"event/A@{version}"]["schema_id"] for version in (1, 2, 9)}
    assert ids == {1: 1000, 2: 1001, 9: 1002}
    assert plan_of(deployed.catalog).newest["A"].version == 9


@pytest.mark.parametrize("level", ["FULL", "FULL_TRANSITIVE"])
def test_versions_that_are_not_current_count(deployed: Deployed, level: str) -> None:
    """The journal holds what they wrote: a version that was removed is still one before."""
    deployed.apply({**ALL, "A2.avsc": event(X, optional("y"), version=2)})
    deployed.apply({"A.avsc": event(), "c.yaml": ALL["c.yaml"], "o.yaml": ALL["o.yaml"]}, prune=True)
    assert "event/A@2" not in deployed.catalog.head.definitions
    (said,) = deployed.refused({"A3.avsc": event(X, optional("y", "int"), version=3, compatibility=level)})
    assert "field y: it is null or string in version 2 and null or int in version 3" in said


def test_versions_only_grow(deployed: Deployed) -> None:
    """A number below one that was applied is refused with the next that is free."""
    deployed.apply({**ALL, "A5.avsc": event(X, optional("y"), version=5)})
    (said,) = deployed.refused({"A3.avsc": event(X, optional("z"), version=3)})
    assert said.startswith("A3.avsc:1: version: version 3 of A comes after version 5, which was applied; versions only")
    assert said.endswith('expected "version": 6')


def test_a_change_without_a_version(deployed: Deployed) -> None:
    """Refused with what differs, attributes that Avro does not know included, and the next number."""
    deployed.apply({**ALL, "A2.avsc": event(X, optional("y"), version=2)})
    (said,) = deployed.refused({"A.avsc": event({**X, "minimum": 3}, optional("q"), event=["A", "B"], origins=["sdk"])})
    assert 'expected "version": 3 for the changed schema' in said
    assert said.endswith(
        "What differs: ~ event: [A] -> [A, B]; ~ origins: [sdk, backend, integration] -> [sdk]; + field x: minimum: 3;"
        " + field q (null or string, default null)"
    )
    (said,) = deployed.refused({"A.avsc": event(system=False)})
    assert said.endswith("What differs: + system: false")


def test_older_versions_outlive_prune(deployed: Deployed) -> None:
    """A file edited into the next version does not take the one before away: senders of Avro may still use it."""
    deployed.apply(ALL)
    newer = with_(A_avsc=event(X, optional("y"), version=2))
    assert [one.name for one in deployed.apply(newer, prune=True).lines] == ["event/A@2"]
    assert {"event/A@1", "event/A@2"} <= set(deployed.catalog.head.definitions)
    back = deployed.apply(ALL, prune=True)
    assert [(one.action, one.name) for one in back.lines] == [("remove", "event/A@2")]


def test_a_stored_version_that_no_reader_takes(deployed: Deployed) -> None:
    """Applied before it was refused, it stays: a new version is told which one stands in the way and the way out, and
    under NONE the diff says that the two cannot be compared."""
    deployed.apply(ALL)
    deployed.records["event/A@1"]["schema"]["fields"].append({"name": "u", "type": ["string", "string"]})
    second = lined(event(X, optional("y"), version=2))
    (said,) = deployed.refused({"A2.avsc": second})
    assert "A2.avsc:1: compatibility: A cannot be compared with what was applied: version 1 is not a valid" in said
    assert said.endswith('string type already in Union; expected "compatibility": "NONE", or a new event type')
    (line,) = deployed.apply({"A2.avsc": event(X, optional("y"), version=2, compatibility="NONE")}).lines
    (note,) = [effect.text for effect in line.effects if "compared" in effect.text]
    why = "version 1 is not a valid Avro schema: string type already in Union"
    assert note == f"version 2 cannot be compared with version 1: {why}"
    assert plan_of(deployed.catalog).newest["A"].version == 2
