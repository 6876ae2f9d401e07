"""Event schemas as Apache Avro parses them, which is stricter than fastavro and as strict as readers in Java: what it
refuses would be applied for good and then fail at every consumer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from avro.errors import AvroException
from avro.schema import Schema, make_avsc_object

from schemas.codec import inlined
from schemas.values import is_name

_STRUCTURE = frozenset(
    ("type", "name", "namespace", "fields", "symbols", "items", "values", "size", "default", "aliases")
)
_NESTED = ("type", "items", "values", "fields")
_ODD = (AvroException, ValueError, TypeError, KeyError, AttributeError)


def parsed(definition: Mapping[str, Any]) -> Schema:
    """What resolution looks at, ``events.Meta`` inlined. Raises ValueError that names the version."""
    try:
        return _parse(definition, _STRUCTURE)
    except _ODD as error:
        version = definition.get("version", 1)
        raise ValueError(f"version {version} is not a valid Avro schema: {_why(error)}") from None


def refusal(definition: Mapping[str, Any]) -> str | None:
    """Why readers of Avro would not take a record schema, None if they do."""
    try:
        _check_aliases(definition)
        _parse(definition, _STRUCTURE | {"order"})
    except _ODD as error:
        return _why(error)
    return None


def _parse(definition: Mapping[str, Any], keys: Collection[str]) -> Schema:
    # Everything else is left out: the parser warns of logical types it does not know, and resolution ignores them.
    kept: dict[str, Any] = _stripped(inlined(definition), keys)
    return make_avsc_object({**kept, "namespace": "events"})


def _stripped(schema: Any, keys: Collection[str]) -> Any:
    if isinstance(schema, list):
        return [_stripped(branch, keys) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _stripped(value, keys) if key in _NESTED else value for key, value in schema.items() if key in keys}


def _check_aliases(schema: Any) -> None:
    """Java reads them when it parses, Python only when it resolves."""
    if isinstance(schema, list):
        for branch in schema:
            _check_aliases(branch)
    if not isinstance(schema, Mapping):
        return
    aliases = schema.get("aliases", [])
    named = isinstance(aliases, list) and all(
        isinstance(alias, str) and all(map(is_name, alias.split("."))) for alias in aliases
    )
    if not named:
        raise ValueError(f"aliases are a list of names, got {aliases!r}")
    for key in _NESTED:
        _check_aliases(schema.get(key))


def _why(error: Exception) -> str:
    """The innermost of the parser's messages; those around it repeat the schema."""
    return str(error).rpartition("not a valid Avro schema: ")[2][:300]
