"""JSON Schema (draft 7) of what validation takes for the properties of an event: the plan, for those who send JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TIME = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
    "description": "RFC 3339, or milliseconds since 1970 UTC",
}
_ONLY_RE2 = ("(?", r"\p", r"\P", r"\z", r"\A", r"\Q", r"\C", "[[:")


def properties_schema(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Of the object ``properties`` of an envelope, or the ``data`` of a CloudEvent."""
    fields = definition["fields"][1:]
    schema = _object(fields)
    if definition.get("unplanned") == "dead-letter":
        schema["additionalProperties"] = False
    return schema


def type_schema(avro: Any) -> dict[str, Any]:
    """Of a value that the Avro type ``avro`` takes."""
    if isinstance(avro, list):
        return _union(avro)
    name = avro.get("type") if isinstance(avro, dict) else avro
    if isinstance(avro, dict) and avro.get("logicalType") == "timestamp-millis":
        return dict(_TIME)
    match name:
        case "string" | "boolean" | "null":
            return {"type": name}
        case "int":
            return {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
        case "long":
            return {"type": "integer"}
        case "float" | "double":
            return {"type": "number"}
        case "enum":
            return {"type": "string", "enum": list(avro["symbols"])}
        case "array":
            return {"type": "array", "items": type_schema(avro["items"])}
        case "map":
            return {"type": "object", "additionalProperties": type_schema(avro["values"])}
        case "record":
            return _object(avro["fields"])
        case dict() | list():
            return type_schema(name)
    return {}


def _object(fields: list[dict[str, Any]]) -> dict[str, Any]:
    required = [field["name"] for field in fields if "default" not in field]
    schema: dict[str, Any] = {"type": "object", "properties": {field["name"]: _field(field) for field in fields}}
    if required:
        schema["required"] = required
    return schema


def _field(field: Mapping[str, Any]) -> dict[str, Any]:
    schema = type_schema(field["type"])
    if "doc" in field:
        schema["description"] = str(field["doc"])
    for bound in ("minimum", "maximum"):
        if bound in field:
            schema[bound] = field[bound]
    if "pattern" in field:
        # RE2 and ECMA 262 share what most patterns use; the rest must not be read as what it is not.
        foreign = any(mark in field["pattern"] for mark in _ONLY_RE2)
        schema["x-re2-pattern" if foreign else "pattern"] = field["pattern"]
    if "default" in field:
        schema["default"] = field["default"]
    if field.get("pii"):
        schema["x-pii"] = True
    if "unit" in field:
        schema["x-unit"] = str(field["unit"])
    return schema


def _union(branches: list[Any]) -> dict[str, Any]:
    others = [type_schema(branch) for branch in branches if branch != "null"]
    if len(others) == len(branches):
        return others[0] if len(others) == 1 else {"anyOf": others}
    if len(others) == 1 and isinstance(others[0].get("type"), str):
        nullable = {**others[0], "type": [others[0]["type"], "null"]}
        if "enum" in nullable:
            nullable["enum"] = [*nullable["enum"], None]
        return nullable
    flat = [inner for other in others for inner in (other["anyOf"] if set(other) == {"anyOf"} else [other])]
    return {"anyOf": [*flat, {"type": "null"}]}
