"""The JSON Schema for editors: current, whole, and as strict as the models as far as structure goes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from console.cli.rules import rules
from offerflow.rules.definitions import known_keys
from offerflow.rules.definitions.editors import json_schema, schema_text
from tests.offerflow.rules.definitions.written import LEAF, a_condition, an_offer

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json_schema()


def fits(value: Any, schema: dict[str, Any] | None = None) -> bool:
    """Whether ``value`` is of the schema, as far as the words go that the schema uses; any other word is an error."""
    schema = SCHEMA if schema is None else schema
    return all(_WORDS[word](value, given, schema) for word, given in schema.items() if word not in _NOTES)


def _of_type(value: Any, given: str, _: dict[str, Any]) -> bool:
    kinds: dict[str, Any] = {"string": str, "object": dict, "array": list, "boolean": bool, "integer": int,
                             "number": (int, float)}  # fmt: skip
    return isinstance(value, kinds[given]) and (given == "boolean" or not isinstance(value, bool))


def _closed(value: Any, given: Any, schema: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    others = [one for key, one in value.items() if key not in schema.get("properties", {})]
    return all(fits(one, given) for one in others) if isinstance(given, dict) else not others


_NOTES = ("$schema", "$defs", "title", "description", "default", "examples")
_WORDS: dict[str, Any] = {
    "type": _of_type,
    "$ref": lambda value, given, _: fits(value, SCHEMA["$defs"][given.removeprefix("#/$defs/")]),
    "anyOf": lambda value, given, _: any(fits(value, one) for one in given),
    "oneOf": lambda value, given, _: sum(fits(value, one) for one in given) == 1,
    "not": lambda value, given, _: not fits(value, given),
    "const": lambda value, given, _: value == given,
    "enum": lambda value, given, _: value in given,
    "pattern": lambda value, given, _: not isinstance(value, str) or re.search(given, value) is not None,
    "required": lambda value, given, _: not isinstance(value, dict) or set(given) <= set(value),
    "properties": lambda value, given, _: not isinstance(value, dict)
    or all(fits(value[key], one) for key, one in given.items() if key in value),
    "additionalProperties": _closed,
    "dependentRequired": lambda value, given, _: all(set(needs) <= set(value) for key,
    needs in given.items() if key in value),
    "items": lambda value, given, _: not isinstance(value, list) or all(fits(one, given) for one in value),
    "minItems": lambda value, given, _: not isinstance(value, list) or len(value) >= given,
    "maxItems": lambda value, given, _: not isinstance(value, list) or len(value) <= given,
    "minLength": lambda value, given, _: not isinstance(value, str) or len(value) >= given,
    "maxLength": lambda value, given, _: not isinstance(value, str) or len(value) <= given,
    "minimum": lambda value, given, _: not isinstance(value, int | float) or value >= given,
    "maximum": lambda value, given, _: not isinstance(value, int | float) or value <= given,
    "exclusiveMaximum": lambda value, given, _: not isinstance(value, int | float) or value < given,
    "discriminator": lambda *_: True,
}  # fmt: skip


def written() -> list[Any]:
    """Every YAML document of the demo and of the pages that hold whole definitions."""
    files = [path.read_text("utf-8") for path in sorted((ROOT / "deploy" / "demo").rglob("*.yaml"))]
    pages = [ROOT / "docs" / "formats.md", ROOT / "docs" / "rules.md"]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    ]
    found = [
        one
        for text in (*files, *(block for block in blocks if re.search("^kind:", block, re.MULTILINE)))
        for one in YAML(typ="safe", pure=True).load_all(text)
    ]
    return [json.loads(json.dumps(one, default=str)) for one in found if isinstance(one, list) or "kind" in one]


def test_the_file_is_current() -> None:
    """What stands in docs is what the command prints; `offerflow rules schema` into that file renews it."""
    assert (ROOT / "docs" / "offerflow.schema.json").read_text("utf-8") == schema_text()
    assert rules.commands["schema"].help is not None


def test_every_key_is_in_it() -> None:
    """Whatever the models take an editor can complete."""
    assert {key for one in SCHEMA["$defs"].values() for key in _properties(one)} >= known_keys()


def _properties(one: dict[str, Any]) -> list[str]:
    inner = [key for branch in one.get("anyOf", ()) for key in branch.get("properties", {})]
    return [*one.get("properties", {}), *inner]


def test_what_is_written_fits() -> None:
    """Definitions of the demo and of the documentation are of the schema."""
    documents = written()
    assert len(documents) > 12
    assert [one for one in documents if not fits(one)] == []


@pytest.mark.parametrize(
    "document",
    [
        a_condition(), a_condition(**LEAF, all=[LEAF]), a_condition(**LEAF, wher="x"), a_condition(**LEAF, within="30"),
        a_condition(absent=LEAF, within="3d"), a_condition(event="A", count=3), a_condition(all=LEAF),
        {"kind": "condition", **LEAF}, an_offer(entry={}), an_offer(entry={"code": "A", **LEAF, "all": [LEAF]}),
        an_offer(status="Live"), an_offer(holdout="10"), an_offer(reward={"value": "10 EUR"}),
        an_offer(caps={"total": 1}),
        an_offer(reentry={"key": "x"}), an_offer(completion="now"), {"kind": "settings", "id": "mine"},
        {"kind": "rule"},
        [{"id": "s", "origin": "server"}], {}, 5,
    ],
)  # fmt: skip
def test_what_is_wrong_does_not_fit(document: Any) -> None:
    """Mistakes of structure are underlined while one types."""
    assert not fits(document)


def test_what_is_right_fits() -> None:
    """Ways to write that the documentation has no whole example of."""
    for one in (
        a_condition(sequence=["A", LEAF]), a_condition(absent=LEAF, after=LEAF, within="1w2d"),
        an_offer(entry={"api": True}),
        an_offer(entry={**LEAF, "code": "X"}), an_offer(completion="immediate"), an_offer(reentry={"per_key": "x"}),
        {"kind": "settings", "id": "rules"}, {"kind": "scenario", "steps": []}, [],
    ):  # fmt: skip
        assert fits(one), one
