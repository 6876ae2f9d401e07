"""Avro bytes from outside, read strictly and written again in the one form that the journal holds.

What the bytes cannot be is a Misread: they are not of their schema. What they may be and the plan does not allow is
kept in the Reading, since other things are judged first. Time and memory are bounded by the length of the value.
Source: Avro 1.12 specification, Binary Encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from schemas import avro
from schemas.bounds import Rule, rule_of
from schemas.values import TIMES
from schemas.violations import HIDDEN, Violation, show

_BYTES = {"float": 4, "double": 8}
UNPACK = {"float": struct.Struct("<f").unpack_from, "double": struct.Struct("<d").unpack_from}
_BITS = {"int": 31, "long": 63}
_LENGTH = "a length of at most the {} bytes that are left"


class Misread(ValueError):
    """The bytes are not of their schema: where, what was expected, what is there instead. ``outside`` is where without
    the keys of maps, which are bytes of the record too: the path of the outermost map, None if it is in none."""

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}")
        self.field, self.expected, self.got = field, expected, got
        self.outside: str | None = None


class Reading:
    """What reading a value comes to: ``out`` its canonical bytes in pieces, the first violation of a type and the first
    of a rule. ``spare`` is how many items that take no bytes it may still have."""

    __slots__ = ("broken", "out", "spare", "violation")

    def __init__(self, spare: int) -> None:
        self.out: list[bytes] = []
        self.violation: Violation | None = None
        self.broken: Violation | None = None
        self.spare = spare

    def take(self, other: Reading) -> None:
        """What another reading found, behind what this one has."""
        self.out += other.out
        self.violation = self.violation or other.violation
        self.broken = self.broken or other.broken


Read = Callable[[bytes, int, Reading, str], int]
"""(data, position, reading, field path) -> the position behind the value. Raises Misread."""


def read_long(data: bytes, at: int, path: str) -> tuple[int, int]:
    """A zigzag varint and the position behind it."""
    if at < len(data) and (first := data[at]) < 0x80:
        return (first >> 1) ^ -(first & 1), at + 1
    value = shift = 0
    for byte in data[at : at + 10]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if value >> 64:
                break
            return (value >> 1) ^ -(value & 1), at + shift // 7
    if shift < 70:
        raise Misread(path, "a number", f"the end of the record after {len(data)} bytes")
    raise Misread(path, "a number of at most 64 bits", "a longer one")


def read_length(data: bytes, at: int, path: str) -> tuple[int, int]:
    """A length in bytes, all of them there."""
    size, at = read_long(data, at, path)
    if not 0 <= size <= len(data) - at:
        raise Misread(path, _LENGTH.format(max(len(data) - at, 0)), str(size))
    return size, at


def read_text(data: bytes, at: int, path: str) -> tuple[str, int]:
    """A string and the position behind it."""
    if at < len(data) and (first := data[at]) < 0x80 and not first & 1:
        size, at = first >> 1, at + 1
        if size > len(data) - at:
            raise Misread(path, _LENGTH.format(len(data) - at), str(size))
    else:
        size, at = read_length(data, at, path)
    try:
        return data[at : at + size].decode(), at + size
    except UnicodeDecodeError as error:
        raise Misread(path, "UTF-8", f"something else at its byte {error.start}") from None


def read_index(data: bytes, at: int, path: str, size: int, what: str) -> tuple[int, int]:
    """The index of one of ``size`` branches or symbols."""
    if at < len(data) and (first := data[at]) < 0x80:
        index, at = (first >> 1) ^ -(first & 1), at + 1
    else:
        index, at = read_long(data, at, path)
    if not 0 <= index < size:
        raise Misread(path, f"the index of one of {size} {what}", str(index))
    return index, at


def takes_nothing(schema: Any) -> bool:
    """Whether values of a type take no bytes, so that any number of them fits into a few."""
    kind = schema.get("type") if isinstance(schema, dict) else schema
    if isinstance(kind, dict):
        return takes_nothing(kind)
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if kind == "record" and isinstance(fields, list):
        return all(isinstance(field, dict) and takes_nothing(field.get("type")) for field in fields)
    return bool(kind == "null")


def reader(schema: Any, rule: Rule | None = None) -> Read:
    """The closure for a type of an event schema; ``rule`` is judged where it leads to a number or a string."""
    if isinstance(schema, list):
        return _union(schema, rule)
    kind = schema.get("type") if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-millis":
        return _timestamp
    match kind:
        case "string":
            return _string(rule)
        case "int" | "long":
            return _integer(kind, rule)
        case "float" | "double":
            return _floating(kind, rule)
        case "boolean":
            return _boolean
        case "null":
            return lambda data, at, into, path: at
        case "enum":
            return _enum(len(schema["symbols"]))
        case "array":
            return _array(reader(schema["items"]), takes_nothing(schema["items"]))
        case "map":
            return _map(reader(schema["values"]))
        case "record":
            return _record([(field["name"], field_reader(field)) for field in schema["fields"]])
        case dict() | list():
            return reader(kind, rule)
    raise ValueError(f"a property cannot have the type {kind!r}")


def field_reader(field: dict[str, Any]) -> Read:
    """The closure for a field. What is pii is judged like any other value, written as null and shown nowhere."""
    read = reader(field["type"], rule_of(field))
    if not field.get("pii"):
        return read
    null = avro.long(field["type"].index("null")) if isinstance(field["type"], list) else b""

    def hidden(data: bytes, at: int, into: Reading, path: str) -> int:
        inside = Reading(into.spare)
        try:
            at = read(data, at, inside, path)
        except Misread as error:
            raise Misread(path, error.expected, HIDDEN) from None
        into.spare = inside.spare
        into.out.append(null)
        found = inside.violation
        if found is not None and into.violation is None:
            into.violation = Violation(path, found.expected, HIDDEN)
        found = inside.broken
        if found is not None and into.broken is None:
            into.broken = Violation(path, found.expected, HIDDEN, of_plan=True)
        return at

    return hidden


def _judge(rule: Rule, value: Any, into: Reading, path: str) -> None:
    expected = rule(value) if into.broken is None else None
    if expected is not None:
        into.broken = Violation(path, expected, show(value), of_plan=True)


def _string(rule: Rule | None) -> Read:
    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        text, end = read_text(data, at, path)
        if rule is not None:
            _judge(rule, text, into, path)
        into.out.append(avro.string(text))
        return end

    return read


def _integer(kind: str, rule: Rule | None) -> Read:
    limit = 1 << _BITS[kind]

    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        value, end = read_long(data, at, path)
        if not -limit <= value < limit:
            raise Misread(path, f"a whole number of Avro type {kind}", str(value))
        if rule is not None:
            _judge(rule, value, into, path)
        into.out.append(avro.long(value))
        return end

    return read


def _timestamp(data: bytes, at: int, into: Reading, path: str) -> int:
    value, end = read_long(data, at, path)
    if value not in TIMES and into.violation is None:
        into.violation = Violation(path, "milliseconds of the years 1 to 9999", show(value))
    into.out.append(avro.long(value))
    return end


def _floating(kind: str, rule: Rule | None) -> Read:
    size, unpack = _BYTES[kind], UNPACK[kind]

    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        end = at + size
        if end > len(data):
            raise Misread(path, f"the {size} bytes of a {kind}", f"{max(len(data) - at, 0)}")
        (value,) = unpack(data, at)
        if value - value != 0:
            if into.violation is None:
                into.violation = Violation(path, f"a finite number of Avro type {kind}", str(value))
        elif rule is not None:
            _judge(rule, value, into, path)
        into.out.append(data[at:end])
        return end

    return read


def _boolean(data: bytes, at: int, into: Reading, path: str) -> int:
    byte = data[at : at + 1]
    if byte not in (b"\x00", b"\x01"):
        raise Misread(path, "a boolean, 0 or 1", str(byte[0]) if byte else "the end of the record")
    into.out.append(byte)
    return at + 1


def _enum(size: int) -> Read:
    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        index, at = read_index(data, at, path, size, "symbols")
        into.out.append(avro.long(index))
        return at

    return read


def _union(branches: list[Any], rule: Rule | None) -> Read:
    single = len([branch for branch in branches if branch != "null"]) == 1
    compiled = [(avro.long(at), reader(branch, rule if single else None)) for at, branch in enumerate(branches)]

    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        index, at = read_index(data, at, path, len(compiled), "branches")
        written, branch = compiled[index]
        into.out.append(written)
        return branch(data, at, into, path)

    return read


def _blocks(data: bytes, at: int, path: str) -> tuple[int, int, int | None]:
    """The count of the next block, the position behind it, and where the block says that it ends, if it does."""
    count, at = read_long(data, at, path)
    if count >= 0:
        return count, at, None
    size, at = read_length(data, at, path)
    return -count, at, at + size


def _ended(at: int, end: int | None, path: str) -> None:
    if end is not None and at != end:
        raise Misread(path, f"a block that ends at byte {end}, as it says", f"one that ends at {at}")


def _array(item: Read, weightless: bool) -> Read:
    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        out, place, total = into.out, len(into.out), 0
        out.append(b"")
        while True:
            count, at, end = _blocks(data, at, path)
            if not count:
                break
            most = into.spare if weightless else len(data) - at
            if count > most:
                raise Misread(path, f"at most {most} items, as the record is no longer", str(count))
            if weightless:
                into.spare -= count
            else:
                for number in range(total, total + count):
                    at = item(data, at, into, f"{path}[{number}]")
            total += count
            _ended(at, end, path)
        out[place] = avro.long(total)
        if total:
            out.append(b"\x00")
        return at

    return read


def _map(item: Read) -> Read:
    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        # By key, since of a key that is there twice only the last value is one.
        entries: dict[str, Reading] = {}
        while True:
            count, at, end = _blocks(data, at, path)
            if not count:
                break
            if count > len(data) - at:
                raise Misread(path, f"at most {len(data) - at} items, as the record is no longer", str(count))
            for _ in range(count):
                key, at = read_text(data, at, path)
                entry = Reading(into.spare)
                try:
                    at = item(data, at, entry, f"{path}.{key}")
                except Misread as error:
                    error.outside = path
                    raise
                into.spare = entry.spare
                entries[key] = entry
            _ended(at, end, path)
        into.out.append(avro.long(len(entries)))
        for key, entry in entries.items():
            into.out.append(avro.string(key))
            into.take(entry)
        if entries:
            into.out.append(b"\x00")
        return at

    return read


def _record(fields: list[tuple[str, Read]]) -> Read:
    def read(data: bytes, at: int, into: Reading, path: str) -> int:
        for name, field in fields:
            at = field(data, at, into, f"{path}.{name}")
        return at

    return read
