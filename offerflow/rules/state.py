"""What is kept per entity and per journal partition: the fold of the journal so far.

Both travel as msgpack arrays, so fields are only ever added at the end. Everything is bounded: hits by the
``max_hits`` of their leaf, remembered events by MAX_IDS and MAX_FACTS, instances by MAX_HELD and MAX_CLOSED, the rest
by the other numbers here or by the leaves and offers there are; texts by ``short_text`` and MAX_TRAIT. Times are
milliseconds. A *turn* counts the records of an entity that were folded, firings of its timers among them, so that
order within an entity needs no journal offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

LAYOUT = 3
"""Of everything packed here; another number for whatever cannot be unpacked as the one before."""

MAX_IDS = 256
MAX_FACTS = 1000
MAX_REVERSALS = 1000
MAX_EVIDENCE = 100
MAX_WATCHES = 100
MAX_KEYS = 1000
MAX_HELD = 1000
"""Instances of an entity that are open or whose reward is pending, over all offers: further entries are refused."""
MAX_CLOSED = 1000
"""Of the others, those that are kept besides the last of every offer."""
MAX_TRAIT = 1024
"""Characters of a trait."""
MAX_REFUSALS = 10
NEVER = -(1 << 62)
"""Before all time: the clock of an entity without events."""

if TYPE_CHECKING:
    EventId = bytes | str
    """16 bytes for a UUID, the text for any other id: see offerflow.rules.ids.short_id."""
else:
    EventId = Any  # msgspec tells apart neither bytes and text in a union, nor needs to


class Hit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event that counted: nothing but itself. Leaves that count it share it."""

    time: int
    turn: int
    offset: int
    event_id: EventId
    value: ClassVar[Any] = None
    event: ClassVar[str | None] = None
    kept: ClassVar[dict[str, Any] | None] = None


class RichHit(Hit, array_like=True, frozen=True, gc=False):
    """One that tells more. ``value`` is what the leaf measures or correlates by: of days and streaks the day's number,
    of an absence (time, turn) of the event whose silence it is. ``event``: display name, where the leaf does not tell.
    ``kept``: properties that refunds, keys or values of rewards need."""

    value: Any = None  # type: ignore[misc]
    event: str | None = None  # type: ignore[misc]
    kept: dict[str, Any] | None = None  # type: ignore[misc]


class Watch(msgspec.Struct, array_like=True, gc=False):
    """An absence that is waited for: leaf ``key`` (0: no longer in force), and the event it began with."""

    key: int
    due: int
    fire_at: int
    time: int
    turn: int
    offset: int
    event_id: EventId
    received_at: int
    value: Any = None
    event: str | None = None
    kept: dict[str, Any] | None = None


class RewardStatus(IntEnum):
    """``VOID``: refunded while it was pending, so never announced."""

    PENDING = 0
    SATISFIED = 1
    FULFILLED = 2
    REVERSED = 3
    EXPIRED = 4
    VOID = 5


