"""The whole language through a workspace: settings, refunds, what rules read, and what they cost."""

from __future__ import annotations

import pytest

from console.workspace.uses import Uses
from tests.console.workspace.conftest import Deployed, Files
from tests.console.workspace.samples import META, X, event, optional

KEY = {"name": "key", "type": "string"}
SETTINGS = "kind: settings\nid: rules\nallowed_lateness: 1d\n"
BASE: Files = {
    "A.avsc": event(X, KEY, optional("city"), optional("y", "double")),
    "B.avsc": event(KEY, name="B"),
    "R.avsc": event(KEY, name="R", reverses={"event": "A", "by": "key"}),
    "I.avsc": event(optional("plan"), name="Identified"),
}


def offer(text: str) -> Files:
    return {**BASE, "o.yaml": f"kind: offer\nid: o\n{text}"}


def test_settings_are_applied_changed_and_taken_back(deployed: Deployed) -> None:
    """They stand in the catalog like any definition, are part of the ruleset, and are gone with --prune."""
    files = {**offer("entry: {event: A}\n"), "settings.yaml": SETTINGS}
    first = deployed.apply(files)
    (line,) = [one for one in first.lines if one.kind == "settings"]
    assert (line.action, line.id, line.size) == ("add", "rules", None)
    second = deployed.apply({**files, "settings.yaml": SETTINGS.replace("1d", "2d")})
    (line,) = second.lines
    assert [one.text for one in line.details] == ["allowed_lateness: 1d -> 2d"]
    assert "holds for every offer" in line.effects[0].text
    third = deployed.apply(offer("entry: {event: A}\n"), prune=True)
    assert [(one.action, one.name) for one in third.lines] == [("remove", "settings/rules")]
    assert len({first.ruleset, second.ruleset, third.ruleset}) == 3


def test_settings_stand_once(deployed: Deployed) -> None:
    """Two of them are told like any definition that is there twice."""
    found = deployed.read({"a.yaml": SETTINGS, "b.yaml": SETTINGS})
    assert "settings/rules is defined twice" in found.said[0]


@pytest.mark.parametrize(
    ("reverses", "line", "words"),
    [
        ('{"event": "Q", "by": "key"}', 1, "reverses.event: the event plan has no event 'Q'"),
        ('{"event": "R", "by": "key"}', 1,
         "reverses.event: an event cannot reverse its own kind; expected another event"),
        ('{"event": "Identified", "by": "key"}', 1, "reverses.by: Identified has no property 'key'; it has plan"),
    ],
)  # fmt: skip
def test_refunds_of_nothing(deployed: Deployed, reverses: str, line: int, words: str) -> None:
    """What is reversed must be planned, another event, and have the key."""
    wrong = BASE["R.avsc"].replace('{"event": "A", "by": "key"}', reverses)  # type: ignore[arg-type, union-attr]
    assert deployed.refused({**BASE, "R.avsc": wrong}) == [f"R.avsc:{line}: {words}"]


def test_refunds_whose_keys_never_match(deployed: Deployed) -> None:
    """A number is never the same as a text."""
    numbered = event({"name": "key", "type": "long"}, name="R", reverses={"event": "A", "by": "key"})
    (said,) = deployed.refused({**BASE, "R.avsc": numbered})
    assert "key is a number here and a string in A, which are never the same" in said


