"""Random Avro types that a property may have, values that fit them, and values that do not."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import strategies as st

Schema = Any
names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
TIME = {"type": "long", "logicalType": "timestamp-millis"}
FIRST_TIME, LAST_TIME = -62135596800000, 253402300799999
PRIMITIVES: list[Schema] = ["string", "boolean", "int", "long", "float", "double", TIME]


@st.composite
def types(draw: st.DrawFn, depth: int = 2, nullable: bool = True) -> Schema:
    """Any type that a property may have. Names of enums and records are given later, by ``named``."""
    kinds = ["primitive"] * 3 + (["enum", "array", "map", "record"] if depth else ["enum"])
    kind = draw(st.sampled_from(kinds + (["optional"] * 2 if nullable else [])))
    if kind == "primitive":
        return draw(st.sampled_from(PRIMITIVES))
    if kind == "enum":
        symbols = draw(
            st.lists(st.from_regex(r"[A-Z][A-Z0-9_]{0,4}", fullmatch=True), min_size=1, max_size=4, unique=True)
        )
        return {"type": "enum", "name": "", "symbols": symbols}
    if kind == "array":
        return {"type": "array", "items": draw(types(depth - 1))}
    if kind == "map":
        return {"type": "map", "values": draw(types(depth - 1))}
    if kind == "record":
        fields = draw(st.lists(names, min_size=1, max_size=3, unique=True))
        return {"type": "record", "name": "", "fields": [{"name": f, "type": draw(types(depth - 1))} for f in fields]}
    branch = draw(types(depth, nullable=False))
    return draw(st.sampled_from([["null", branch], [branch, "null"]]))


def named(schema: Schema, taken: list[int]) -> Schema:
    """The type with a name of its own for every enum and record, since Avro wants each name once."""
    if isinstance(schema, list):
        return [named(branch, taken) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    if "name" in made and "type" in made and made["type"] in ("enum", "record"):
        taken.append(1)
        made["name"] = f"Named{len(taken)}"
    if "fields" in made:
        made["fields"] = [{**field, "type": named(field["type"], taken)} for field in made["fields"]]
    for key in ("items", "values"):
        if key in made:
            made[key] = named(made[key], taken)
    return made


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """JSON values that fit, as the JSON decoder gives them."""
    if isinstance(schema, list):
        return st.one_of([values(branch) for branch in schema])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if schema == TIME:
        return st.integers(FIRST_TIME, LAST_TIME) | st.sampled_from([FIRST_TIME, -1, 0, LAST_TIME])
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=4)
    if kind == "map":
        return st.dictionaries(st.text(max_size=4), values(schema["values"]), max_size=4)
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    return _PRIMITIVE[kind]


def whole(bits: int) -> st.SearchStrategy[Any]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    near = [
        sign * (2**power + by) for power in (6, 13, 20, 27, 34, 41, 48, 55, 62) for by in (-1, 0, 1) for sign in (1, -1)
    ]
    edges = st.sampled_from([low, low + 1, high - 1, high, *(n for n in near if low <= n <= high)])
    exact = st.integers(max(low, -(2**53)), min(high, 2**53)).map(float).filter(lambda value: low <= value <= high)
    return st.integers(low, high) | edges | exact


def narrow(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


_PRIMITIVE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": st.text(max_size=12),
    "boolean": st.booleans(),
    "int": whole(32),
    "long": whole(64),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-(2**24), 2**24),
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
"""JSON values of any kind."""


def fits(schema: Schema, value: Any) -> bool:
    """Whether the contract lets the value through, said in the plainest way."""
    if isinstance(schema, list):
        return any(fits(branch, value) for branch in schema)
    kind = schema["type"] if isinstance(schema, dict) else schema
    number = type(value) in (int, float)
    if kind == "array":
        return type(value) is list and all(fits(schema["items"], item) for item in value)
    if kind == "map":
        return type(value) is dict and all(fits(schema["values"], item) for item in value.values())
    if kind == "record":
        return type(value) is dict and all(
            field["name"] in value and fits(field["type"], value[field["name"]]) for field in schema["fields"]
        )
    if kind == "enum":
        return type(value) is str and value in schema["symbols"]
    if schema == TIME:
        return type(value) is int and FIRST_TIME <= value <= LAST_TIME
    if kind in ("int", "long"):
        bits = 31 if kind == "int" else 63
        exact = type(value) is int or (type(value) is float and value == math.floor(value) and abs(value) <= 2**53)
        return number and exact and -(2**bits) <= value < 2**bits
    if kind in ("float", "double"):
        return number and _held(value, kind)
    return type(value) is {"string": str, "boolean": bool, "null": type(None)}[kind]


def _held(value: float, kind: str) -> bool:
    try:
        return float(value) == value and (kind == "double" or narrow(float(value)) == value)
    except OverflowError:
        return False
