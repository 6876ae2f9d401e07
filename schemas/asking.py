"""Requests as people and systems make them: events of the native envelope under reserved names, for a raw topic of
origin ``backend``. What the rules make of them is in docs/rules.md, Requests."""

from __future__ import annotations

from typing import Any

import msgspec

ENTER_OFFER = "offerflow.EnterOffer"
FULFIL_REWARD = "offerflow.FulfilReward"
REVERSE_REWARD = "offerflow.ReverseReward"


class Request(msgspec.Struct, frozen=True):
    """A request on its way. Its time is that at which Kafka takes it; a repeat of ``event_id`` is dropped."""

    event: str
    user_id: str
    event_id: str
    source: str
    properties: dict[str, Any]

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


def enter_offer(
    user_id: str, event_id: str, source: str, *, offer: str | None = None, code: str | None = None,
    key: str | None = None,
) -> Request:  # fmt: skip
    """Enter ``user_id`` into ``offer``, or into the one with ``code``; ``key`` where entries are told apart by one."""
    given = {"offer": offer, "code": code, "key": key}
    return Request(
        ENTER_OFFER, user_id, event_id, source, {name: value for name, value in given.items() if value is not None}
    )


def fulfil_reward(user_id: str, event_id: str, source: str, reward_id: str, by: str) -> Request:
    """``reward_id``, which ``user_id`` has, was paid out."""
    return Request(FULFIL_REWARD, user_id, event_id, source, {"reward_id": reward_id, "by": by})


def reverse_reward(user_id: str, event_id: str, source: str, reward_id: str) -> Request:
    """Take ``reward_id`` back from ``user_id``."""
    return Request(REVERSE_REWARD, user_id, event_id, source, {"reward_id": reward_id})
