"""Random event schemas with pii at any depth, and properties of about their shape with a marker in every pii field."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.reading import takes_nothing
from tests.schemas.raw_samples import record_type
from tests.schemas.strategies import named

MARKER = "Anna7f3c"
Schema = Any


@st.composite
def types(draw: st.DrawFn, depth: int = 3) -> Schema:
    """A type whose records have fields f0, f1… and, marked as pii, p0, p1…"""
    kinds = ["string", "int"] + ["array", "map", "record", "record", "optional", "union"] * bool(depth)
    kind = draw(st.sampled_from(kinds))
    if kind == "array":
        items = draw(types(depth - 1))
        return {"type": "array", "items": "string" if takes_nothing(items) else items}
    if kind == "map":
        return {"type": "map", "values": draw(types(depth - 1))}
    if kind == "record":
        return {"type": "record", "name": "", "fields": draw(fields(depth - 1))}
    if kind == "union":
        return ["null", draw(st.sampled_from(["string", "boolean", {"type": "array", "items": "int"}])),
                {"type": "record", "name": "", "fields": draw(fields(depth - 1))}]  # fmt: skip
    if kind == "optional":
        inner = draw(types(depth - 1))
        return inner if isinstance(inner, list) else ["null", inner]
    return kind


@st.composite
def fields(draw: st.DrawFn, depth: int) -> list[dict[str, Any]]:
    made = []
    for at, kind in enumerate(draw(st.lists(types(depth), max_size=2))):
        made.append({"name": f"f{at}", "type": kind, **draw(rules(kind))})
    for at, kind in enumerate(draw(st.lists(types(depth), max_size=2))):
        optional = kind if isinstance(kind, list) else ["null", kind]
        made.append({"name": f"p{at}", "type": optional, "pii": True, **draw(rules(kind))})
    return made


def rules(kind: Schema) -> st.SearchStrategy[dict[str, Any]]:
    found = {"int": {"minimum": 6}, "string": {"pattern": "^[b-z]"}}.get(kind if isinstance(kind, str) else "")
    return st.sampled_from([{}, found] if found else [{}])


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """An event schema of such types."""
    own = named({"type": "record", "name": "", "fields": draw(fields(3))}, [])["fields"]
    return record_type("Secret", fields=own, unplanned=draw(st.sampled_from(["strip", "dead-letter"])))


def unmarked(schema: Schema) -> Schema:
    """The same without pii and without rules."""
    if isinstance(schema, list):
        return [unmarked(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: unmarked(one) for key, one in schema.items() if key not in ("pii", "minimum", "pattern")}


@st.composite
def shaped(draw: st.DrawFn, schema: Schema, secret: bool = False, whole: bool = False) -> Any:
    """A value that fits in most places; ``whole``: in all of them. Every text in a pii field is the marker."""
    wrong = "" if whole else draw(st.sampled_from([""] * 6 + ["listed", "wrapped", "other"]))
    if wrong == "listed":
        return [draw(shaped(schema, secret))]
    if wrong == "wrapped":
        return {MARKER if secret else "k": draw(shaped(schema, secret))}
    if isinstance(schema, list):
        schema = draw(st.sampled_from(schema))
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        made = {}
        for one in schema["fields"]:
            below = secret or bool(one.get("pii"))
            if whole or draw(st.sampled_from([True, True, True, False])):
                made[one["name"]] = draw(shaped(one["type"], below, whole))
        # In the place of a record with personal data, a sender may have just that.
        return MARKER if wrong == "other" and any(name.startswith("p") for name in made) else made
    if kind == "array":
        return draw(st.lists(shaped(schema["items"], secret, whole), max_size=2))
    if kind == "map":
        keys = st.sampled_from([MARKER, MARKER + "."]) if secret else st.sampled_from(["k", "l"])
        return draw(st.dictionaries(keys, shaped(schema["values"], secret, whole), max_size=2))
    if wrong == "other":
        return draw(st.sampled_from([None, True, {MARKER: MARKER}, [MARKER]] if secret else [None, True, {}, []]))
    return {"null": None, "boolean": True, "int": 5}.get(kind, MARKER if secret else "a")


def properties(written: dict[str, Any], whole: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """For an event of this schema."""
    return st.fixed_dictionaries(
        {one["name"]: shaped(one["type"], bool(one.get("pii")), whole) for one in written["fields"][1:]}
    )