class Proof(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One piece of evidence of a reward that is still to be announced."""

    event_id: EventId
    event: str
    time: int
    offset: int


class RewardState(msgspec.Struct, array_like=True):
    """What became of the reward ``id`` of an instance. ``earned_at``: the moment of completion; ``fire_at``: T from
    which the pending time, then the reward, is over, None if time changes nothing; ``due`` likewise. ``proofs`` only
    while it is pending."""

    id: str
    status: RewardStatus
    value: Decimal | None
    currency: str | None
    earned_at: int
    received_at: int
    late: bool = False
    due: int | None = None
    fire_at: int | None = None
    satisfied_at: int | None = None
    proofs: list[Proof] = []
    evidence_count: int = 0

    @property
    def alive(self) -> bool:
        """Whether it was not taken back."""
        return self.status <= RewardStatus.FULFILLED


class Status(IntEnum):
    OPEN = 0
    COMPLETED = 1
    EXPIRED = 2
    EXITED = 3
    WITHDRAWN = 4


class Instance(msgspec.Struct, array_like=True):
    """One run of an entity through an offer, under the definition ``version`` it began with. ``turn``: of the record
    that entered it; ``floor``: hits folded up to then count from this time on, None if all are later; ``used``: hits
    folded up to this turn were used up before; ``completed_at``: also where it expired first; ``truths``: what was true
    besides hits when it completed, see offerflow.rules.asking."""

    id: bytes
    offer: str
    version: str
    variant: str
    entered_at: int
    turn: int
    floor: int | None
    status: Status = Status.OPEN
    expires_at: int | None = None
    fire_at: int | None = None
    key: str | None = None
    by_request: bool = False
    used: int = 0
    ended_at: int | None = None
    completed_at: int | None = None
    reward: RewardState | None = None
    truths: int = 0

    @property
    def held(self) -> bool:
        """Whether it is open or its reward pending: nothing may be forgotten of it."""
        reward = self.reward
        return self.status == 0 or (reward is not None and reward.status == 0)


class OfferState(msgspec.Struct, array_like=True):
    """An entity and an offer, over all instances. ``used``: what was folded up to this turn counts for the entry no
    more; ``keys``: the same per key, negative where the key has entered; ``gone``: the offer is not live now, so nobody
    is in it as far as others ask."""

    entries: int = 0
    open: int = 0
    completed: bool = False
    used: int = 0
    ended_at: int | None = None
    keys: dict[str, int] = {}
    gone: bool = False


class Refused(msgspec.Struct, array_like=True, frozen=True, gc=False):
    offer: str
    reason: str
    time: int
    event_id: EventId


class EntityState(msgspec.Struct):
    """``ids``, ``facts`` and ``reversals``: what offerflow.rules.memory packs. ``leaves``: hits by leaf key, in order
    of (time, turn). ``instances``: those that are open or may complete late; ``closed``: the last of every offer, and
    those with a reward that is not over. ``gaps``: largest time by leaf key. ``traits`` and when each was set: (time,
    turn). ``generation``: the activation it was last looked at under. ``timer``: smallest ``fire_at`` of all its
    timers.

    A state is also the view of all its hits at the present, see offerflow.rules.views.
    """

    clock: int = NEVER
    turn: int = 0
    generation: int = 0
    timer: int | None = None
    ids: bytes = b""
    facts: bytes = b""
    reversals: bytes = b""
    offers: dict[str, OfferState] = {}
    instances: list[Instance] = []
    closed: list[Instance] = []
    watches: list[Watch] = []
    gaps: dict[int, int] = {}
    traits: dict[str, Any] = {}
    traits_set: dict[str, tuple[int, int]] = {}
    refusals: list[Refused] = []
    leaves: dict[int, list[Hit]] = {}
    plain: ClassVar[bool] = True
    horizon: ClassVar[int] = NEVER
    truths: ClassVar[None] = None

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        return self.leaves.get(key, ())

    def absences(self, key: int, since_entry: bool) -> Sequence[Hit]:
        return self.leaves.get(key, ())

    def inside(self, offer: str) -> bool:
        state = self.offers.get(offer)
        return state is not None and state.open > 0 and not state.gone

    def completed(self, offer: str) -> bool:
        state = self.offers.get(offer)
        return state is not None and state.completed and not state.gone

    def runs(self) -> list[Instance]:
        """All instances, in order of entry."""
        return sorted([*self.closed, *self.instances], key=_TURN)


class PartitionState(msgspec.Struct, array_like=True):
    """What the ruleset activations of a partition left behind.

    ``leaves``: leaf key to the generation since which it has been counted without a break. ``versions``: version of
    every offer that was ever live here to the ruleset that defines it, since open instances end under theirs.
    ``lasting``: keys of leaves that stay in force because a version needs them. ``traits``: as ``leaves``. ``time``:
    stream time T. ``sweep``: the entity up to which instances of withdrawn offers were looked for, None if no sweep is
    under way.
    """

    ruleset: str = ""
    generation: int = 0
    leaves: dict[int, int] = {}
    versions: dict[str, str] = {}
    lasting: list[int] = []
    traits: dict[str, int] = {}
    lasting_traits: list[str] = []
    time: int = 0
    sweep: str | None = None


class _Packed(msgspec.Struct, array_like=True):
    """An entity's state as it travels: its fields but ``leaves``, then every plain hit once in order of its turn, and
    of the leaves their keys, the numbers of their hits, and those one leaf after the other: turns of plain hits, and
    rich hits as they are."""

    clock: int
    turn: int
    generation: int
    timer: int | None
    ids: bytes
    facts: bytes
    reversals: bytes
    offers: dict[str, OfferState]
    instances: list[Instance]
    closed: list[Instance]
    watches: list[Watch]
    gaps: dict[int, int]
    traits: dict[str, Any]
    traits_set: dict[str, tuple[int, int]]
    refusals: list[Refused]
    hits: list[Hit]
    keys: list[int]
    counts: list[int]
    references: list[int | RichHit]


_encoder = msgspec.msgpack.Encoder()
_entity = msgspec.msgpack.Decoder(_Packed)
_partition = msgspec.msgpack.Decoder(PartitionState)
_TURN = attrgetter("turn")


def unpack_entity(packed: bytes | None) -> EntityState:
    """The state of an entity; a new one for None."""
    if packed is None:
        return EntityState()
    found = _entity.decode(packed)
    return EntityState(
        found.clock, found.turn, found.generation, found.timer, found.ids, found.facts, found.reversals, found.offers,
        found.instances, found.closed, found.watches, found.gaps, found.traits, found.traits_set, found.refusals,
        _unfold(found),
    )  # fmt: skip


def unpack_partition(packed: bytes | None) -> PartitionState:
    return PartitionState() if packed is None else _partition.decode(packed)


def pack(state: EntityState | PartitionState) -> bytes:
    """Bytes that depend on the state alone: the same fold gives the same bytes."""
    if isinstance(state, PartitionState):
        return _encoder.encode(state)
    leaves = state.leaves
    flat = list(chain.from_iterable(leaves.values()))
    # Most states have plain hits alone: then no step of Python is taken per hit.
    if {*map(type, flat)} <= {Hit}:
        turns = list(map(_TURN, flat))
        plain: dict[int, Hit] = dict(zip(turns, flat, strict=True))
        references: list[int | RichHit] = turns
    else:
        plain = {hit.turn: hit for hit in flat if not isinstance(hit, RichHit)}
        references = [hit if isinstance(hit, RichHit) else hit.turn for hit in flat]
    return _encoder.encode(
        _Packed(
            state.clock, state.turn, state.generation, state.timer, state.ids, state.facts, state.reversals,
            state.offers, state.instances, state.closed, state.watches, state.gaps, state.traits, state.traits_set,
            state.refusals, [plain[turn] for turn in sorted(plain)], list(leaves),
            list(map(len, leaves.values())), references,
        )
    )  # fmt: skip


def _unfold(packed: _Packed) -> dict[int, list[Hit]]:
    plain = dict(zip(map(_TURN, packed.hits), packed.hits, strict=True))
    references = packed.references
    try:
        flat: list[Hit] = list(map(plain.__getitem__, references))
    except (KeyError, TypeError):
        flat = [one if isinstance(one, RichHit) else plain[one] for one in references]
    leaves, start = {}, 0
    for key, count in zip(packed.keys, packed.counts, strict=True):
        leaves[key] = flat[start : start + count]
        start += count
    return leaves


def has_open(state: EntityState) -> bool:
    """Whether the entity is in any offer now."""
    # Asked of every entity of every batch: twice as fast as any().
    for offer in state.offers.values():  # noqa: SIM110
        if offer.open:
            return True
    return False
