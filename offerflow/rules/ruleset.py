"""A ruleset ready to run: offers with their conditions made ready to be asked, named by the hash of their content.

It is immutable, and nothing here runs per event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from offerflow.rules.asking import Condition
from offerflow.rules.conditions import Node
from offerflow.rules.durations import DAY, MINUTE
from offerflow.rules.events import EventType
from offerflow.rules.offers import HOLDOUT, Offer, Variant

ENGINE = 1
"""The meaning of rules in this code. Every change of meaning gets a new number and starts with an activation."""

Slot = Literal["entry", "audience", "completion", "exit"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all rules, in milliseconds."""

    allowed_lateness: int = 7 * DAY
    grace: int = 10 * MINUTE


class Prepared:
    """An offer with its conditions ready to be asked. ``order`` sorts offers as they are entered on one record."""

    __slots__ = ("_completions", "_variants", "audience", "entry", "exit", "fresh", "offer", "order", "prices")

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.order = (offer.rank, -offer.priority, offer.id)
        made = {id(node): Condition(node) for node in _nodes(offer)}
        self.entry = made.get(id(offer.entry.condition))
        self.audience = made.get(id(offer.audience))
        self.exit = made.get(id(offer.exit))
        self._variants = {one.id: one for one in (*offer.variants, offer.variant(HOLDOUT))}
        self._completions: dict[str, Condition | Literal["immediate"] | None] = {
            one.id: "immediate" if one.completion == "immediate" else made.get(id(one.completion))
            for one in self._variants.values()
        }
        self.fresh = offer.reentry == "never"
        """Whether entries always look at all hits, since none are used up."""
        self.prices = {
            one.id: one.reward.value.reads
            for one in offer.variants
            if one.reward is not None and one.reward.value is not None and one.reward.value.compute is not None
        }
        """By variant: the properties from which the value of its reward is computed."""

    def variant(self, variant_id: str) -> Variant:
        return self._variants[variant_id]

    def completion(self, variant_id: str) -> Condition | Literal["immediate"] | None:
        return self._completions[variant_id]

    def conditions(self) -> Iterator[tuple[Slot, Condition]]:
        """Everything that is asked, with the slot it stands in."""
        if self.entry is not None:
            yield "entry", self.entry
        if self.audience is not None:
            yield "audience", self.audience
        seen = set()
        for one in self._completions.values():
            if isinstance(one, Condition) and id(one) not in seen:
                seen.add(id(one))
                yield "completion", one
        if self.exit is not None:
            yield "exit", self.exit

    def lasting(self) -> Iterator[Condition]:
        """What an instance may be asked as long as there is one: where it completes at once, the entry."""
        immediate = "immediate" in self._completions.values()
        for slot, condition in self.conditions():
            if slot in ("completion", "exit") or (slot == "entry" and immediate):
                yield condition


def _nodes(offer: Offer) -> Iterator[Node]:
    found = [offer.entry.condition, offer.audience, offer.exit, offer.completion]
    for one in (*found, *(variant.completion for variant in offer.variants)):
        if one is not None and one != "immediate":
            yield one


@dataclass(frozen=True, slots=True)
class Ruleset:
    """``offers`` by id, drafts left out; ``by_version`` the same by version, ready to run; ``codes``: offer by code in
    upper case; ``event_types``: the plan it was checked against, by record name."""

    hash: str
    offers: Mapping[str, Offer] = field(default_factory=dict)
    settings: Settings = Settings()
    event_types: Mapping[str, EventType] = field(default_factory=dict)
    by_version: Mapping[str, Prepared] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, offers: Iterable[Offer], settings: Settings, event_types: Iterable[EventType]
    ) -> Ruleset:  # fmt: skip
        """The ruleset ``name`` of these offers, none of which is a draft."""
        by_id = {offer.id: offer for offer in sorted(offers, key=lambda offer: offer.id)}
        return cls(
            hash=name,
            offers=by_id,
            settings=settings,
            event_types={event_type.name: event_type for event_type in event_types},
            by_version={offer.version: Prepared(offer) for offer in by_id.values()},
            codes={offer.entry.code.upper(): offer.id for offer in by_id.values() if offer.entry.code is not None},
        )
