"""Framed Avro from outside: one event record of a known schema to its parts, as the step judges them and the journal
carries them. The contract is in docs/formats.md, Avro from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from schemas import avro
from schemas.codec import FRAME, LATENESS, ORIGINS
from schemas.envelope import MAX_ID
from schemas.judge import no_key, refuse_origin
from schemas.plan import EventSchema, Field
from schemas.reading import Misread, Read, Reading, field_reader, read_index, read_long, read_text, reader
from schemas.values import TIMES
from schemas.violations import Violation

NOBODY = b"\x00"
"""The encoded union of an id that is not there; also the encoded empty string."""


class Body(msgspec.Struct, frozen=True, gc=False):
    """An event record taken apart. ``event_id`` is an encoded string, ``user_id`` and ``anonymous_id`` are encoded
    unions, ``encoded_time`` is ``time`` again, ``source`` is UTF-8. ``properties`` is what the journal carries.

    ``violation`` is of a type or a rule, ``reserved`` the fields it sets that not every origin may, ``unkeyed`` a part
    of the unique key that is null. ``origin`` and ``received_at`` are what meta says, if anybody is to ask.
    """

    event_id: bytes
    user_id: bytes
    anonymous_id: bytes
    time: int
    encoded_time: bytes
    source: bytes
    properties: bytes
    violation: Violation | None = None
    reserved: tuple[Field, ...] = ()
    unkeyed: str | None = None
    origin: str | None = None
    received_at: int = 0

    def verdict(self, origin: str) -> Violation | None:
        """The first thing the plan has against the properties, from a source of ``origin``."""
        if self.violation is not None:
            return self.violation
        try:
            for field in self.reserved:
                refuse_origin(field, origin)
        except Violation as violation:
            return violation
        return None if self.unkeyed is None else no_key(self.unkeyed)


class _Properties(Reading):
    """A reading of all properties, with what concerns the event as a whole."""

    __slots__ = ("reserved", "unkeyed")

    def __init__(self, spare: int) -> None:
        super().__init__(spare)
        self.reserved: tuple[Field, ...] = ()
        self.unkeyed: set[str] = set()


def body_reader(schema: EventSchema) -> Callable[[bytes], Body]:
    """A function from a framed value to its parts. Raises Misread."""
    fields = zip(schema.fields, schema.definition["fields"][1:], strict=True)
    readers = [_property(field, written, field.name in schema.unique) for field, written in fields]

    def read(value: bytes) -> Body:
        event_id, at = read_id(value, FRAME, "meta.event_id")
        user_id, at = _optional_id(value, at, "meta.user_id")
        anonymous_id, at = _optional_id(value, at, "meta.anonymous_id")
        time, at = read_long(value, at, "meta.time")
        received_at, at = read_long(value, at, "meta.received_at")
        source, at = read_text(value, at, "meta.source")
        origin, at = read_index(value, at, "meta.origin", len(ORIGINS), "symbols")
        _, at = read_index(value, at, "meta.lateness", len(LATENESS), "symbols")
        _, at = read_long(value, at, "meta.content_hash")
        found = _Properties(len(value))
        for name, one in readers:
            at = one(value, at, found, name)
        if at != len(value):
            raise Misread("the record", f"{at} bytes, as its schema says", str(len(value)))
        if time not in TIMES:
            raise Misread("meta.time", "milliseconds of the years 1 to 9999", str(time))
        return Body(
            event_id, user_id, anonymous_id, time, avro.long(time), source.encode(), b"".join(found.out),
            found.violation or found.broken, found.reserved,
            next((name for name in schema.unique if name in found.unkeyed), None), ORIGINS[origin], received_at,
        )  # fmt: skip

    return read


def read_id(value: bytes, at: int, path: str) -> tuple[bytes, int]:
    """An id as an encoded string, and the position behind it."""
    text, at = read_text(value, at, path)
    if len(text) > MAX_ID:
        raise Misread(path, f"at most {MAX_ID} characters", str(len(text)))
    return avro.string(text), at


def _optional_id(value: bytes, at: int, path: str) -> tuple[bytes, int]:
    index, at = read_index(value, at, path, 2, "branches")
    if not index:
        return NOBODY, at
    text, at = read_id(value, at, path)
    return (NOBODY if text == NOBODY else b"\x02" + text), at


def _property(
    field: Field, written: dict[str, Any], unique: bool
) -> tuple[str, Callable[[bytes, int, _Properties, str], int]]:
    read = field_reader(written)
    if unique:
        return field.name, _keyed(read, _null_of(written["type"]))
    if field.origins is not None:
        return field.name, _reserved(field, read, reader(written["type"]), _null_of(written["type"]))
    return field.name, read


def _null_of(schema: Any) -> bytes | None:
    """What null begins with among the encoded values of a type, None if it is not one of them."""
    if isinstance(schema, list):
        return avro.long(schema.index("null")) if "null" in schema else None
    return b"" if schema == "null" else None


def _keyed(read: Read, null: bytes | None) -> Callable[[bytes, int, _Properties, str], int]:
    def read_key(value: bytes, at: int, into: _Properties, path: str) -> int:
        place = len(into.out)
        at = read(value, at, into, path)
        if null is not None and into.out[place : place + 1] in ([null], []):
            into.unkeyed.add(path)
        return at

    return read_key


def _reserved(
    field: Field, read: Read, plain: Read, null: bytes | None
) -> Callable[[bytes, int, _Properties, str], int]:
    def read_reserved(value: bytes, at: int, into: _Properties, path: str) -> int:
        end = read(value, at, into, path)
        # Once more, since of a pii value nothing is left to be seen.
        said = Reading(len(value))
        plain(value, at, said, path)
        piece = b"".join(said.out)
        if said.out[:1] != [null] and piece not in (b"", field.default):
            into.reserved += (field,)
        return end

    return read_reserved
