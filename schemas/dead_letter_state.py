"""The topic ``dead-letter-state``: what became of each dead letter, by its coordinates. Absent means nothing yet.

Written in the same transaction as what it tells of, so that a replay repeated at any time skips what is done.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output

Coordinates = tuple[int, int]
"""Partition and offset of a dead letter in its topic."""


class Handled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``id`` is the dead letter's; ``topic``, ``partition`` and ``offset`` are those of the record that was sent again,
    None if it was only set aside. ``at`` is milliseconds since 1970, ``by`` a user at a host."""

    status: Literal["replayed", "purged"]
    at: int
    by: str
    id: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    patched: bool = False


_decoder = msgspec.json.Decoder(Handled)


def show(at: Coordinates) -> str:
    """``3/120``, as it is written everywhere."""
    return f"{at[0]}/{at[1]}"


def write_state(topic: str, at: Coordinates, handled: Handled | None) -> Output:
    """The record for the ``topic`` dead-letter-state; None takes back what was said."""
    return Output(topic, show(at).encode(), None if handled is None else msgspec.json.encode(handled))


def read_state(record: Record) -> tuple[Coordinates, Handled | None] | None:
    """What one record of the topic says; None for one that nobody of us wrote."""
    partition, _, offset = (record.key() or b"").partition(b"/")
    if not (partition.isdigit() and offset.isdigit()):
        return None
    value = record.value()
    try:
        return (int(partition), int(offset)), None if value is None else _decoder.decode(value)
    except msgspec.ValidationError:
        return None
