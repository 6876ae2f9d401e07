"""The states of one batch as Redis gave them, and what becomes of them: the States of a worker's fold."""

from __future__ import annotations

from collections.abc import Mapping

from offerflow.rules.fold import NotLoaded
from offerflow.rules.state import EntityState, has_open, unpack_entity
from offerflow.runtime.redis.store import Loaded, Reach

Standing = tuple[int | None, bool]
"""When the first timer of an entity fires, and whether it is in an offer: what Redis keeps beside the state."""


class LoadedStates:
    """Unpacks a state when it is first asked for.

    A tick sees the timers that were loaded with the batch, as the batch has changed them so far. Redis told only so
    many of them: where there may be others before those that a tick must fire, it raises NotLoaded.
    """

    def __init__(self, loaded: Loaded, reach: Reach | None) -> None:
        self._loaded = loaded
        self._reach = reach
        self._states: dict[str, EntityState] = {}
        self._before: dict[str, Standing] = {}
        self._now: dict[str, Standing] = {}
        self.changed: dict[str, EntityState] = {}

    def get(self, entity: str) -> EntityState:
        state = self._states.get(entity)
        if state is None:
            packed = self._loaded.states[entity]
            state = self._states[entity] = unpack_entity(packed)
            self._before[entity] = (state.timer, has_open(state))
        return state

    def put(self, entity: str, state: EntityState, fire_at: int | None, is_open: bool) -> None:
        self.changed[entity] = state
        self._now[entity] = (fire_at, is_open)

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        if self._reach is None or until > self._reach.until:
            raise NotLoaded
        known = [(at, entity) for at, entity in self._loaded.due if at <= until and entity not in self._now]
        known += [(at, entity) for entity, (at, _) in self._now.items() if at is not None and at <= until]
        known.sort()
        if len(self._loaded.due) == self._reach.timers:
            last = self._loaded.due[-1]
            known = [one for one in known if one <= last]
            if len(known) < limit and last[0] <= until:
                raise NotLoaded
        return known[:limit]

    def open_after(self, cursor: str, limit: int) -> list[str]:
        if self._reach is None or not self._reach.swept or cursor < self._reach.cursor:
            raise NotLoaded
        known = [entity for entity in self._loaded.open if entity > cursor and entity not in self._now]
        known += [entity for entity, (_, is_open) in self._now.items() if is_open and entity > cursor]
        known.sort()
        if len(self._loaded.open) == self._reach.swept:
            known = [entity for entity in known if entity <= self._loaded.open[-1]]
            if len(known) < limit:
                raise NotLoaded
        return known[:limit]

    @property
    def timers(self) -> Mapping[str, int | None]:
        """Timers that are others than before the batch."""
        return {entity: now[0] for entity, now in self._now.items() if now[0] != self._before[entity][0]}

    @property
    def opened(self) -> Mapping[str, bool]:
        """Entities that entered their first offer or left their last one."""
        return {entity: now[1] for entity, now in self._now.items() if now[1] != self._before[entity][1]}
