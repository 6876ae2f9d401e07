"""Requests that come through the journal like events: entering an offer, and what becomes of a reward.

Times are milliseconds since 1970 UTC; ``partition`` and ``offset`` are journal coordinates, as of an event.
"""

from __future__ import annotations

import msgspec


class Asked(msgspec.Struct, kw_only=True, gc=False):
    """What every request says. ``exempt``: imported or replayed, so never too late."""

    event_id: str
    user_id: str | None
    anonymous_id: str | None
    time: int
    received_at: int
    source: str
    content_hash: int
    partition: int
    offset: int
    exempt: bool = False


class EnterOffer(Asked, kw_only=True, gc=False):
    """Enter the offer ``offer``, or the one with ``code``; ``key`` where entries are told apart by a key."""

    offer: str | None = None
    code: str | None = None
    key: str | None = None


class FulfilReward(Asked, kw_only=True, gc=False):
    """The reward was paid out, ``by`` whom."""

    reward_id: str
    by: str


class ReverseReward(Asked, kw_only=True, gc=False):
    """Take the reward back."""

    reward_id: str


Request = EnterOffer | FulfilReward | ReverseReward
