"""Conditions as people write them: what is taken, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.definitions import ConditionDefinition, plain
from tests.offerflow.rules.definitions.written import LEAF, a_condition, refused

ABSENT = {"absent": {"event": "B"}, "after": {"event": "A"}, "within": "7d"}


@pytest.mark.parametrize(
    "node",
    [
        {"event": "A", "where": "x > 1", "count": {"at_least": 3}, "within": "30d"},
        {"event": "A", "count": {}},
        {"event": "*", "gap": {"at_least": "30d"}},
        {"event": "A", "sum": {"of": "x", "at_least": 500, "less_than": 1000.5}, "from": "2026-03-01"},
        {"event": "A", "min": {"of": "x", "more_than": 1}, "to": "2026-03-01T09:00:00+01:00"},
        {"event": "A", "max": {"of": "x", "at_most": -1}, "from": "2026-03-01", "to": "2026-04-01"},
        {"event": "A", "average": {"of": "x", "exactly": 2.5}, "since": "ever"},
        {"event": "A", "distinct": {"of": "s", "at_least": 3}, "since": "entry", "within": "1d12h"},
        {"event": "A", "days": {"at_least": 5}, "max_hits": 10000},
        {"event": "A", "streak": {"at_least": 7, "at_most": 9}},
        {"sequence": [{"event": "A"}, {"event": "B", "where": "x > 1"}], "within": "2d", "same": "s"},
        {"sequence": [LEAF, LEAF], "since": "ever", "max_hits": 5},
        ABSENT,
        {**ABSENT, "same": "s", "since": "ever"},
        {"profile": 'plan == "pro"'},
        {"in_offer": "o"},
        {"completed_offer": "o"},
        {"all": [LEAF, {"any": [LEAF, {"none": [{"condition": "d"}]}]}]},
        {"condition": "d", "name": "D", "description": "for people"},
    ],
)
def test_conditions_that_are_taken(node: dict[str, Any]) -> None:
    """Every leaf, measure, window, group and reference comes back as it was written."""
    assert plain(ConditionDefinition.model_validate(a_condition(**node))) == a_condition(**node)


def test_a_step_may_be_a_name() -> None:
    """In a sequence the name of an event stands for the event."""
    made = ConditionDefinition.model_validate(a_condition(sequence=["A", {"event": "B"}]))
    assert plain(made)["sequence"] == [{"event": "A"}, {"event": "B"}]


@pytest.mark.parametrize(
    ("node", "path", "words"),
    [
        ({}, (), "absent, profile, in_offer, completed_offer, all, any, none, condition; got none of them"),
        ({"event": "A", "condition": "d"}, (), "got event and condition"),
        ({"all": [LEAF], "any": [LEAF]}, (), "got all and any"),
        ({"all": []}, (), "all is empty"),
        ({"none": [LEAF, {"any": []}]}, ("none", 1), "any is empty"),
        ({"all": [LEAF], "where": "x > 1"}, (), "where belongs to an event leaf"),
        ({"condition": "d", "count": {"at_least": 2}}, (), "count belongs to an event leaf"),
        ({"condition": "d", "within": "3d"}, (),
         "within belongs to an event leaf or a sequence leaf or an absent leaf"),
        ({"event": "A", "same": "s"}, (), "same belongs to a sequence leaf or an absent leaf"),
        ({"event": "A", "after": LEAF}, (), "after belongs to an absent leaf"),
        ({"sequence": [LEAF, LEAF], "from": "2026-01-01"}, (), "from belongs to an event leaf"),
        ({**ABSENT, "max_hits": 5}, (), "max_hits belongs to an event leaf or a sequence leaf"),
        ({"profile": "x", "since": "ever"}, (), "since belongs to"),
        ({"event": "A", "count": {}, "days": {"at_least": 1}}, (), "one measure; got count and days"),
        ({"event": "A", "within": "3d", "from": "2026-01-01"}, (), "within is a window that rolls"),
        ({"sequence": [LEAF]}, (), "two events or more"),
        ({"absent": LEAF, "within": "3d"}, (), "absent needs after and within"),
        ({"absent": LEAF, "after": LEAF}, (), "absent needs after and within"),
        ({"all": ["d"]}, ("all", 0), "to refer to one write {condition: d}"),
        ({"all": LEAF}, ("all",), "valid list"),
        ({"event": 5}, ("event",), "valid string"),
        ({"event": "A", "where": True}, ("where",), "valid string"),
        ({"event": "A", "count": 3}, ("count",), "valid dictionary"),
        ({"event": "A", "count": {"at_least": 0}}, ("count", "at_least"), "greater than or equal to 1"),
        ({"event": "A", "count": {"at_least": 10001}}, ("count", "at_least"), "less than or equal to 10000"),
        ({"event": "A", "count": {"at_least": "3"}}, ("count", "at_least"), "valid integer"),
        ({"event": "A", "count": {"at_least": 3.0}}, ("count", "at_least"), "valid integer"),
        ({"event": "A", "count": {"at_least": True}}, ("count", "at_least"), "valid integer"),
        ({"event": "A", "days": {}}, ("days",), "expected a comparison"),
        ({"event": "A", "sum": {"of": "x"}}, ("sum",), "expected a comparison"),
        ({"event": "A", "sum": {"of": "x", "at_least": "5"}}, ("sum", "at_least"), "expected a number"),
        ({"event": "A", "min": {"of": "x", "at_least": True}}, ("min", "at_least"), "expected a number"),
        ({"event": "A", "max": {"of": "x", "at_least": float("nan")}}, ("max", "at_least"), "expected a number"),
        ({"event": "A", "sum": {"of": "x", "at_least": 1e15}}, ("sum", "at_least"), "to 100000000000000"),
        ({"event": "A", "sum": {"at_least": 5}}, ("sum", "of"), "required"),
        ({"event": "A", "count": {"of": "x"}}, ("count", "of"), "not permitted"),
        ({"event": "A", "gap": {"at_least": 30}}, ("gap", "at_least"), "expected a duration such as 45s"),
        ({"event": "A", "max_hits": 0}, ("max_hits",), "greater than or equal to 1"),
        ({"event": "A", "max_hits": 10001}, ("max_hits",), "less than or equal to 10000"),
        ({"event": "A", "since": "always"}, ("since",), "'ever' or 'entry'"),
        ({"condition": "no spaces"}, ("condition",), "expected an id of letters"),
        ({"event": "A", "from_": "2026-01-01"}, ("from_",), "not permitted"),
        ({"all": [LEAF, {"event": "A", "wher": "x"}]}, ("all", 1, "wher"), "not permitted"),
    ],
)  # fmt: skip
def test_conditions_that_are_refused(node: dict[str, Any], path: tuple[str | int, ...], words: str) -> None:
    """Each mistake is told once, at its path, in words that say what was expected."""
    ((where, message),) = refused(ConditionDefinition, a_condition(**node))
    assert where == path
    assert words in message


@pytest.mark.parametrize("identifier", ["a", "A.b_c-9", "9", "x" * 100])
def test_ids_that_are_taken(identifier: str) -> None:
    """Letters, digits, dot, underscore and dash, up to 100 of them."""
    assert ConditionDefinition.model_validate({**a_condition(**LEAF), "id": identifier}).id == identifier


@pytest.mark.parametrize("identifier", ["", "-a", ".a", "a b", "ä", "a/b", "a@1", "x" * 101, "a\n", 5, None])
def test_ids_that_are_refused(identifier: Any) -> None:
    """Whatever could not stand in a catalog key is no id."""
    ((path, _),) = refused(ConditionDefinition, {**a_condition(**LEAF), "id": identifier})
    assert path == ("id",)