@pytest.mark.parametrize(
    ("reverses", "words"),
    [
        ("Order", 'expected {"event": "Purchase Completed", "by": "order_id"}'),
        ({"event": "A"}, 'expected {"event": "Purchase Completed", "by": "order_id"}'),
        ({"event": "A", "by": "kee"}, "there is no field 'kee'; did you mean 'key'?"),
        ({"event": "A", "by": "key", "of": 1}, "unknown key 'of'"),
        ({"event": "A", "by": "tags"}, "'tags' is no string and no number"),
        ({"event": "A", "by": "email"}, "'email' is marked pii"),
    ],
)  # fmt: skip
def test_refunds_that_cannot_be_read(deployed: Deployed, reverses: object, words: str) -> None:
    """What the file itself can tell is told when it is read."""
    tags = {"name": "tags", "type": {"type": "array", "items": "string"}}
    written = event(KEY, tags, optional("email", pii=True), name="R", reverses=reverses)
    (said,) = deployed.read({"R.avsc": written}).said
    assert words in said


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("entry: {event: A, sum: {of: x, at_least: 1}}\n", {("A", "x")}),
        ("entry: {sequence: [A, {event: B, where: key != ''}], same: key}\n", {("A", "key"), ("B", "key")}),
        ("entry: {absent: {event: A, where: x > 1}, after: {event: B}, within: 1d}\n", {("A", "x"), ("B", "")}),
        ("entry: {profile: plan == 'a'}\n", {("Identified", "plan"), ("User Updated", "plan")}),
        ("entry: {event: A}\nexit: {event: B}\n", {("A", ""), ("B", "")}),
        ("entry: {event: A}\nvariants: [{id: v, completion: {event: B, distinct: {of: key, at_least: 2}}}]\n",
         {("A", ""), ("B", "key")}),
        ("entry: {event: A}\nreentry: {per_key: key}\n", {("A", ""), ("A", "key")}),
        ("entry: {event: A}\ncompletion: immediate\nreward: {id: r, value: {expr: x * 2, currency: EUR}}\n",
         {("A", ""), ("A", "x")}),
        ("entry: {event: B}\ncompletion: {condition: c}\nreward: {id: r, value: {expr: x * 2, currency: EUR}}\n",
         {("B", ""), ("A", "x")}),
    ],
)  # fmt: skip
def test_what_an_offer_uses(deployed: Deployed, text: str, used: set[tuple[str, str]]) -> None:
    """Every event and property that any slot of an offer looks at, so that a change of the plan can name the offer."""
    named = "kind: condition\nid: c\nevent: A\n"
    change = deployed.plan({**offer(text), "c.yaml": named})
    found = [one for one in Uses(change.state).all if one.definition == "offer/o"]
    assert {(one.event, ",".join(sorted(one.reads))) for one in found} == used


def test_any_event_is_every_event_that_counts(deployed: Deployed) -> None:
    """Of what is marked as system event none is used by ``*``."""
    system = event(KEY, name="S", system=True)
    change = deployed.plan({**offer('entry: {event: "*", gap: {at_least: 30d}}\n'), "S.avsc": system})
    assert {one.event for one in Uses(change.state).all} == {"A", "B", "R", "Identified"}


def test_a_property_that_a_value_needs_cannot_go(deployed: Deployed) -> None:
    """A new version of the event without it is refused at the event, with the offer that would suffer."""
    deployed.apply(
        offer("entry: {event: A}\ncompletion: immediate\nreward: {id: r, value: {expr: x, currency: EUR}}\n")
    )
    (said,) = deployed.refused({"A.avsc": event(KEY, version=2, compatibility="NONE")})
    assert said.startswith("A.avsc:1: live offer o would break: reward.value.expr: ")
    assert "A has no property 'x'; it has key" in said


def test_a_property_that_became_optional_breaks_a_value(deployed: Deployed) -> None:
    """An older version that may still arrive counts as well."""
    optional_x = event(KEY, optional("x", "double"))
    text = "entry: {event: A}\ncompletion: immediate\nreward: {id: r, value: {expr: x, currency: EUR}}\n"
    (said,) = deployed.refused({**offer(text), "A.avsc": optional_x})
    assert "x of A may be missing; expected one that is required" in said
    deployed.apply({**BASE, "A.avsc": optional_x})
    (said,) = deployed.refused({**offer(text), "A.avsc": event(KEY, X, version=2, compatibility="NONE")})
    assert "x of A may be missing" in said


