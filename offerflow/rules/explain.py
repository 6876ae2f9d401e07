"""Why a user is in an offer or is not: what counts so far, what is missing, and what was refused. Pure.

An explanation asks the engine's own conditions, over the same views as decisions do. Its moment is the later of ``now``
and the entity's clock: a window of 30 days looks back from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from offerflow.amounts import amount
from offerflow.rules.asking import Condition
from offerflow.rules.entries import entry_view, refusal
from offerflow.rules.explain_conditions import Asked, when
from offerflow.rules.explained import (
    InstanceExplained,
    NodeExplained,
    OfferExplained,
    RefusalExplained,
    RewardExplained,
    Status,
)
from offerflow.rules.ids import long_id
from offerflow.rules.live import LiveRules
from offerflow.rules.offers import HOLDOUT
from offerflow.rules.rewards import reward_id
from offerflow.rules.ruleset import Prepared
from offerflow.rules.settling import settle
from offerflow.rules.state import EntityState, Instance, RewardState, RewardStatus, pack, unpack_entity
from offerflow.rules.state import Status as Run
from offerflow.rules.views import OfInstance, View, key_text

_ENDED = {Run.COMPLETED: Status.COMPLETED, Run.EXPIRED: Status.EXPIRED}
SHOWN = 20
"""Instances explained per offer, the newest."""


def explain(rules: LiveRules, state: EntityState, offer: str | None, now: int) -> list[OfferExplained]:
    """Every offer of the active ruleset in order of id, or ``offer`` alone; of offers that are gone those that the
    entity was in. An empty list for an offer that is neither. ``now`` is in milliseconds; ``state`` stays as it is."""
    state = unpack_entity(pack(state))
    settle(rules, state)
    explainer = _Explainer(rules, state, max(now, state.clock))
    known = {*rules.active, *(instance.offer for instance in state.runs())}
    wanted = sorted(known) if offer is None else sorted(known & {offer})
    return [explainer.offer(one) for one in wanted]


class _Explainer:
    def __init__(self, rules: LiveRules, state: EntityState, at: int) -> None:
        self._rules = rules
        self._state = state
        self._at = at
        self._horizon = state.clock - rules.lateness

    def offer(self, offer_id: str) -> OfferExplained:
        prepared = self._rules.active.get(offer_id)
        mine = [one for one in self._state.runs() if one.offer == offer_id]
        instances = [self._instance(one) for one in mine[-SHOWN:]]
        refusals = [
            RefusalExplained(one.reason, one.time, long_id(one.event_id))
            for one in self._state.refusals if one.offer == offer_id
        ]  # fmt: skip
        if prepared is None:
            version = mine[-1].version
            status = instances[-1].status
            return OfferExplained(
                offer=offer_id, version=version, status=status, ways=[], entry=None, audience=None,
                refusal="unknown_offer", missing=list(_inside(instances)), instances=instances, refusals=refusals,
                forgotten=self._forgotten(offer_id, len(mine)),
            )  # fmt: skip
        entry, audience, reason = self._entry(prepared)
        inside = [one for one in instances if one.status in (Status.IN, Status.HELD_OUT)]
        missing = list(_inside(inside) if inside else _outside(entry, audience, reason))
        if not inside and reason is None and self._was_in_by_key(prepared):
            missing.append(f"a new {prepared.offer.key}: a key that was used before is refused; a new one enters")
        return OfferExplained(
            offer=offer_id,
            version=prepared.offer.version,
            status=self._status(instances, refusals),
            ways=list(_ways(prepared)),
            entry=entry,
            audience=audience,
            refusal=reason,
            missing=missing,
            instances=instances,
            refusals=refusals,
            forgotten=self._forgotten(offer_id, len(mine)),
        )

    def _status(self, instances: list[InstanceExplained], refusals: list[RefusalExplained]) -> Status:
        for one in reversed(instances):
            if one.status in (Status.IN, Status.HELD_OUT):
                return one.status
        if instances:
            return instances[-1].status
        return Status.REFUSED if refusals else Status.NOT_IN

    def _entry(self, prepared: Prepared) -> tuple[NodeExplained | None, NodeExplained | None, str | None]:
        """Entry and audience as they are now, and why an entry would be refused. Of an entry per key the entry is that
        of the key that came last, and the refusal that of a key that never came."""
        state, key = self._state, self._last_key(prepared)
        view = entry_view(prepared, key, state.leaves, state.traits, state.offers, self._horizon)
        entry = None if prepared.entry is None else self._ask(prepared.entry, view)
        audience = None if prepared.audience is None else self._ask(prepared.audience, self._plain())
        return entry, audience, refusal(self._rules, state, prepared, self._at, None)

    def _was_in_by_key(self, prepared: Prepared) -> bool:
        known = self._state.offers.get(prepared.offer.id)
        return prepared.offer.key is not None and known is not None and any(turn < 0 for turn in known.keys.values())

    def _forgotten(self, offer: str, kept: int) -> int:
        known = self._state.offers.get(offer)
        return 0 if known is None else max(known.entries - kept, 0)

    def _last_key(self, prepared: Prepared) -> str | None:
        name = prepared.offer.key
        if name is None or prepared.entry is None:
            return None
        last = max(prepared.entry.hits(self._plain()), key=lambda hit: hit.turn, default=None)
        return None if last is None or last.kept is None else key_text(last.kept.get(name))

    def _plain(self) -> View:
        return View(self._state.leaves, self._state.traits, self._state.offers, self._horizon)

    def _ask(self, condition: Condition, view: View) -> NodeExplained:
        return Asked(view, self._at, self._state.watches).node(condition.node)

    def _instance(self, instance: Instance) -> InstanceExplained:
        prepared = self._rules.versions[instance.version]
        completion = prepared.completion(instance.variant)
        state = self._state
        own = prepared.offer.count_entry_event
        view = OfInstance(state.leaves, state.traits, state.offers, self._horizon, instance, own)
        is_open = instance.status is Run.OPEN
        variant = prepared.variant(instance.variant)
        return InstanceExplained(
            id=instance.id.hex(),
            version=instance.version,
            status=_run_status(instance),
            variant=instance.variant,
            holdout=instance.variant == HOLDOUT,
            attributes=dict(variant.attributes),
            entered_at=instance.entered_at,
            expires_at=instance.expires_at,
            ended_at=instance.ended_at,
            key=instance.key,
            completion=self._ask(completion, view) if is_open and isinstance(completion, Condition) else None,
            exit=self._ask(prepared.exit, view) if is_open and prepared.exit is not None else None,
            rewards=[] if instance.reward is None else [_reward(instance, instance.reward)],
        )


def _run_status(instance: Instance) -> Status:
    if instance.status is Run.OPEN:
        return Status.HELD_OUT if instance.variant == HOLDOUT else Status.IN
    return _ENDED.get(instance.status, Status.EXITED)


def _reward(instance: Instance, reward: RewardState) -> RewardExplained:
    status = RewardStatus(reward.status).name.lower()
    value = None if reward.value is None else Decimal(amount(reward.value))
    return RewardExplained(reward_id(instance), reward.id, status, value, reward.currency, reward.due)


def _ways(prepared: Prepared) -> Iterator[str]:
    entry = prepared.offer.entry
    if entry.condition is not None:
        yield "event"
    if entry.code is not None:
        yield "code"
    if entry.api:
        yield "api"


def _inside(instances: list[InstanceExplained]) -> Iterator[str]:
    """What is between users who are in and the end of it."""
    for instance in instances:
        if instance.status not in (Status.IN, Status.HELD_OUT):
            continue
        completion = instance.completion
        if completion is None:
            yield "nothing: there is nothing to complete"
        elif completion.missing is not None:
            until = f", by {when(instance.expires_at)}" if instance.expires_at is not None else ""
            key = f" (key {instance.key})" if instance.key is not None else ""
            yield f"{completion.missing}{until}{key}"
        if instance.status is Status.HELD_OUT:
            yield "a reward: this user is in the holdout, which is measured and never rewarded"


def _outside(entry: NodeExplained | None, audience: NodeExplained | None, refused: str | None) -> Iterator[str]:
    """What is between users who are not in and the entry."""
    if entry is not None and entry.missing is not None:
        yield entry.missing
    elif entry is not None and entry.holds and refused is None:
        yield "nothing but the moment: a user enters when the entry becomes true, and it has been true before"
    if refused == "not_in_audience" and audience is not None and audience.missing is not None:
        yield f"the audience: {audience.missing}"
    elif refused is not None:
        yield f"an entry is refused now: {refused}"
