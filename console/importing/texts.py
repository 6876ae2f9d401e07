"""Cells of CSV files as the values that the event plan asks for. A cell that is none of them stays text, and the plan
says what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schemas.plan import EventSchema

Cell = Callable[[str], Any]
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_ORDER = ("null", "boolean", "int", "long", "float", "double", "timestamp-millis", "array", "map", "record", "enum")
"""Of a union, the first branch that the text can be; text itself is always last."""


def cells_of(schema: EventSchema) -> Mapping[str, Cell]:
    """What makes a value of a cell, by property."""
    return {field["name"]: _cell(field["type"]) for field in schema.definition["fields"][1:]}


def json_or_text(text: str) -> Any:
    """JSON if it is that, else the text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _cell(schema: Any) -> Cell:
    branches = schema if isinstance(schema, list) else [schema]
    kinds = {_kind(branch) for branch in branches}
    readers = [_READERS[kind] for kind in _ORDER if kind in kinds and kind in _READERS]
    empty: Any = None if "null" in kinds else ""

    def read(text: str) -> Any:
        if text == "":
            return empty
        for reader in readers:
            value = reader(text.strip())
            if value is not _NOT:
                return value
        return text

    return read


def _kind(schema: Any) -> str:
    if isinstance(schema, dict):
        return str(schema.get("logicalType") or _kind(schema.get("type")))
    return str(schema)


_NOT: Any = object()


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), _NOT)


def _integer(text: str) -> Any:
    return int(text) if _WHOLE.fullmatch(text) else _floating(text)


def _floating(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return _NOT
    return value if math.isfinite(value) else _NOT


def _moment(text: str) -> Any:
    return int(text) if _WHOLE.fullmatch(text) else _NOT


def _json(text: str) -> Any:
    value = json_or_text(text)
    return value if isinstance(value, dict | list) else _NOT


_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean, "int": _integer, "long": _integer, "float": _floating, "double": _floating,
    "timestamp-millis": _moment, "array": _json, "map": _json, "record": _json,
}  # fmt: skip
