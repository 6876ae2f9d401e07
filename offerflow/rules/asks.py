"""Requests: entering an offer by code or API, and what becomes of a reward."""

from __future__ import annotations

from offerflow.rules.consequences import finish, follow_entered
from offerflow.rules.entries import enter
from offerflow.rules.outcomes import Refusal
from offerflow.rules.record import Record
from offerflow.rules.requests import EnterOffer, FulfilReward, Request
from offerflow.rules.rewards import fulfil, reward_id, take_back
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import Instance, RewardStatus
from offerflow.rules.views import key_text

NAMES = {"EnterOffer": "offerflow.EnterOffer", "FulfilReward": "offerflow.FulfilReward",
         "ReverseReward": "offerflow.ReverseReward"}  # fmt: skip
"""Event names of requests, in evidence."""


def carry_out(record: Record, request: Request) -> None:
    """Do what ``request`` asks, if it applies."""
    if isinstance(request, EnterOffer):
        _enter(record, request)
    else:
        instance = _with_reward(record, request.reward_id)
        status = None if instance is None or instance.reward is None else instance.reward.status
        if instance is not None and isinstance(request, FulfilReward) and status == RewardStatus.SATISFIED:
            fulfil(record, instance, request.by)
        elif (
            instance is not None
            and not isinstance(request, FulfilReward)
            and status in (RewardStatus.PENDING, RewardStatus.SATISFIED, RewardStatus.FULFILLED)
        ):
            take_back(record, instance, "manual")
        else:
            record.refusals.append(Refusal("", "no_such_reward"))
    finish(record)


def _enter(record: Record, request: EnterOffer) -> None:
    prepared, reason = _offer(record, request)
    if prepared is None:
        # What somebody made up is not worth keeping.
        known = request.offer if request.offer in record.rules.active else None
        record.refuse(known or "", reason, request.time)
        return
    key = key_text(request.key) if prepared.offer.key is not None else None
    if prepared.offer.key is not None and key is None:
        record.refuse(prepared.offer.id, "unknown_offer", request.time)
        return
    via = "code" if request.offer is None else "api"
    instance = enter(record, prepared, request.time, via, key, None)
    if instance is not None:
        follow_entered(record, instance)


def _offer(record: Record, request: EnterOffer) -> tuple[Prepared | None, str]:
    rules = record.rules
    if request.offer is None:
        named = rules.ruleset.codes.get((request.code or "").upper())
        return (None if named is None else rules.active[named]), "unknown_code"
    prepared = rules.active.get(request.offer)
    return (prepared if prepared is not None and prepared.offer.entry.api else None), "unknown_offer"


def _with_reward(record: Record, wanted: str) -> Instance | None:
    return next((one for one in record.state.runs() if one.reward is not None and reward_id(one) == wanted), None)
