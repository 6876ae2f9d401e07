"""Avro types in words for people: ``null or string``, ``list of number``, ``enum Currency (EUR, USD)``."""

from __future__ import annotations

from typing import Any

SYMBOLS_SHOWN = 12


def type_name(schema: Any) -> str:
    """A type as one phrase. Bounds and other attributes of the plan are left out."""
    if isinstance(schema, list):
        return " or ".join(type_name(branch) for branch in schema)
    if not isinstance(schema, dict):
        return str(schema)
    kind = schema.get("type")
    if kind == "array":
        return f"list of {type_name(schema.get('items'))}"
    if kind == "map":
        return f"map of {type_name(schema.get('values'))}"
    if kind == "enum":
        symbols = [str(symbol) for symbol in schema.get("symbols", ())]
        more = ", …" if len(symbols) > SYMBOLS_SHOWN else ""
        return f"enum {schema.get('name')} ({', '.join(symbols[:SYMBOLS_SHOWN])}{more})"
    if kind in ("record", "error"):
        return f"record {schema.get('name')}"
    if kind == "fixed":
        return f"fixed {schema.get('name')} ({schema.get('size')} bytes)"
    if isinstance(schema.get("logicalType"), str):
        return _logical(schema)
    return type_name(kind)


def _logical(schema: dict[str, Any]) -> str:
    if schema["logicalType"] == "decimal":
        return f"decimal({schema.get('precision')}, {schema.get('scale', 0)})"
    return f"{schema['logicalType']} ({type_name(schema.get('type'))})"
