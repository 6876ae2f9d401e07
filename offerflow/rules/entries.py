"""Entries: which offers fire on a record, and who is let in."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Any

from offerflow.rules.instances import ask_begun, begin, last_of, use_up
from offerflow.rules.live import LiveRules
from offerflow.rules.record import Record, prepared_of
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import MAX_HELD, NEVER, EntityState, Instance, Status
from offerflow.rules.views import Leaves, Offers, OfKey, Unused, View, key_text

Asked = dict[Prepared, None]


def ask_entries(record: Record, asked: Asked) -> list[tuple[Instance, int]]:
    """Enter the offers that fire, in their order. ``asked``: offers with a leaf that the record touched. Gives the
    instances that began, each with the number of changes of offers that it has seen."""
    rules = record.rules
    for trait in record.traits:
        asked.update(dict.fromkeys(rules.entries_by_trait.get(trait, ())))
    for offer in record.offers:
        asked.update(dict.fromkeys(rules.entries_by_offer.get(offer, ())))
    queue = [(one.order, one) for one in asked if record.late or may_hold(record.state, one, record.time)]
    heapify(queue)
    done: set[str] = set()
    begun = []
    while queue:
        _, prepared = heappop(queue)
        if prepared.offer.id in done:
            continue
        done.add(prepared.offer.id)
        instance = _ask(record, prepared)
        if instance is not None:
            ask_begun(record, instance)
            begun.append((instance, len(record.offers)))
            for other in rules.entries_by_offer.get(prepared.offer.id, ()):
                if other.offer.id not in done:
                    heappush(queue, (other.order, other))
    return begun


def may_hold(state: EntityState, prepared: Prepared, time: int) -> bool:
    """Whether the entry holds at ``time``, the present, but for what only a closer look can tell."""
    entry = prepared.entry
    if entry is None or prepared.offer.key is not None:
        return True
    if not prepared.fresh:
        known = state.offers.get(prepared.offer.id)
        if known is not None and known.used:
            view = Unused(state.leaves, state.traits, state.offers, NEVER, known.used)
            return entry.holds(view, time)
    return entry.holds(state, time)


def entry_view(
    prepared: Prepared, key: str | None, leaves: Leaves, traits: Mapping[str, Any], offers: Offers, horizon: int
) -> View:  # fmt: skip
    """What the entry of an offer looks at: hits that were not used up, and those of ``key``."""
    offer = prepared.offer
    known = None if prepared.fresh else offers.get(offer.id)
    if offer.key is not None:
        used = 0 if known is None or key is None else abs(known.keys.get(key, 0))
        return OfKey(leaves, traits, offers, horizon, used, offer.key, key or "")
    if known is None or not known.used:
        return View(leaves, traits, offers, horizon)
    return Unused(leaves, traits, offers, horizon, known.used)


def _ask(record: Record, prepared: Prepared) -> Instance | None:
    """Enter the offer if it fires and lets the entity in."""
    key = None
    if prepared.offer.key is not None:
        key = key_text((record.kept or {}).get(prepared.offer.key))
        if key is None:
            return None
    state = record.state
    view = entry_view(prepared, key, state.leaves, state.traits, state.offers, record.horizon)
    moment = _fires(record, prepared, key, view)
    return None if moment is None else enter(record, prepared, moment, "event", key, view)


def _fires(record: Record, prepared: Prepared, key: str | None, view: View) -> int | None:
    """The first moment at which the entry holds, if without the record it holds at none."""
    assert prepared.entry is not None  # noqa: S101 - it was found by its entry
    moments = prepared.entry.moments(view, record.time) if record.late else [record.time]
    first = prepared.entry.first(view, moments)
    if first is None:
        return None
    leaves, traits, offers = record.without()
    before = entry_view(prepared, key, leaves, traits, offers, record.horizon)
    if isinstance(view, Unused) and isinstance(before, Unused):
        before.used = view.used
    return first if prepared.entry.first(before, moments) is None else None


def enter(
    record: Record, prepared: Prepared, moment: int, via: str, key: str | None, view: View | None
) -> Instance | None:
    """Let the entity in, unless there is a reason not to. ``view`` is None for a request, which no condition led to."""
    offer = prepared.offer
    reason = refusal(record.rules, record.state, prepared, moment, key)
    if reason is not None:
        record.refuse(offer.id, reason, moment)
        if view is not None:
            use_up(record, prepared, key, entered=False)
        return None
    instance = begin(record, prepared, moment, via, key, view)
    if view is not None or offer.key is not None:
        use_up(record, prepared, key, entered=True)
    return instance


def refusal(rules: LiveRules, state: EntityState, prepared: Prepared, moment: int, key: str | None) -> str | None:
    """Why an entry at ``moment`` is refused, None if it is not: the first reason in the order of the documentation."""
    offer = prepared.offer
    known = state.offers.get(offer.id)
    if offer.paused:
        return "paused"
    if offer.starts is not None and moment < offer.starts:
        return "not_started"
    if offer.withdrawn or (offer.ends is not None and moment > offer.ends):
        return "ended"
    if known is not None:
        if _already_in(state, prepared, key):
            return "already_in"
        if (offer.per_user is not None and known.entries >= offer.per_user) or _full(state):
            return "capped"
        if offer.cooldown is not None and known.ended_at is not None and moment < known.ended_at + offer.cooldown:
            return "cooldown"
    elif offer.per_user == 0 or _full(state):
        return "capped"
    if prepared.audience is not None:
        horizon = state.clock - rules.lateness
        if not prepared.audience.holds(View(state.leaves, state.traits, state.offers, horizon), moment):
            return "not_in_audience"
    if offer.group is not None and any(_excludes(rules, one, prepared) for one in state.instances):
        return "exclusive"
    return None


def _already_in(state: EntityState, prepared: Prepared, key: str | None) -> bool:
    offer = prepared.offer
    known = state.offers[offer.id]
    if offer.reentry == "per_key":
        return key is not None and known.keys.get(key, 0) < 0
    if offer.reentry == "never" or known.open:
        return known.entries > 0
    last = last_of(state, offer.id)
    return offer.reentry == "after_expiry" and last is not None and last.completed_at is not None


def _full(state: EntityState) -> bool:
    """Whether as many instances as may be are open or wait for their reward."""
    runs = len(state.instances) + len(state.closed)
    return runs >= MAX_HELD and sum(one.held for one in (*state.instances, *state.closed)) >= MAX_HELD


def _excludes(rules: LiveRules, instance: Instance, prepared: Prepared) -> bool:
    if instance.status != Status.OPEN or instance.offer == prepared.offer.id:
        return False
    return prepared_of(rules, instance).offer.group == prepared.offer.group
