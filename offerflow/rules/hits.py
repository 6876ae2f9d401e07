"""Adding an event to the leaves it counts for, and forgetting what can no longer matter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter

from offerflow.rules.asking import Condition
from offerflow.rules.events import Event
from offerflow.rules.ids import short_id, short_text
from offerflow.rules.live import LiveRules
from offerflow.rules.memory import REVERSIBLE_FOR
from offerflow.rules.reading import UNBOUNDED, Counted, Reading
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import EntityState, Hit, Instance, RichHit, Status
from offerflow.rules.views import TIME

_USED = itemgetter(0)
_TRIM_EVERY = 8
"""Forgetting looks at a leaf at every so many hits: what is kept longer is not looked at either."""


class Added:
    """What adding an event came to. ``touched``: keys of leaves that it is a hit of; ``replaced``: hits of leaves as
    they were without it, where that is more than leaving out its own; ``asked``: offers whose entry is to be asked."""

    __slots__ = ("asked", "replaced", "touched")

    def __init__(self) -> None:
        self.touched: list[int] = []
        self.replaced: dict[int, list[Hit]] = {}
        self.asked: dict[Prepared, None] = {}


def count(rules: LiveRules, state: EntityState, reading: Reading, event: Event, added: Added, late: bool) -> None:
    """Make ``event``, the record of the state's present turn, a hit of every leaf whose test it passes."""
    leaves, time = state.leaves, event.time
    touched, asked = added.touched, added.asked
    plain: Hit | None = None
    for leaf, test, key, cap, is_plain, max_hits, triggers in reading.rows:
        if test is not None and not test(event):
            continue
        hits = leaves.get(key)
        if cap and hits is not None and len(hits) >= cap:
            if time < hits[-1].time:
                # Of all time, the leaf held at the last of these hits before, and so its entry does not fire.
                insert(hits, plain or _plain(state, event))
                hits.pop()
            continue
        if plain is None:
            plain = _plain(state, event)
        hit: Hit | None = plain if is_plain else _rich(state, reading, leaf, event, plain)
        if hit is None:
            continue
        if hits is None:
            leaves[key] = hits = [hit]
            size = 1
        else:
            if late:
                insert(hits, hit)
            else:
                hits.append(hit)
            size = len(hits)
            if size > max_hits or not size % _TRIM_EVERY:
                size = _trim(rules, state, leaf, hits, added)
        touched.append(key)
        for prepared, least, within, alone in triggers:
            if least and not late:
                if size < least or hits[-least].time < time - within:
                    continue
                if alone and size > least and hits[-least - 1].time >= time - within:
                    continue
            asked[prepared] = None


def insert(hits: list[Hit], hit: Hit) -> None:
    """Put a hit of a new turn into its place."""
    if not hits or hits[-1].time <= hit.time:
        hits.append(hit)
    else:
        hits.insert(bisect_right(hits, hit.time, key=TIME), hit)


def _plain(state: EntityState, event: Event) -> Hit:
    return Hit(event.time, state.turn, event.offset, short_id(event.event_id))


def _rich(state: EntityState, reading: Reading, leaf: Counted, event: Event, plain: Hit) -> Hit | None:
    """The hit of a leaf that measures, correlates or remembers; None if the event is none of its."""
    value = None
    if leaf.value is not None:
        value = leaf.value(event)
        if value is None:
            return None
    if leaf.silence is not None:
        before = state.gaps.get(leaf.key)
        if before is None or event.time > before:
            state.gaps[leaf.key] = event.time
        if before is None or event.time <= before or not leaf.silence(event.time - before):
            return None
    kept = None
    if leaf.kept:
        properties = event.properties
        kept = {name: short_text(properties[name]) for name in leaf.kept if properties.get(name) is not None} or None
    name = reading.name if leaf.named else None
    if value is None and kept is None and name is None:
        return plain
    return RichHit(event.time, plain.turn, event.offset, plain.event_id, value, name, kept)


def _trim(rules: LiveRules, state: EntityState, leaf: Counted, hits: list[Hit], added: Added) -> int:
    """Forget what nothing looks at any more, then the first of more hits than the leaf may keep. Gives what is left."""
    if hits[0].time < state.clock - rules.lateness - leaf.within:
        _forget(rules, state, leaf, hits)
    if len(hits) > leaf.max_hits:
        added.replaced.setdefault(leaf.key, [hit for hit in hits if hit.turn != state.turn])
        del hits[: len(hits) - leaf.max_hits]
    return len(hits)


def _forget(rules: LiveRules, state: EntityState, leaf: Counted, hits: list[Hit]) -> None:
    """Drop hits that nothing looks at any more: of a rolling window, and of leaves that count since an entry."""
    oldest = state.clock - rules.lateness - leaf.within
    holders = [one for one in (*state.instances, *state.closed) if _holds(rules, one, leaf, state.clock)]
    if leaf.since_entry:
        since = min(((one.entered_at, one.turn) for one in holders), default=(UNBOUNDED, 0))
        own = {one.turn for one in holders}
        hits[:] = [
            hit for hit in hits if hit.time >= oldest or (hit.time, hit.turn) > since or hit.turn in own
        ]  # fmt: skip
    else:
        spans = _merged(sorted((one.used, one.turn) for one in holders))
        hits[:] = [
            hit for hit in hits
            if hit.time >= oldest or hit.turn <= spans[bisect_left(spans, hit.turn, key=_USED) - 1][1]
        ]  # fmt: skip


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of turns ``(used, last]`` in order, each with the last turn of all that began before; the last one covers
    nothing, as does what is before the first."""
    merged, reach = [], -1
    for used, last in spans:
        reach = max(reach, last)
        merged.append((used, reach))
    return [*merged, (UNBOUNDED, -1)]


def _holds(rules: LiveRules, instance: Instance, leaf: Counted, clock: int) -> bool:
    """Whether an instance still needs hits of a leaf: of its completion or exit while it may end or be reversed, of
    its entry while an immediate reward may be reversed."""
    prepared = rules.versions[instance.version]
    completion = prepared.completion(instance.variant)
    reversible = may_be_reversed(instance, clock, rules.lateness)
    if not leaf.since_entry:
        return reversible and completion == "immediate" and _asks(prepared.entry, leaf.key)
    open_ = instance.status == Status.OPEN or may_complete_late(instance, clock, rules.lateness)
    if isinstance(completion, Condition) and _asks(completion, leaf.key):
        return open_ or reversible
    return open_ and _asks(prepared.exit, leaf.key)


def _asks(condition: Condition | None, key: int) -> bool:
    return condition is not None and key in condition.recorded


def may_complete_late(instance: Instance, clock: int, lateness: int) -> bool:
    """Whether an instance that expired may still be completed by what happened before."""
    return (
        instance.status == Status.EXPIRED
        and instance.completed_at is None
        and instance.expires_at is not None
        and clock <= instance.expires_at + lateness
    )


def may_be_reversed(instance: Instance, clock: int, lateness: int) -> bool:
    """Whether a refund that is not too late may still reach the instance's reward."""
    reward = instance.reward
    return reward is not None and reward.alive and clock <= reward.earned_at + REVERSIBLE_FOR + lateness
