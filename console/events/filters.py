"""Which events somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.events.arrivals import Arrival
from console.events.stored import Stored
from console.events.verdicts import Verdict
from offerflow.runtime.store.debugging import DEVICE, SOURCE, USER, Flag


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is given must hold; of several values of one kind any. ``events`` has every name of an event type.
    ``bad``: only what is not in the journal. ``debug``: only what is flagged, or says that it is in debug mode."""

    users: frozenset[str] = frozenset()
    visitors: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    bad: bool = False
    debug: bool = False
    flags: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def arrival(self, one: Arrival) -> bool:
        """Whether an arrival may be one of them. What cannot be read belongs to whom its Kafka key names."""
        user = one.user_id
        if one.why is not None and user is None and one.key and (self.users or self.flags):
            user = one.key.decode("utf-8", "replace")
        return (
            self._whose(user, one.anonymous_id, one.source, one.event)
            and (not self.ids or one.event_id in self.ids)
            and (not self.debug or one.debug or self._flagged(user, one.devices, one.source))
        )

    def stored(self, one: Stored) -> bool:
        """The same of a journal record whose arrival is not known. Of devices it says nothing but the anonymous id."""
        meta = one.meta
        user, visitor, source = meta["user_id"], meta["anonymous_id"], meta["source"]
        return (
            self._whose(user, visitor, source, one.event)
            and (not self.ids or meta["event_id"] in self.ids)
            and (not self.debug or self._flagged(user, frozenset((visitor,)) if visitor else frozenset(), source))
        )

    def verdict(self, one: Verdict) -> bool:
        """Of what became of an event that is wanted otherwise."""
        return not self.bad or not one.good

    def _whose(self, user: str | None, visitor: str | None, source: str | None, event: str | None) -> bool:
        return (
            (not self.users or user in self.users)
            and (not self.visitors or visitor in self.visitors)
            and (not self.sources or source in self.sources)
            and (not self.events or event in self.events)
        )

    def _flagged(self, user: str | None, devices: frozenset[str], source: str | None) -> bool:
        return (
            (USER, user) in self.flags
            or (SOURCE, source) in self.flags
            or any((DEVICE, device) in self.flags for device in devices)
        )


def flagged(flags: list[Flag]) -> frozenset[tuple[str, str]]:
    """Kind and id of each."""
    return frozenset((flag.kind, flag.id) for flag in flags)
