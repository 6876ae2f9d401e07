"""Whether a JSON value fits an Avro type, and what it then is. Nothing is coerced, nothing is lost.

A fitted value is a tree of plain values in which each value of a union is a ``Branch``, so that what the plan asks of a
branch can be asked of the one that was taken. ``bare`` takes the branches out: what the journal carries.
"""

from __future__ import annotations

import json
import re
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
TIMES = range(-62135596800000, 253402300800000)  # the years 1 to 9999
_LONG = range(-(2**63), 2**63)
_INT = range(-(2**31), 2**31)
_EXACT = 2**53  # beyond, a number written with a point or exponent may have lost digits when it was read
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MisfitError(Exception):
    """The value does not fit; the message says where and why."""


class Branch(NamedTuple):
    """A value of a union, with the index of the branch it took."""

    index: int
    value: Any


def bare(tree: Any) -> Any:
    """The tree without its branches."""
    if isinstance(tree, Branch):
        return bare(tree.value)
    if isinstance(tree, dict):
        return {name: bare(value) for name, value in tree.items()}
    return [bare(value) for value in tree] if isinstance(tree, list) else tree


def milliseconds(text: str) -> int | None:
    """RFC 3339 to milliseconds since 1970, finer digits cut off; None when ``text`` is not RFC 3339."""
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        return None
    year, month, day, hour, minute, second = (int(parts[n]) for n in range(1, 7))
    offset = timedelta(hours=int(parts[10] or 0), minutes=int(parts[11] or 0)) * (-1 if parts[9] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    return whole * 1000 + int(((parts[7] or "") + "000")[:3])


def fit(value: Any, schema: Any, where: str, closed: bool = False) -> Any:
    """The value as a tree of the type, or MisfitError. ``closed``: nested records must have nothing else."""
    if isinstance(schema, list):
        return _fit_union(value, schema, where, closed)
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    if isinstance(kind, dict | list):
        return fit(value, kind, where, closed)
    if logical == "timestamp-millis":
        moment = milliseconds(value) if isinstance(value, str) else value
        if type(moment) is not int or moment not in TIMES:
            raise MisfitError(f"{where} is not a time")
        return moment
    simple = _SIMPLE.get(kind)
    if simple is not None:
        fitted = simple(value)
        if fitted is _NO:
            raise MisfitError(f"{where} is not {kind}")
        return fitted
    return _fit_complex(value, kind, schema, where, closed)


def _fit_union(value: Any, branches: list[Any], where: str, closed: bool) -> Branch:
    for at, branch in enumerate(branches):
        try:
            return Branch(at, fit(value, branch, where, closed))
        except MisfitError:
            continue
    raise MisfitError(f"{where} fits no branch of its union")


def _fit_complex(value: Any, kind: str, schema: dict[str, Any], where: str, closed: bool) -> Any:
    if kind == "enum" and isinstance(value, str) and value in schema["symbols"]:
        return value
    if kind == "array" and isinstance(value, list):
        return [fit(item, schema["items"], f"{where}[{n}]", closed) for n, item in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {name: fit(item, schema["values"], f"{where}.{name}", closed) for name, item in value.items()}
    if kind == "record" and isinstance(value, dict):
        names = {one["name"] for one in schema["fields"]}
        if closed and not names.issuperset(value):
            raise MisfitError(f"{where} has what is not planned: {sorted(set(value) - names)}")
        return {one["name"]: fit_field(value, one, f"{where}.", closed) for one in schema["fields"]}
    raise MisfitError(f"{where} is not a {kind}")


def fit_field(values: dict[str, Any], field: dict[str, Any], prefix: str = "", closed: bool = False) -> Any:
    """A field of a record: what came, else its default, else MisfitError."""
    name = field["name"]
    if name in values:
        return fit(values[name], field["type"], prefix + name, closed)
    if "default" in field:
        return fit(field["default"], field["type"], prefix + name)
    raise MisfitError(f"{prefix}{name} is missing")


def extra(values: dict[str, Any]) -> dict[str, str]:
    """Unplanned properties as the map of JSON texts that ``unplanned: allow`` keeps."""
    return {name: json.dumps(value, separators=(",", ":"), ensure_ascii=False) for name, value in values.items()}


_NO = object()


def _whole(numbers: range) -> Any:
    def check(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
            value = int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) and value in numbers else _NO

    return check


def _double(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NO
    try:
        return float(value) if float(value) == value else _NO
    except OverflowError:
        return _NO


def _float(value: Any) -> Any:
    exact = _double(value)
    if exact is _NO:
        return _NO
    try:
        narrow: float = struct.unpack("<f", struct.pack("<f", exact))[0]
    except OverflowError:
        return _NO
    return narrow if narrow == exact else _NO


_SIMPLE: dict[str, Any] = {
    "null": lambda value: value if value is None else _NO,
    "boolean": lambda value: value if isinstance(value, bool) else _NO,
    "string": lambda value: value if isinstance(value, str) else _NO,
    "int": _whole(_INT),
    "long": _whole(_LONG),
    "float": _float,
    "double": _double,
}
