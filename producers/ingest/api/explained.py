"""Explanations as the API tells them: where somebody stands with an offer, what counted, what is missing, what was
refused."""

from __future__ import annotations

from typing import Any

from offerflow.amounts import amount
from offerflow.rules.explained import InstanceExplained, NodeExplained, OfferExplained, RewardExplained
from producers.ingest.api.told import moment


def explanation(one: OfferExplained) -> dict[str, Any]:
    """One offer and one user. ``missing`` is what lies between them and the next thing to get, in words."""
    return {
        "offer": one.offer, "version": one.version, "status": one.status.value, "missing": one.missing,
        "wouldBeRefused": one.refusal, "ways": one.ways, "entry": node(one.entry), "audience": node(one.audience),
        "instances": [_instance(run) for run in one.instances],
        "refusals": [{"reason": was.reason, "at": moment(was.at), "eventId": was.event_id} for was in one.refusals],
    }  # fmt: skip


def node(one: NodeExplained | None) -> dict[str, Any] | None:
    """A condition as a tree; of a leaf how far it is, and the ids of the events that counted, newest last."""
    if one is None:
        return None
    if one.nodes:
        return {
            "kind": one.kind, "holds": one.holds, "missing": one.missing, "nodes": [node(child) for child in one.nodes],
        }  # fmt: skip
    return {
        "kind": one.kind, "asks": one.text, "holds": one.holds, "progress": one.progress, "missing": one.missing,
        "value": None if one.value is None else str(one.value), "evidence": one.evidence,
        "evidenceCount": one.evidence_count,
    }  # fmt: skip


def _instance(one: InstanceExplained) -> dict[str, Any]:
    return {
        "instance": one.id, "version": one.version, "status": one.status.value, "variant": one.variant,
        "holdout": one.holdout, "attributes": one.attributes, "key": one.key, "enteredAt": moment(one.entered_at),
        "expiresAt": moment(one.expires_at), "endedAt": moment(one.ended_at), "completion": node(one.completion),
        "exit": node(one.exit), "rewards": [_reward(reward) for reward in one.rewards],
    }  # fmt: skip


def _reward(one: RewardExplained) -> dict[str, Any]:
    return {
        "id": one.id, "reward": one.reward, "state": one.state,
        "value": None if one.value is None else amount(one.value), "currency": one.currency,
        "nextAt": moment(one.next_at),
    }  # fmt: skip