def test_what_definitions_cost(deployed: Deployed) -> None:
    """Conditions and offers say their bytes per user, and the change the sum; a leaf that is shared is kept once."""
    count = "event: A\ncount: {at_least: 50}\nmax_hits: 100\n"
    files = {**offer(f"entry: {{event: B}}\ncompletion:\n  {count.replace(chr(10), chr(10) + '  ')}\n"),
             "c.yaml": f"kind: condition\nid: c\n{count}"}  # fmt: skip
    change = deployed.plan(files)
    sizes = {one.name: one.size for one in change.lines if one.size is not None}
    assert set(sizes) == {"condition/c", "offer/o"}
    assert sizes["condition/c"].most < 2.1 * sizes["condition/c"].typical
    assert sizes["condition/c"].typical < sizes["offer/o"].typical < sizes["offer/o"].most
    assert change.size is not None
    twice = deployed.plan({**files, "p.yaml": str(files["o.yaml"]).replace("id: o", "id: p")})
    assert twice.size is not None
    assert change.size.most < twice.size.most < 1.5 * change.size.most


@pytest.mark.parametrize(
    ("more", "words"),
    [("name: New\n", "users inside finish under the definition they began with"),
     ("withdraw: true\n", "withdrawn: nobody enters, and everybody inside exits now"),
     ("status: paused\n", "paused: nobody enters; users inside may complete"),
     ("status: draft\n", "a draft: nobody enters; users inside finish under the definition they began with")],
)  # fmt: skip
def test_what_becomes_of_people_inside(deployed: Deployed, more: str, words: str) -> None:
    """The diff says it before anybody is asked to apply it."""
    deployed.apply(offer("entry: {event: A}\n"))
    (line,) = deployed.plan(offer(f"entry: {{event: A}}\n{more}")).lines
    assert [one.text for one in line.effects] == [words]


def test_dates_are_read_as_they_are_written(deployed: Deployed) -> None:
    """YAML's own idea of a date is left out, and what is applied is what stands in the file."""
    files = offer("entry: {event: A, from: 2026-03-01, to: 2026-03-01T09:00:00+01:00}\nstarts: 2026-01-01\n")
    content = deployed.plan(files).state["offer/o"]
    assert content["entry"] == {"event": "A", "from": "2026-03-01", "to": "2026-03-01T09:00:00+01:00"}
    assert (content["starts"], META["name"]) == ("2026-01-01", "meta")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("ends: 2020-01-01\n", "ends 2020-01-01 is over: nobody enters"),
        ("holdout: 100.0%\n", "holdout 100%: everybody is measured, and nobody is ever rewarded"),
    ],
)
def test_offers_that_give_nobody_anything_are_noted(deployed: Deployed, more: str, words: str) -> None:
    """They are applied, with a note; others have none."""
    (line,) = [one for one in deployed.apply(offer(f"entry: {{event: A}}\n{more}")).lines if one.kind == "offer"]
    assert [(one.kind, one.text) for one in line.effects] == [("note", words)]
    (line,) = deployed.apply(offer("entry: {event: A}\nholdout: 99.9%\nends: 2999-01-01\n")).lines
    assert [one.text for one in line.effects] == ["users inside finish under the definition they began with"]


def test_texts_that_the_plan_never_lets_through(deployed: Deployed) -> None:
    """A comparison with a text that the property's pattern refuses is told; one that it takes, and unequal, are not."""
    planned = event({**KEY, "pattern": "^[A-Z]{3}$"}, name="P")
    wrong = {**offer("entry: {event: P, where: \"key == 'eur'\"}\n"), "P.avsc": planned}
    (said,) = deployed.refused(wrong)
    assert "is never true: by the event plan it matches ^[A-Z]{3}$, and 'eur' does not" in said
    (said,) = deployed.refused({**wrong, **offer("entry: {event: P, where: \"key in ['EUR', 'usd']\"}\n")})
    assert "'usd' does not" in said
    deployed.apply({**wrong, **offer("entry: {event: P, where: \"key == 'EUR' || key != 'eur'\"}\n")})
