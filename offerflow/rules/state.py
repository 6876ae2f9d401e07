"""What is kept per entity and per journal partition: the fold of the journal so far.

Both travel as msgpack arrays, so fields are only ever added at the end. Everything is bounded: hits by the count a
leaf asks for, remembered events by MAX_IDS and MAX_FACTS.
"""

from __future__ import annotations

import msgspec

MAX_IDS = 256
MAX_FACTS = 1000
MAX_EVIDENCE = 100


class Hit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event that counted: its id, time (ms) and journal offset."""

    event_id: str
    time: int
    offset: int


class LeafState(msgspec.Struct, array_like=True):
    """Hits of one leaf in journal order; no more than the leaf asks for, since further ones change nothing.

    ``generation`` is the ruleset activation since which the leaf counts; one that is older is not its own.
    """

    generation: int
    hits: list[Hit] = []


class Instance(msgspec.Struct, array_like=True):
    """One run of an entity through an offer, under the definition it began with. Closed instances keep no leaves."""

    id: str
    version: str
    variant: str
    entered_at: int
    open: bool = True
    leaves: dict[int, LeafState] = {}


class EntityState(msgspec.Struct, array_like=True):
    """``ids`` and ``facts``: what offerflow.rules.memory packs, 14 and 12 bytes each."""

    ids: bytes = b""
    facts: bytes = b""
    leaves: dict[int, LeafState] = {}
    instances: dict[str, Instance] = {}


class PartitionState(msgspec.Struct, array_like=True):
    """What the ruleset activations of a partition left behind.

    ``leaves``: leaf key to the generation since which it has been counted without a break. ``versions``: version of
    every offer that was ever live here to the ruleset that defines it, since open instances end under theirs.
    """

    ruleset: str = ""
    generation: int = 0
    leaves: dict[int, int] = {}
    versions: dict[str, str] = {}


_encoder = msgspec.msgpack.Encoder()
_entity = msgspec.msgpack.Decoder(EntityState)
_partition = msgspec.msgpack.Decoder(PartitionState)


def unpack_entity(packed: bytes | None) -> EntityState:
    """The state of an entity; a new one for None."""
    return EntityState() if packed is None else _entity.decode(packed)


def unpack_partition(packed: bytes | None) -> PartitionState:
    return PartitionState() if packed is None else _partition.decode(packed)


def pack(state: EntityState | PartitionState) -> bytes:
    """Bytes that depend on the state alone: the same fold gives the same bytes."""
    return _encoder.encode(state)
