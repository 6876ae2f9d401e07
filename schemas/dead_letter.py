"""Dead letters: what could not be used, byte for byte, with the reason. Bad data is this value, never an exception."""

from __future__ import annotations

from typing import Any

import msgspec

from offerflow import __version__
from offerflow.rules.ids import make_id
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output
from schemas.codec import RecordCodec

_SHOWN = {"detail": 2000}
_codec = RecordCodec.shipped("outputs", "DeadLetter")


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


def write_dead_letter(topic: str, record: Record, letter: DeadLetter, component: str, failed_at: int) -> Output:
    """The record for the dead-letter ``topic``: key as the original, Kafka Connect's error headers beside it.

    ``component`` names the stage that judged; ``failed_at`` is milliseconds since 1970.
    """
    key, value = record.key(), record.value()
    fields: dict[str, Any] = {
        "id": make_id("DeadLetter", record.topic(), str(record.partition()), str(record.offset())),
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": record.timestamp()[1],
        "key": key,
        "value": value,
        "headers": [{"key": name, "value": _bytes(header)} for name, header in record.headers() or ()],
        **{name: _short(value, _SHOWN.get(name, 512)) for name, value in msgspec.structs.asdict(letter).items()},
        "attempts": 1,
        "component": component,
        "version": __version__,
        "failed_at": failed_at,
    }
    headers: list[tuple[str, str | bytes | None]] = [
        ("__connect.errors.topic", record.topic()),
        ("__connect.errors.partition", str(record.partition())),
        ("__connect.errors.offset", str(record.offset())),
        ("__connect.errors.stage", component),
        ("__connect.errors.class.name", letter.reason),
        ("__connect.errors.exception.message", fields["detail"].encode("utf-8", "replace")),
    ]
    return Output(topic, key, _codec.encode(fields), headers)


def _short(value: Any, characters: int) -> Any:
    """What a sender chose may be a megabyte long, in several places; a dead letter must fit its topic all the same."""
    return value[:characters] + "…" if isinstance(value, str) and len(value) > characters else value


def _bytes(header: str | bytes | None) -> bytes | None:
    return header.encode() if isinstance(header, str) else header
