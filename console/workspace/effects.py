"""What a diff means: whom it breaks, which offers and conditions it touches."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from console.workspace.event_effects import NewestChange, event_effects
from console.workspace.lines import Effect, Line
from console.workspace.source_effects import source_effects
from console.workspace.state import Content, State, newest_events
from console.workspace.traffic import LoadTraffic
from console.workspace.uses import Uses
from offerflow.rules.definitions import Moment
from offerflow.rules.zones import zone


def with_effects(lines: list[Line], before: State, after: State, traffic: LoadTraffic | None = None) -> list[Line]:
    """The lines with what they mean. ``traffic`` is asked who sent what, if that matters; without it every source
    whose origin may send an event counts as its sender."""
    teller = _Teller(before, after, traffic)
    return [replace(line, effects=tuple(teller.effects(line))) for line in lines]


class _Teller:
    """Looks through both states once, whatever the number of lines."""

    def __init__(self, before: State, after: State, traffic: LoadTraffic | None) -> None:
        self._before, self._after, self._traffic = before, after, traffic
        self._newest = newest_events(before), newest_events(after)
        self._uses = functools.cache(lambda: Uses(after, before))
        self._used = functools.cache(lambda: Uses(before))

    def effects(self, line: Line) -> Iterator[Effect]:
        if line.kind == "event":
            name = line.id.rpartition("@")[0]
            old, new = (newest.get(name) for newest in self._newest)
            change = NewestChange(line, old, new, self._before, self._after, self._uses, self._traffic)
            yield from event_effects(change)
        elif line.kind == "source":
            yield from source_effects(line, self._before, self._after)
        elif line.kind == "condition":
            uses = self._used() if line.action == "remove" else self._uses()
            users = uses.offers_of([line.name])
            if users:
                names = tuple(f"offer/{user}" for user in users)
                yield Effect("touches", f"offers that use it: {', '.join(users)}", names)
            if line.action == "change":
                yield Effect("note", "leaves that are new count from now on; nothing is back-filled")
        elif line.kind == "settings":
            yield Effect("note", "holds for every offer; those inside keep the time zone that they entered under")
        elif line.kind == "offer":
            new = self._after.get(line.name)
            yield from _of_offer(line, new)
            if new is not None:
                yield from _for_nobody(new, self._after.get("settings/rules", {}))


def _for_nobody(offer: Content, settings: Content) -> Iterator[Effect]:
    """What is written right and can give nobody anything."""
    if offer.get("status") != "draft" and "ends" in offer:
        there = zone(offer.get("timezone") or settings.get("timezone") or "UTC")
        if Moment(offer["ends"]).end(there) < time.time() * 1000:
            yield Effect("note", f"ends {offer['ends']} is over: nobody enters")
    if "holdout" in offer and Decimal(offer["holdout"].rstrip("%")) == 100:
        yield Effect("note", "holdout 100%: everybody is measured, and nobody is ever rewarded")


_FINISH = "users inside finish under the definition they began with"


def _of_offer(line: Line, new: Content | None) -> Iterator[Effect]:
    """What becomes of who is inside and of who comes."""
    if new is not None and new.get("status") == "draft":
        yield Effect(
            "note", f"a draft: nobody enters; {_FINISH}" if line.action == "change" else "a draft: nobody enters"
        )
    elif new is not None and new.get("withdraw"):
        yield Effect("note", "withdrawn: nobody enters, and everybody inside exits now")
    elif new is not None and new.get("status") == "paused":
        yield Effect("note", "paused: nobody enters; users inside may complete")
    elif line.action == "remove":
        yield Effect("note", f"nobody enters any more; {_FINISH}")
    elif line.action == "change":
        yield Effect("note", _FINISH)
