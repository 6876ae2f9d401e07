"""How many bytes of state a user costs, by condition and by offer: an estimate that ``apply`` prints.

What one hit, instance or watch takes is measured by packing samples of it. *Typical* is a user who has just enough to
make everything true once; *most* is the bound for events as they are usual: every leaf full, every entry taken. It is
the sum of what each offer could have, though the instances of all offers share their bounds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from offerflow.rules.compiling.truth import leaves, parts
from offerflow.rules.conditions import Absent, Leaf, Node, Profile
from offerflow.rules.offers import Offer
from offerflow.rules.state import (
    MAX_CLOSED,
    MAX_EVIDENCE,
    MAX_HELD,
    MAX_IDS,
    MAX_KEYS,
    MAX_TRAIT,
    MAX_WATCHES,
    EntityState,
    Hit,
    Instance,
    OfferState,
    Proof,
    RewardState,
    RewardStatus,
    RichHit,
    Watch,
    pack,
)

_NOW = 1_790_000_000_000
_ID = b"0123456789abcdef"
_LONG_TEXT = 71
"""Bytes of the longest key that is kept, a digest."""
_SAMPLES = 50
_AMOUNTS = 10
"""Hits of a leaf on amounts of which nobody can say how many it takes."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes per user."""

    typical: int = 0
    most: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.typical + other.typical, self.most + other.most)

    def as_json(self) -> dict[str, int]:
        return {"typical": self.typical, "most": self.most}

    def __str__(self) -> str:
        return f"about {_bytes(self.typical)}, at most {_bytes(self.most)}"


def size_of(nodes: Iterable[Node | None]) -> Size:
    """What hits, watches and traits of conditions take; leaves that say the same count once."""
    total = Size()
    seen: set[int] = set()
    traits: set[str] = set()
    for node in nodes:
        for leaf in leaves(node):
            if leaf.key not in seen:
                seen.add(leaf.key)
                each, key = _hit(_is_rich(leaf)), 12
                total += Size(key + each * _needed(leaf), key + each * leaf.max_hits)
        for one in parts(node):
            if isinstance(one, Absent) and one.key not in seen:
                seen.add(one.key)
                total += Size(_watch() + _hit(True), MAX_WATCHES * _watch() + one.event.max_hits * _hit(True))
            elif isinstance(one, Profile):
                traits |= one.reads
    return total + Size(len(traits) * 48, len(traits) * (MAX_TRAIT + 48))


def size_of_offer(offer: Offer) -> Size:
    """An offer's conditions, its instances and what became of their rewards."""
    arms = [variant.completion for variant in offer.variants]
    slots = [offer.entry.condition, offer.audience, offer.exit, offer.completion, *arms]
    conditions = size_of([one for one in slots if one != "immediate"])
    rewarded = any(one.reward for one in offer.variants)
    held, usual, over = _instance(offer, rewarded, MAX_EVIDENCE), _instance(offer, rewarded, 1), MAX_CLOSED
    runs = 1 if offer.reentry == "never" else offer.per_user or MAX_HELD + over
    # As many as may wait for their rewards with all evidence, then as many that are over, and the last one.
    most = min(runs, MAX_HELD) * held + min(max(runs - MAX_HELD, 0), over + 1) * _instance(offer, rewarded, 0)
    keys = (MAX_KEYS + 1) * (_LONG_TEXT + 12) if offer.key is not None else 0
    state = _offer_state(offer)
    return conditions + Size(state + usual, state + keys + most)


def size_of_all(offers: Iterable[Offer]) -> Size:
    """A user who is in every offer; what several offers share counts once, and what is remembered of events too."""
    total, nodes = Size(_empty() + 20 * 14, _empty() + MAX_IDS * 14), []
    for offer in offers:
        slots = [offer.entry.condition, offer.audience, offer.exit, *(one.completion for one in offer.variants)]
        nodes += [one for one in slots if one is not None and one != "immediate"]
        bare = [replace(one, completion=None) for one in offer.variants]
        total += size_of_offer(
            replace(offer, entry=replace(offer.entry, condition=None), audience=None, exit=None, completion=None,
                    variants=tuple(bare))
        )  # fmt: skip
    return total + size_of(nodes)


def _needed(leaf: Leaf) -> int:
    """Hits that it takes to make the leaf true."""
    bounds = leaf.measure.bounds
    if leaf.measure.kind in ("sum", "min", "max", "average"):
        return _AMOUNTS
    if leaf.measure.kind == "gap":
        return 1
    above = bounds.more_than + 1 if bounds.more_than is not None else 1
    return int(max(1, bounds.at_least or 1, above, bounds.exactly or 1))


def _is_rich(leaf: Leaf) -> bool:
    return leaf.value is not None or leaf.reversible or leaf.measure.kind in ("days", "streak", "gap")


@functools.cache
def _empty() -> int:
    return len(pack(EntityState(clock=_NOW, turn=1000, generation=10, timer=_NOW)))


@functools.cache
def _hit(rich: bool) -> int:
    """One hit and the reference to it."""
    hits: list[Hit] = [
        RichHit(_NOW + n, 1000 + n, 10**7, _ID, 59.9, None, {"order_id": "o-12345"}) if rich
        else Hit(_NOW + n, 1000 + n, 10**7, _ID)
        for n in range(_SAMPLES)
    ]  # fmt: skip
    return _each(EntityState(clock=_NOW, turn=1000, generation=10, timer=_NOW, leaves={1 << 63: hits}), _SAMPLES)


@functools.cache
def _watch() -> int:
    watches = [Watch(1 << 63, _NOW, _NOW, _NOW, 1000, 10**7, _ID, _NOW, "cart-12345")] * _SAMPLES
    return _each(EntityState(clock=_NOW, turn=1000, generation=10, timer=_NOW, watches=watches), _SAMPLES)


def _instance(offer: Offer, rewarded: bool, proofs: int) -> int:
    evidence = [Proof(_ID, "Purchase Completed", _NOW, 10**7)] * proofs
    reward = RewardState(
        "0" * 32, RewardStatus.PENDING, Decimal("10.00"), "EUR", _NOW, _NOW, False, _NOW, _NOW, None, evidence, proofs
    )
    one = Instance(
        _ID, offer.id, offer.version, offer.variants[0].id, _NOW, 1000, _NOW, expires_at=_NOW, fire_at=_NOW,
        key=None if offer.key is None else "k" * _LONG_TEXT, reward=reward if rewarded else None,
    )  # fmt: skip
    return _each(EntityState(clock=_NOW, turn=1000, generation=10, timer=_NOW, instances=[one]), 1)


def _offer_state(offer: Offer) -> int:
    made = {offer.id: OfferState(1, 1, False, 1000, _NOW)}
    return _each(EntityState(clock=_NOW, turn=1000, generation=10, timer=_NOW, offers=made), 1)


def _each(state: EntityState, number: int) -> int:
    return -(-(len(pack(state)) - _empty()) // number)


def _bytes(number: int) -> str:
    return (
        f"{number} B" if number < 1000 else f"{number / 1000:.3g} KB" if number < 10**6 else f"{number / 10**6:.3g} MB"
    )
