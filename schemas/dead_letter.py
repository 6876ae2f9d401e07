"""Dead letters: what could not be used, byte for byte, with the reason. Bad data is this value, never an exception.

A flood of bad input is judged no slower than good input, so the record is put together by hand, as event records are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from offerflow import __version__
from offerflow.rules.ids import IdsUnder
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output
from schemas.avro import long, string
from schemas.codec import RecordCodec, frame, load_schema
from schemas.replay import ATTEMPTS, DEAD_LETTER, TOPICS

Header = tuple[str, bytes | None]

_SHOWN = 512
_SHOWN_DETAIL = 2000
_schema = load_schema("outputs", "DeadLetter")
_codec = RecordCodec.shipped("outputs", "DeadLetter")
_ID = frame(_codec.id) + b"\x40"
_NONE = b"\x00"
"""Null, of a union that has it first; also an array without items."""
REASONS: tuple[str, ...] = tuple(
    next(field["type"]["symbols"] for field in _schema["fields"] if field["name"] == "reason")
)
"""Every reason, in the order they are judged."""
AFTER_ORIGIN = frozenset(REASONS[REASONS.index("origin_forbidden") + 1 :])
"""Those that are judged after whether the sender may send the event at all."""
_REASON = {reason: long(index) for index, reason in enumerate(REASONS)}
_VERSION = string(__version__)


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """Why a record is dead. ``reason`` is a symbol of the Reason enum in schemas/outputs/DeadLetter.avsc;
    ``field``, ``expected`` and ``got`` are set where one property is to blame. No text here shows a pii value."""

    reason: str
    detail: str
    field: str | None = None
    expected: str | None = None
    got: str | None = None
    event: str | None = None
    source: str | None = None
    schema_id: int | None = None


class StoredLetter(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A dead letter as it lies in the topic: at ``at`` (partition and offset there) since ``appended_ms``. The other
    fields are those of schemas/outputs/DeadLetter.avsc."""

    at: tuple[int, int]
    appended_ms: int
    id: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    reason: str
    detail: str
    field: str | None
    expected: str | None
    got: str | None
    event: str | None
    source: str | None
    schema_id: int | None
    attempts: int
    component: str
    version: str
    failed_at: int


def read_dead_letter(record: Record) -> StoredLetter:
    """The dead letter in a record of the dead-letter topic. Raises ValueError if it holds something else."""
    value = record.value()
    if value is None:
        raise ValueError(f"{record.topic()} {record.partition()}/{record.offset()} is empty, expected a DeadLetter")
    try:
        fields: dict[str, Any] = _codec.decode(value)
    except Exception as error:  # whatever a decoder makes of foreign bytes
        raise ValueError(f"{record.topic()} {record.partition()}/{record.offset()} is no DeadLetter: {error}") from None
    fields["headers"] = [(header["key"], header["value"]) for header in fields["headers"]]
    return StoredLetter(at=(record.partition(), record.offset()), appended_ms=record.timestamp()[1], **fields)


def write_dead_letter(topic: str, record: Record, letter: DeadLetter, component: str, failed_at: int) -> Output:
    """The record for the dead-letter ``topic``: key as the original, Kafka Connect's error headers beside it.

    ``component`` names the stage that judged; ``failed_at`` is milliseconds since 1970. A record that was replayed
    says so in its headers: how often it was tried, and which dead letter it comes from.
    """
    place = _place(topic, record.topic(), record.partition(), component)
    key, value, its_headers, offset = record.key(), record.value(), record.headers(), record.offset()
    attempts, back = _came_from(its_headers) if its_headers and place.trusted else (1, None)
    detail, digits = _text(letter.detail, _SHOWN_DETAIL), str(offset)
    field, expected, got, event, source = letter.field, letter.expected, letter.got, letter.event, letter.source
    encoded = b"".join((
        _ID, place.ids(digits).encode(), place.encoded, long(offset), long(record.timestamp()[1]),
        _bytes(key), _bytes(value), _headers(its_headers) if its_headers else _NONE,
        _REASON[letter.reason],
        long(len(detail)), detail,
        _NONE if field is None else _some(field), _NONE if expected is None else _some(expected),
        _NONE if got is None else _some(got), _NONE if event is None else _some(event),
        _NONE if source is None else _some(source),
        _NONE if letter.schema_id is None else b"\x02" + long(letter.schema_id),
        _judged(attempts, component, failed_at),
    ))  # fmt: skip
    headers: list[tuple[str, str | bytes | None]] = [
        *place.headers,
        ("__connect.errors.offset", digits),
        ("__connect.errors.class.name", letter.reason),
        ("__connect.errors.exception.message", detail),
    ]
    if back is not None:
        headers.append((DEAD_LETTER, back))
    return Output(topic, key, encoded, headers)


