"""One record while it is folded into the state of its entity: what it is, what it changed, and what it leads to."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from offerflow.rules.asking import Found
from offerflow.rules.events import Event
from offerflow.rules.ids import long_id, short_id
from offerflow.rules.live import LiveRules
from offerflow.rules.outcomes import (
    Decision,
    Evidence,
    OfferEntered,
    Output,
    Refusal,
    RewardFulfilled,
    RewardReversed,
    RewardSatisfied,
    Verdict,
)
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import MAX_EVIDENCE, MAX_REFUSALS, EntityState, EventId, Hit, Instance, OfferState, Refused
from offerflow.rules.views import Leaves, Offers

_KINDS: tuple[type[Output], ...] = (OfferEntered, RewardSatisfied, RewardFulfilled, RewardReversed)


class Record:
    """An event, a request, the firing of a timer or an exit from a withdrawn offer. ``time`` is its first moment;
    ``cause`` makes the ids of instances it enters; ``proof`` is the record itself as evidence. ``touched`` and
    ``replaced`` are those of offerflow.rules.hits."""

    __slots__ = (
        "_outputs", "anonymous_id", "before_offers", "before_traits", "cause", "clock", "entered", "entity",
        "event", "event_id", "kept", "late", "offers", "partition", "proof", "received_at", "refusals", "replaced",
        "rewards", "rules", "state", "time", "timed", "touched", "traits", "turn", "user_id",
    )  # fmt: skip

    def __init__(
        self, rules: LiveRules, entity: str, state: EntityState, time: int, received_at: int, partition: int,
        cause: str, proof: Evidence | None, late: bool, event: Event | None = None,
    ) -> None:  # fmt: skip
        self.rules = rules
        self.entity = entity
        self.state = state
        self.time = time
        self.turn = state.turn
        self.received_at = received_at
        self.partition = partition
        self.cause = cause
        self.proof = proof
        self.event = event
        self.event_id: EventId = cause
        self.kept: Mapping[str, Any] | None = None if event is None else event.properties
        self.late = late
        self.clock = state.clock
        if entity.startswith("u:"):
            self.user_id: str | None = entity[2:]
            self.anonymous_id = None if event is None else event.anonymous_id
        else:
            self.user_id, self.anonymous_id = None, entity[2:]
        self.touched: list[int] = []
        self.replaced: dict[int, list[Hit]] = {}
        self.traits: set[str] = set()
        self.before_traits: Mapping[str, Any] | None = None
        self.offers: list[str] = []
        self.before_offers: dict[str, OfferState | None] = {}
        self.entered: set[str] = set()
        self.timed = False
        self._outputs: list[tuple[int, str, int, Output]] = []
        self.refusals: list[Refusal] = []
        self.rewards: list[tuple[str, str]] = []

    @property
    def horizon(self) -> int:
        return self.clock - self.rules.lateness

    def announce(self, instance: Instance, output: Output) -> None:
        kind = next((n for n, one in enumerate(_KINDS) if isinstance(output, one)), len(_KINDS))
        self._outputs.append((kind, instance.offer, instance.turn, output))

    def refuse(self, offer: str, reason: str, time: int) -> None:
        """Count a refusal, and remember it for explanations."""
        self.refusals.append(Refusal(offer, reason))
        refused = Refused(offer, reason, time, short_id(self.cause))
        self.state.refusals = [*self.state.refusals[-(MAX_REFUSALS - 1) :], refused]

    def offer(self, offer: str) -> OfferState:
        """The entity's state of an offer, about to be changed."""
        known = self.state.offers.get(offer)
        if offer not in self.before_offers:
            self.before_offers[offer] = copy.copy(known)
        if known is None:
            known = self.state.offers[offer] = OfferState()
        return known

    def changed(self, offer: str) -> None:
        """An instance of the offer began or ended: who names it is to be asked."""
        self.offers.append(offer)

    def without(self) -> tuple[Leaves, Mapping[str, Any], Offers]:
        """Hits, traits and offers as if the record had not been folded."""
        leaves: Leaves = self.state.leaves
        if self.touched or self.replaced:
            turn = self.turn
            own = {key: [hit for hit in leaves.get(key, ()) if hit.turn != turn] for key in self.touched}
            leaves = {**leaves, **own, **self.replaced}
        traits = self.state.traits if self.before_traits is None else self.before_traits
        offers: Offers = self.state.offers
        if self.before_offers:
            offers = {**offers, **{name: one or OfferState() for name, one in self.before_offers.items()}}
        return leaves, traits, offers

    def evidence(self, found: Iterable[Found]) -> tuple[list[Evidence], int]:
        """Evidence of these hits and the record itself: newest last, in journal order, at most MAX_EVIDENCE; with the
        number there would be without that bound."""
        pieces = {}
        for hit, name in found:
            time = hit.value[0] if hit.value.__class__ is tuple or hit.value.__class__ is list else hit.time
            pieces[hit.offset, hit.event_id] = Evidence(long_id(hit.event_id), name, time, self.partition, hit.offset)
        if self.proof is not None:
            pieces[self.proof.journal_offset, short_id(self.proof.event_id)] = self.proof
        ordered = sorted(pieces.values(), key=lambda one: one.journal_offset)
        return ordered[-MAX_EVIDENCE:], len(ordered)

    def outputs(self) -> tuple[Output, ...]:
        """What it announces, in order."""
        self._outputs.sort(key=lambda one: one[:3])
        return tuple(one[3] for one in self._outputs)

    def decision(self) -> Decision:
        outputs, refusals, rewards = self.outputs(), tuple(self.refusals), tuple(self.rewards)
        return Decision(Verdict.FOLDED, outputs, refusals, late=self.late, rewards=rewards)


def prepared_of(rules: LiveRules, instance: Instance) -> Prepared:
    """The definition that an instance began with."""
    return rules.versions[instance.version]
