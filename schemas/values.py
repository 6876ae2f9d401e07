"""JSON values to Avro bytes, per schema type, without silent coercion. Compiled once per schema to closures.

Numbers pass between int, long, float and double only without loss; strings become timestamp-millis if RFC 3339;
nothing else changes its type.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import avro
from schemas.personal import holds_pii
from schemas.violations import HIDDEN, Show, Violation, hide, show

Encode = Callable[[Any, str], bytes]
"""(value, field path) -> Avro bytes. Raises Violation."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
"""RFC 3339 section 5.6; what it allows and the calendar does not is left to datetime."""

TIMES = range(-62135596800000, 253402300800000)
"""Milliseconds of the years 1 to 9999: what RFC 3339 can write and every reader of Avro times can read."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTS = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


def parse_time(text: str) -> int | None:
    """Milliseconds since 1970 UTC of an RFC 3339 time, or None. Fractions beyond milliseconds are cut off."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        moment = (datetime.fromisoformat(text.upper()) - _EPOCH) // _MS
    except ValueError:
        return None
    return moment if moment in TIMES else None


def field_encoder(field: dict[str, Any], *, closed: bool) -> Encode:
    """The closure for a field. What is pii is judged like any other value, written as null and shown nowhere."""
    encode = encoder(field["type"], closed=closed)
    if not field.get("pii"):
        return encode
    null = encode(None, field["name"])

    def hidden(value: Any, path: str) -> bytes:
        try:
            encode(value, path)
        except Violation as violation:
            # Not the path inside it either: the keys of a map are its value too.
            raise Violation(path, violation.expected, HIDDEN) from None
        return null

    return hidden


