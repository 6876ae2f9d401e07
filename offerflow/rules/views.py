"""What a condition sees of an entity: all hits since the activation, or those that count for one entry or instance.

A view has no moment: conditions are asked of a view and a moment. The state of an entity is a view too, of everything
at the present: there a rolling window cannot reach what is forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol

from offerflow.rules.ids import short_text
from offerflow.rules.state import Hit, Instance, OfferState

Leaves = Mapping[int, Sequence[Hit]]
Offers = Mapping[str, OfferState]

TIME = attrgetter("time")
NONE: Sequence[Hit] = ()


class Sight(Protocol):
    """What can be asked: a view or a whole state. ``plain``: whether hits are those of ``leaves`` as they are.
    ``truths``: what was true besides hits at the moment that is looked back at, None for the present.
    ``horizon``: entity clock - allowed lateness: a rolling window looks no further back than its own length before
    that, since older hits are forgotten."""

    @property
    def plain(self) -> bool: ...
    @property
    def truths(self) -> int | None: ...
    @property
    def horizon(self) -> int: ...
    @property
    def leaves(self) -> Leaves: ...
    @property
    def traits(self) -> Mapping[str, Any]: ...
    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]: ...
    def absences(self, key: int, since_entry: bool) -> Sequence[Hit]: ...
    def inside(self, offer: str) -> bool: ...
    def completed(self, offer: str) -> bool: ...


class View:
    """All hits, at any moment."""

    __slots__ = ("horizon", "leaves", "offers", "traits", "truths")
    plain = True

    def __init__(self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int) -> None:
        self.truths: int | None = None
        self.leaves = leaves
        self.traits = traits
        self.offers = offers
        self.horizon = horizon

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        """The hits of a leaf that count here, whatever their time."""
        return self.leaves.get(key, NONE)

    def absences(self, key: int, since_entry: bool) -> Sequence[Hit]:
        """The same of a leaf that waits for absences."""
        return self.hits(key, since_entry)

    def inside(self, offer: str) -> bool:
        state = self.offers.get(offer)
        return state is not None and state.open > 0 and not state.gone

    def completed(self, offer: str) -> bool:
        state = self.offers.get(offer)
        return state is not None and state.completed and not state.gone


class Unused(View):
    """Hits folded after the turn ``used``: an entry that may happen again."""

    __slots__ = ("used",)
    plain = False

    def __init__(
        self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int, used: int
    ) -> None:  # fmt: skip
        super().__init__(leaves, traits, offers, horizon)
        self.used = used

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        used = self.used
        return [hit for hit in self.leaves.get(key, NONE) if hit.turn > used]


class OfKey(Unused):
    """Of those, hits whose event has ``key`` as its property ``name``."""

    __slots__ = ("key", "name")

    def __init__(
        self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int, used: int, name: str, key: str
    ) -> None:  # fmt: skip
        super().__init__(leaves, traits, offers, horizon, used)
        self.name = name
        self.key = key

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        name, wanted = self.name, self.key
        return [
            hit for hit in super().hits(key, since_entry)
            if hit.kept is not None and key_text(hit.kept.get(name)) == wanted
        ]  # fmt: skip


class AtEntry(Unused):
    """What an entry looked at when it happened, as far as it is still there: hits folded up to the turn ``upto``."""

    __slots__ = ("upto",)

    def __init__(
        self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int, used: int, upto: int
    ) -> None:  # fmt: skip
        super().__init__(leaves, traits, offers, horizon, used)
        self.upto = upto

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        return [hit for hit in super().hits(key, since_entry) if hit.turn <= self.upto]


class AtEntryOfKey(OfKey):
    """The same of an entry per key."""

    __slots__ = ("upto",)

    def __init__(
        self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int, used: int, name: str, key: str,
        upto: int,
    ) -> None:  # fmt: skip
        super().__init__(leaves, traits, offers, horizon, used, name, key)
        self.upto = upto

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        return [hit for hit in super().hits(key, since_entry) if hit.turn <= self.upto]


class OfInstance(View):
    """What counts for the completion and exit of ``instance``. ``own``: hits of the entering record count too."""

    __slots__ = ("instance", "own")
    plain = False

    def __init__(
        self, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int, instance: Instance, own: bool
    ) -> None:  # fmt: skip
        super().__init__(leaves, traits, offers, horizon)
        self.instance = instance
        self.own = own

    def hits(self, key: int, since_entry: bool) -> Sequence[Hit]:
        found = self.leaves.get(key, NONE)
        if not since_entry or not found:
            return found
        instance = self.instance
        entered_at, turn, floor = instance.entered_at, instance.turn, instance.floor
        start = bisect_right(found, entered_at, key=TIME)
        while start and found[start - 1].time == entered_at and found[start - 1].turn > turn:
            start -= 1
        counted = found[start:] if start else found
        if floor is not None:
            counted = [hit for hit in counted if hit.turn >= turn or hit.time >= floor]
        if self.own and start:
            counted = [*(hit for hit in found[:start] if hit.turn == turn), *counted]
        return counted

    def absences(self, key: int, since_entry: bool) -> Sequence[Hit]:
        found = self.leaves.get(key, NONE)
        if not since_entry:
            return found
        return [hit for hit in found if self.began(*hit.value, own=self.own and hit.turn == self.instance.turn)]

    def began(self, time: int, turn: int, *, own: bool = False) -> bool:
        """Whether a watch counts whose event happened at ``time`` and was folded at ``turn``; ``own``: it fired
        with the entry."""
        instance = self.instance
        floor = instance.floor
        own = own or (self.own and turn == instance.turn)
        after = own or (time, turn) > (instance.entered_at, instance.turn)
        return after and (turn >= instance.turn or floor is None or time >= floor)


def key_text(value: Any) -> str | None:
    """A property's value as the key of an entry: strings as they are or, like no short one, by their digest; numbers in
    decimal; None for anything else."""
    value = short_text(value)
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bytes:
        return f"sha256:{value.hex()}"
    if value.__class__ is float and value.is_integer():
        return str(int(value))
    return str(value) if value.__class__ in (int, float) else None
