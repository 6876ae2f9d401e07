"""Avro in Confluent wire format: a zero byte, the schema id as 4 bytes big-endian, the body.

An event record is its meta followed by its properties, and Avro concatenates fields: so properties are encoded
apart, hashed, and put behind the meta, and a reader that wants few of them stops after the last one it needs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from io import BytesIO
from typing import Any

import fastavro
import xxhash

from schemas import avro

MAGIC = b"\x00"
FRAME = 5
FIRST_EVENT_ID = 1000
"""Schema ids below are reserved: 1-19 journal, 20-39 outputs and dead letters."""


def frame(schema_id: int) -> bytes:
    """The 5 bytes before a body."""
    return MAGIC + schema_id.to_bytes(4, "big")


def schema_id_of(value: bytes) -> int:
    """The schema id of a framed value. Raises ValueError if it has no frame."""
    if len(value) < FRAME or value[:1] != MAGIC:
        raise ValueError("not in Confluent wire format: expected a zero byte and a 4-byte schema id")
    return int.from_bytes(value[1:FRAME], "big")


def load_schema(folder: str, name: str) -> dict[str, Any]:
    """A shipped schema as written: ``load_schema("outputs", "OfferEntered")``."""
    text = files("schemas").joinpath(folder, f"{name}.avsc").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def plain_times(schema: Any) -> Any:
    """The schema with times as plain longs: decoding them to datetime objects costs more than the rest."""
    if isinstance(schema, list):
        return [plain_times(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("logicalType") == "timestamp-millis":
        return schema["type"]
    return {key: plain_times(value) if key in ("type", "items", "values", "fields") else value
            for key, value in schema.items()}  # fmt: skip


META = load_schema("internal", "Meta")
META_NAME = "events.Meta"


def inlined(definition: Mapping[str, Any]) -> dict[str, Any]:
    """An event schema with events.Meta written out in its first field, as every parser of Avro needs it."""
    fields = definition.get("fields")
    first = fields[0] if isinstance(fields, list) and fields else None
    names = (META_NAME, "Meta") if definition.get("namespace") == "events" else (META_NAME,)
    if not isinstance(first, dict) or first.get("type") not in names:
        return dict(definition)
    return {**definition, "fields": [{**first, "type": copy.deepcopy(META)}, *fields[1:]]}  # type: ignore[index]


class RecordCodec:
    """Encodes and decodes one record type under its reserved id."""

    def __init__(self, schema: dict[str, Any], schema_id: int) -> None:
        self.id = schema_id
        self.name = str(schema["name"])
        self._schema = fastavro.parse_schema(plain_times(schema))
        self._frame = frame(schema_id)

    @classmethod
    def shipped(cls, folder: str, name: str) -> RecordCodec:
        schema = load_schema(folder, name)
        return cls(schema, int(schema["id"]))

    def encode(self, record: dict[str, Any]) -> bytes:
        buffer = BytesIO()
        buffer.write(self._frame)
        fastavro.schemaless_writer(buffer, self._schema, record)
        return buffer.getvalue()

    def decode(self, value: bytes) -> dict[str, Any]:
        """Raises ValueError if the frame names another schema."""
        if schema_id_of(value) != self.id:
            raise ValueError(f"schema id {schema_id_of(value)} is not {self.name} ({self.id})")
        decoded: dict[str, Any] = fastavro.schemaless_reader(BytesIO(value[FRAME:]), self._schema, None)  # type: ignore[assignment]
        return decoded


ORIGINS: tuple[str, ...] = ("sdk", "backend", "integration")
"""Symbols of events.Origin, in the order of their indexes."""


LATENESS: tuple[str, ...] = ("normal", "ignore")
"""Symbols of events.Lateness, in the order of their indexes."""
_ORIGIN = {origin: avro.long(at) for at, origin in enumerate(ORIGINS)}
_LATENESS = {lateness: avro.long(at) for at, lateness in enumerate(LATENESS)}


def sender(source: str, origin: str) -> bytes:
    """The two fields of meta that say who sent an event."""
    return avro.string(source) + _ORIGIN[origin]


class EventEncoder:
    """Frames events of one schema: the fields of events.Meta and the encoded properties to a journal value."""

    def __init__(self, schema_id: int) -> None:
        self._frame = frame(schema_id)
        self._id = schema_id.to_bytes(4, "big")

    def encode(
        self, event_id: str, user_id: str | None, anonymous_id: str | None, time: int, received_at: int, source: str,
        origin: str, properties: bytes, lateness: str = "normal",
    ) -> bytes:  # fmt: skip
        """``content_hash`` is made here: xxh3-64 over schema id and properties."""
        digest = xxhash.xxh3_64_intdigest(self._id + properties)
        return b"".join(
            (
                self._frame,
                avro.string(event_id),
                b"\x02" + avro.string(user_id) if user_id else b"\x00",
                b"\x02" + avro.string(anonymous_id) if anonymous_id else b"\x00",
                avro.long(time),
                avro.long(received_at),
                avro.string(source),
                _ORIGIN[origin],
                _LATENESS[lateness],
                avro.long(digest - (1 << 64) if digest >> 63 else digest),
                properties,
            )
        )

    def join(
        self, event_id: bytes, user_id: bytes, anonymous_id: bytes, time: bytes, received_at: int, sent_by: bytes,
        properties: bytes, lateness: str = "normal",
    ) -> bytes:  # fmt: skip
        """The same from ids and a time that are encoded already, and what ``sender`` made."""
        digest = xxhash.xxh3_64_intdigest(self._id + properties)
        return b"".join(
            (
                self._frame,
                event_id,
                user_id,
                anonymous_id,
                time,
                avro.long(received_at),
                sent_by,
                _LATENESS[lateness],
                avro.long(digest - (1 << 64) if digest >> 63 else digest),
                properties,
            )
        )


def event_reader(schema: dict[str, Any], wanted: Collection[str] | None) -> Callable[[bytes], dict[str, Any]]:
    """A function from a framed journal value to its fields up to the last of ``wanted`` (None: all of them)."""
    fields = schema["fields"]
    if wanted is not None:
        needed = [at for at, field in enumerate(fields) if field["name"] in wanted or field["name"] == "meta"]
        fields = fields[: needed[-1] + 1]
    parsed = fastavro.parse_schema(plain_times(inlined({**schema, "fields": fields})))

    def read(value: bytes) -> dict[str, Any]:
        buffer = BytesIO(value)
        buffer.seek(FRAME)
        return fastavro.schemaless_reader(buffer, parsed, None)  # type: ignore[return-value]

    return read