def unstamped(value: bytes) -> tuple[str, bytes]:
    """The id of an encoded dead letter, and its bytes without those that differ each time it is judged: the version
    that judged, and when. Raises ValueError if it is none, or not encoded as ``write_dead_letter`` does."""
    try:
        fields = _codec.decode(value)
        stamp = string(fields["version"]) + long(fields["failed_at"])
    except Exception as error:  # whatever a decoder makes of foreign bytes
        raise ValueError(f"no DeadLetter: {error}") from None
    if not value.endswith(stamp):
        raise ValueError("bytes behind the last field")
    return fields["id"], value[: -len(stamp)]


class _Place(msgspec.Struct, frozen=True, gc=False):
    """What all dead letters of one partition share."""

    ids: IdsUnder
    encoded: bytes
    headers: tuple[tuple[str, str], ...]
    trusted: bool


@lru_cache(maxsize=4096)
def _place(dead_letters: str, origin: str, partition: int, component: str) -> _Place:
    """``trusted``: ``origin`` is a topic that only our own tools write to."""
    prefix = dead_letters.removesuffix("dead-letter")
    return _Place(
        IdsUnder("DeadLetter", origin, str(partition)),
        string(origin) + long(partition),
        (
            ("__connect.errors.topic", origin),
            ("__connect.errors.partition", str(partition)),
            ("__connect.errors.stage", component),
        ),
        origin in {prefix + name for name in TOPICS},
    )


@lru_cache(maxsize=64)
def _judged(attempts: int, component: str, failed_at: int) -> bytes:
    """The last fields, which a batch of dead letters shares."""
    return long(attempts) + string(component) + _VERSION + long(failed_at)


def _came_from(headers: list[Header]) -> tuple[int, bytes | None]:
    """The number of this attempt, and the coordinates of the dead letter that was replayed."""
    before, back = b"", None
    for name, value in headers:
        if name == ATTEMPTS:
            before = value or b""
        elif name == DEAD_LETTER:
            back = value
    # Bounded, since the field is an int and anybody with access might write there.
    return (min(int(before), 1_000_000) + 1 if before.isdigit() and len(before) < 20 else 1), back


def _text(text: str, characters: int) -> bytes:
    """What a sender chose may be a megabyte long, in several places; a dead letter must fit its topic all the same."""
    if len(text) > characters:
        text = text[:characters] + "…"
    return text.encode("utf-8", "replace")


def _some(text: str) -> bytes:
    data = _text(text, _SHOWN)
    return b"\x02" + long(len(data)) + data


def _bytes(data: bytes | None) -> bytes:
    return b"\x00" if data is None else b"\x02" + long(len(data)) + data


def _headers(headers: list[Header]) -> bytes:
    """An Avro array of Header in one block."""
    parts = [long(len(headers))]
    for name, value in headers:
        data = name.encode("utf-8", "replace")
        # The client hands out bytes; what reads records from elsewhere may not.
        parts += (long(len(data)), data, _bytes(value.encode() if isinstance(value, str) else value))
    parts.append(b"\x00")
    return b"".join(parts)
