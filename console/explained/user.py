"""What is known of one user, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from console.cli.tables import visible
from console.explained.text import forgotten_text, past_text, when
from offerflow.amounts import amount
from offerflow.rules.ids import long_id
from offerflow.rules.rewards import reward_id
from offerflow.rules.state import NEVER, EntityState, Instance, RewardStatus
from offerflow.rules.state import Status as Run
from schemas.user_state import UserState

ID_BYTES, FACT_BYTES = 14, 12
"""Of a remembered event and of a fact: offerflow.rules.memory."""


def user_json(found: UserState, behind: int) -> dict[str, Any]:
    """For ``--output json``. Times are milliseconds since 1970 UTC."""
    known = found.state or EntityState()
    return {
        "user": found.entity,
        "known": found.state is not None,
        "partition": found.partition,
        "position": found.position,
        "behind": behind,
        "stream_time": found.now or None,
        "ruleset": found.ruleset or None,
        "clock": None if known.clock == NEVER else known.clock,
        "next_timer": known.timer,
        "bytes": found.bytes,
        "events_remembered": len(known.ids) // ID_BYTES,
        "facts_remembered": len(known.facts) // FACT_BYTES,
        "hits": sum(map(len, known.leaves.values())),
        "absences_waited_for": len(known.watches),
        "traits": known.traits,
        "offers": [_instance(instance) for instance in known.runs()],
        "forgotten": _forgotten(known),
        "refusals": [
            {
                "offer": refused.offer,
                "reason": refused.reason,
                "at": refused.time,
                "event_id": long_id(refused.event_id),
            }
            for refused in known.refusals
        ],
    }


def user_lines(found: UserState) -> Iterator[str]:
    """The same to be read."""
    told = user_json(found, 0)
    if found.state is None:
        yield visible(f"{found.entity}: the rules know nothing of this user yet (partition {found.partition})")
        return
    yield visible(f"{found.entity} in partition {found.partition}, {found.bytes} bytes")
    yield f"  last event read by a rule: {_time(told['clock'])}"
    yield f"  next timer: {_time(told['next_timer'])}"
    yield (
        f"  remembered: {told['events_remembered']} event ids, {told['facts_remembered']} facts, {told['hits']} hits,"
        f" {told['absences_waited_for']} absences waited for"
    )
    for name, value in sorted(told["traits"].items()):
        yield visible(f"  trait {name}: {value}")
    for instance in told["offers"]:
        key = f" (key {instance['key']})" if instance["key"] is not None else ""
        end = f", ended {_time(instance['ended_at'])}" if instance["ended_at"] is not None else ""
        until = f", expires {_time(instance['expires_at'])}" if not end and instance["expires_at"] is not None else ""
        since = f"since {_time(instance['entered_at'])}, variant {instance['variant']}"
        yield visible(f"  offer {instance['offer']}{key}: {instance['status']} {since}{end}{until}")
        reward = instance["reward"]
        if reward is not None:
            earned = f"{reward['state']}, earned {_time(reward['earned_at'])}"
            value = "" if reward["value"] is None else f" {reward['value']} {reward['currency']}"
            gone = past_text(reward["state"], reward["id"])
            yield visible(f"    reward {reward['reward']}{value}: {earned}{gone}")
    for offer, runs in told["forgotten"].items():
        yield visible(f"  offer {offer}: {forgotten_text(runs)}")
    for refusal in told["refusals"]:
        yield visible(
            f"  refused {refusal['offer']}: {refusal['reason']}, {_time(refusal['at'])}, {refusal['event_id']}"
        )


def _forgotten(known: EntityState) -> dict[str, int]:
    """By offer, how many runs are over of which nothing is kept any more."""
    kept = Counter(instance.offer for instance in known.runs())
    gone = {offer: state.entries - kept[offer] for offer, state in sorted(known.offers.items())}
    return {offer: runs for offer, runs in gone.items() if runs > 0}


def _instance(instance: Instance) -> dict[str, Any]:
    reward = instance.reward
    return {
        "offer": instance.offer,
        "instance": instance.id.hex(),
        "status": "in" if instance.status is Run.OPEN else instance.status.name.lower(),
        "version": instance.version,
        "variant": instance.variant,
        "key": instance.key,
        "entered_at": instance.entered_at,
        "expires_at": instance.expires_at,
        "ended_at": instance.ended_at,
        "completed_at": instance.completed_at,
        "reward": None if reward is None else {
            "id": reward_id(instance),
            "reward": reward.id,
            "state": RewardStatus(reward.status).name.lower(),
            "value": None if reward.value is None else amount(reward.value),
            "currency": reward.currency,
            "earned_at": reward.earned_at,
            "satisfied_at": reward.satisfied_at,
            "next_at": reward.fire_at,
        },
    }  # fmt: skip


def _time(moment: int | None) -> str:
    return "none" if moment is None else when(moment)
