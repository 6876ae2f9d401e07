"""What changed inside a definition, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.workspace.differences import differences, shown
from console.workspace.event_differences import event_differences, field_text
from tests.console.workspace.samples import META, X, event, optional


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"count": {"at_least": 3}}, {"count": {"at_least": 5}}, ["change count.at_least: 3 -> 5"]),
        ({"name": "A"}, {}, ["remove name: A"]),
        ({}, {"where": "x > 1"}, ["add where: x > 1"]),
        ({"topics": ["raw.backend"]}, {"topics": ["raw.backend", "raw.gym"]},
         ["change topics: [raw.backend] -> [raw.backend, raw.gym]"]),
        ({"all": [{"event": "A"}, {"event": "B"}]}, {"all": [{"event": "A"}, {"event": "C"}, {"event": "D"}]},
         ["change all[1].event: B -> C", "add all[2]: {event: D}"]),
        ({"variants": [{"id": "a", "weight": 1}, {"id": "b"}]}, {"variants": [{"id": "b"}, {"id": "c"}]},
         ["add variants[c]: {id: c}", "remove variants[a]: {id: a, weight: 1}"]),
        ({"variants": [{"id": "a"}, {"id": "b"}]}, {"variants": [{"id": "b"}, {"id": "a"}]},
         ["change variants: order a, b -> b, a"]),
        ({"variants": [{"id": "a", "weight": 1}]}, {"variants": [{"id": "a", "weight": 2}]},
         ["change variants[a].weight: 1 -> 2"]),
        ({"entry": {"condition": "c"}}, {"entry": {"event": "A"}},
         ["add entry.event: A", "remove entry.condition: c"]),
        ({"reward": {"id": "r"}}, {"reward": None}, ["change reward: {id: r} -> null"]),
        ({"a": True}, {"a": False}, ["change a: true -> false"]),
        ({"a": 1}, {"a": 1}, []),
    ],
)  # fmt: skip
def test_differences(before: dict[str, Any], after: dict[str, Any], said: list[str]) -> None:
    """The smallest values that differ, by path; members of a list by id where they have one."""
    assert [f"{one.action} {one.text}" for one in differences(before, after)] == said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Purchase Completed", "Purchase Completed"), ("x > 1 && y == 2", "x > 1 && y == 2"), ("10 EUR", "10 EUR"),
        ("yes", '"yes"'), ("5", '"5"'), ("null", '"null"'), ("", '""'), (" a", '" a"'), ("a: b", '"a: b"'),
        ("- a", '"- a"'), ("a\nb", '"a\\nb"'), ("☕ Brewed", "☕ Brewed"), (["a, b", "c"], '["a, b", c]'),
        ({"a": [1, 2.5, None]}, "{a: [1, 2.5, null]}"), ("a -> b", '"a -> b"'),
    ],
)  # fmt: skip
def test_values_as_in_yaml(value: Any, text: str) -> None:
    """Plain where YAML would read the same text back, in quotes where it would not, always on one line."""
    assert shown(value) == text


ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
PART = {"type": "record", "name": "P", "fields": [{"name": "city", "type": "string"}]}


def changed(kind: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**kind, **more}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (event(X), event(X, optional("coupon"), version=2), ["+ field coupon (null or string, default null)"]),
        (event(X, optional("y", pii=True)), event(X), ["- field y (null or string, default null, pii)"]),
        (event(X), event({"name": "x", "type": "string"}), ["~ field x: double -> string"]),
        (event(X), event({**X, "minimum": 0, "doc": "so"}), ["+ field x: minimum: 0", "+ field x: doc: so"]),
        (event({**X, "minimum": 0}), event({**X, "minimum": 5}), ["~ field x: minimum: 0 -> 5"]),
        (event(X, optional("y", pii=True)), event(X, optional("y")), ["- field y: pii: true"]),
        (event({"name": "e", "type": ENUM}), event({"name": "e", "type": changed(ENUM, symbols=["B", "C"])}),
         ["+ field e: symbol C", "- field e: symbol A"]),
        (event(optional("p", PART)), event(optional("p", changed(PART, fields=[{"name": "city", "type": "int"}]))),
         ["~ field p.city: string -> int"]),
        (event({"name": "p", "type": {"type": "array", "items": PART}}),
         event({"name": "p", "type": {"type": "array", "items": changed(PART, fields=[optional("zip")])}}),
         ["+ field p[].zip (null or string, default null)", "- field p[].city (string)"]),
        (event({"name": "l", "type": {"type": "array", "items": "int"}}),
         event({"name": "l", "type": {"type": "array", "items": "string"}}), ["~ field l[]: int -> string"]),
        (event(X), event(optional("x", "double")),
         ["~ field x: double -> null or double", "+ field x: default: null"]),
        (event({"name": "t", "type": "long"}),
         event({"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}),
         ["~ field t: long -> timestamp-millis (long)"]),
        (event(X, {"name": "y", "type": "int"}), event({"name": "y", "type": "int"}, X), ["~ order of fields: y, x"]),
        (event(), event(event=["A", "An A"], origins=["sdk"], unplanned="allow", unique=["x"], owner="me"),
         ["~ event: [A] -> [A, An A]", "~ origins: [sdk, backend, integration] -> [sdk]", "~ unplanned: strip -> allow",
          "~ unique: [] -> [x]", "+ owner: me"]),
        (event(), event(version=7), []),
        (event(), event(origins=["sdk", "backend", "integration"], system=False, unplanned="strip"), []),
    ],
)  # fmt: skip
def test_event_schemas_field_by_field(before: str, after: str, said: list[str]) -> None:
    """Attributes of the record, then fields; a default that is spelled out is no change, nor is the version."""
    marks = {"add": "+", "change": "~", "remove": "-"}
    found = event_differences(json.loads(before), json.loads(after))
    assert [f"{marks[one.action]} {one.text}" for one in found] == said


def test_a_field_in_one_phrase() -> None:
    """Type, default, bounds, unit and whether it is pii."""
    one = {"name": "amount", "type": "double", "default": 1, "minimum": 0, "unit": "EUR", "pii": True}
    assert field_text(one) == "amount (double, default 1, minimum 0, unit EUR, pii)"
    assert META["type"] == "events.Meta"