def is_name(name: Any) -> bool:
    """Whether Avro takes it as the name of a record or a field (Avro 1.12, Names)."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def encoder(schema: Any, *, closed: bool = False) -> Encode:
    """The closure for an Avro type. Raises ValueError for types that JSON cannot carry without guessing.

    What a nested record does not have is left out, or a violation if ``closed``.
    """
    # Whoever sends another type than a record with pii may have put the same data into it.
    told = hide if holds_pii(schema) else show
    if isinstance(schema, list):
        return _union(schema, closed, told)
    name = schema.get("type") if isinstance(schema, dict) else schema
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    if logical is not None:
        # Readers would make other things of what is written here: dates, UUIDs, decimals.
        if (logical, name) != ("timestamp-millis", "long"):
            raise ValueError(
                f"not supported yet: logicalType {logical!r} of {name!r}; timestamp-millis of long is there"
            )
        return _timestamp
    match name:
        case "string":
            return _string
        case "int" | "long":
            return _integer(name)
        case "float" | "double":
            return _floating(name)
        case "boolean":
            return _boolean
        case "null":
            return _null
        case "enum":
            return _enum(_part(schema, "symbols"))
        case "array":
            return _array(encoder(_part(schema, "items"), closed=closed), told)
        case "map":
            return _map(encoder(_part(schema, "values"), closed=closed), told)
        case "record":
            return _record(_part(schema, "fields"), closed, told)
        case dict():
            return encoder(name, closed=closed)
    raise ValueError(f"a property cannot have the type {name!r}")


def _part(schema: Any, key: str) -> Any:
    """What a type is made of: a list of symbols or fields, or the type of items or values."""
    part = schema.get(key) if isinstance(schema, dict) else None
    item = {"symbols": str, "fields": dict}.get(key)
    if item is not None and part is not None and not is_name(schema.get("name")):
        raise ValueError(f"expected a name, letters, digits and '_', in the type {schema!r}")
    if item is not None and not (isinstance(part, list) and all(isinstance(one, item) for one in part)):
        raise ValueError(f"expected {key}, a list, in the type {schema!r}")
    if part is None:
        raise ValueError(f"expected {key} in the type {schema!r}")
    return part


def _string(value: Any, path: str) -> bytes:
    if type(value) is not str:
        raise Violation(path, "a string", show(value))
    return avro.string(value)


def _boolean(value: Any, path: str) -> bytes:
    if type(value) is not bool:
        raise Violation(path, "a boolean", show(value))
    return b"\x01" if value else b"\x00"


def _null(value: Any, path: str) -> bytes:
    if value is not None:
        raise Violation(path, "null", show(value))
    return b""


def _integer(name: str) -> Encode:
    low, high = _INTS[name]

    def encode(value: Any, path: str) -> bytes:
        if type(value) is int and low <= value <= high:
            return avro.long(value)
        if type(value) is float and value.is_integer() and low <= value <= high and abs(value) <= 2**53:
            return avro.long(int(value))
        raise Violation(path, f"a whole number of Avro type {name}", show(value))

    return encode


def _floating(name: str) -> Encode:
    pack, fits = (avro.DOUBLE, math.isfinite) if name == "double" else (avro.FLOAT, _fits_float)

    def encode(value: Any, path: str) -> bytes:
        if type(value) is float and fits(value):
            return pack(value)
        if type(value) is int and abs(value) <= 2**1000 and int(float(value)) == value and fits(float(value)):
            return pack(float(value))
        raise Violation(path, f"a number that Avro type {name} holds without loss", show(value))

    return encode


def _fits_float(value: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", value))[0] == value)
    except OverflowError:
        return False


def _timestamp(value: Any, path: str) -> bytes:
    if type(value) is int and value in TIMES:
        return avro.long(value)
    moment = parse_time(value) if type(value) is str else None
    if moment is None or moment not in TIMES:
        raise Violation(path, "an RFC 3339 time or integer milliseconds of the years 1 to 9999", show(value))
    return avro.long(moment)


def _enum(symbols: list[str]) -> Encode:
    encoded = {symbol: avro.long(at) for at, symbol in enumerate(symbols)}
    listed = ", ".join(symbols[:12]) + (", …" if len(symbols) > 12 else "")

    def encode(value: Any, path: str) -> bytes:
        found = encoded.get(value) if type(value) is str else None
        if found is None:
            raise Violation(path, f"one of {listed}", show(value))
        return found

    return encode


def _array(item: Encode, told: Show) -> Encode:
    def encode(value: Any, path: str) -> bytes:
        if type(value) is not list:
            raise Violation(path, "an array", told(value))
        if not value:
            return b"\x00"
        items = [item(element, f"{path}[{at}]") for at, element in enumerate(value)]
        return b"".join((avro.long(len(items)), *items, b"\x00"))

    return encode


def _map(item: Encode, told: Show) -> Encode:
    def encode(value: Any, path: str) -> bytes:
        if type(value) is not dict:
            raise Violation(path, "an object", told(value))
        if not value:
            return b"\x00"
        items = [avro.string(key) + item(element, f"{path}.{key}") for key, element in value.items()]
        return b"".join((avro.long(len(items)), *items, b"\x00"))

    return encode


def _record(fields: list[dict[str, Any]], closed: bool, told: Show) -> Encode:
    for field in fields:
        if not is_name(field.get("name")) or "type" not in field:
            raise ValueError(f"expected a name and a type in the field {field!r}")
    compiled = [(f["name"], field_encoder(f, closed=closed), f.get("default", MISSING)) for f in fields]
    known = frozenset(f["name"] for f in fields)

    def encode(value: Any, path: str) -> bytes:
        if type(value) is not dict:
            raise Violation(path, "an object", told(value))
        parts = []
        for name, item, default in compiled:
            element = value.get(name, default)
            if element is MISSING:
                raise Violation(f"{path}.{name}", "a value, since the field is required", "nothing")
            parts.append(item(element, f"{path}.{name}"))
        for name in value if closed else ():
            if name not in known:
                raise Violation(f"{path}.{name}", f"only {', '.join(sorted(known))}", "an unplanned field")
        return b"".join(parts)

    return encode


def _union(branches: list[Any], closed: bool, told: Show) -> Encode:
    if not branches or any(isinstance(branch, list) for branch in branches):
        raise ValueError(f"a union has types, none of them a union: {branches!r}")
    compiled = [
        (avro.long(at), encoder(branch, closed=closed)) for at, branch in enumerate(branches) if branch != "null"
    ]
    null = avro.long(branches.index("null")) if "null" in branches else None
    if len(compiled) == 1:
        index, only = compiled[0]

        def encode_optional(value: Any, path: str) -> bytes:
            return null if value is None and null is not None else index + only(value, path)

        return encode_optional

    def encode(value: Any, path: str) -> bytes:
        if value is None and null is not None:
            return null
        expected = []
        for index, branch in compiled:
            try:
                return index + branch(value, path)
            except Violation as violation:
                expected.append(violation.expected)
        raise Violation(path, " or ".join(expected), told(value))

    return encode


MISSING: Any = object()
"""Stands for a property that is not there, which is not the same as null."""
