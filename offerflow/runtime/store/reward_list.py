"""Questions about rewards, of the API and of commands: lists whose cursor passes by nothing, and single ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, and_, exists, func, or_, select

from offerflow.runtime.store.holds import holds
from offerflow.runtime.store.outcomes import complete, entries, last_number, rewards, storable

Reward = dict[str, Any]
"""A row of the table ``reward`` with attributes and evidence decoded, and ``on_hold``."""

_HELD = holds.c.offer_id.is_not(None).label("on_hold")
_WITH_HOLDS = rewards.outerjoin(holds, holds.c.offer_id == rewards.c.offer)


class Incomplete(Exception):
    """The history is still being built: a reward it shows as satisfied may have been paid out long ago."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rewards. ``after`` is the ``seq`` of the last one seen, 0 for the first; ``held`` ones are those of offers
    on hold; ``newest``: the last ones rather than the first."""

    state: str | None = None
    user: str | None = None
    offer: str | None = None
    after: int = 0
    limit: int = 100
    held: bool = False
    newest: bool = False


class Page(NamedTuple):
    """``next`` is the ``after`` with which to ask for what comes then; ``more``: there may be some already."""

    rewards: list[Reward]
    next: int
    more: bool


def list_rewards(connection: Connection, wanted: Wanted) -> Page:
    """In the order in which they became what they are. A reward that changes moves to the end: so whoever asks again
    and again for what comes ``next`` sees each reward in its latest state. Raises Incomplete."""
    if not complete(connection):
        raise Incomplete
    # Asked first: what becomes visible in between has a higher number, and is asked for next time.
    last = last_number(connection)
    asked = [rewards.c.seq > wanted.after]
    if wanted.state is not None:
        asked.append(rewards.c.state == wanted.state)
    if wanted.user is not None:
        asked.append(rewards.c.user_id == storable(wanted.user))
    if wanted.offer is not None:
        asked.append(rewards.c.offer == storable(wanted.offer))
    if not wanted.held:
        asked.append(or_(rewards.c.offer.is_(None), holds.c.offer_id.is_(None)))
    question = select(rewards, _HELD).select_from(_WITH_HOLDS).where(and_(*asked))
    order = rewards.c.seq.desc() if wanted.newest else rewards.c.seq
    found = [_reward(row) for row in connection.execute(question.order_by(order).limit(wanted.limit)).mappings()]
    more = len(found) == wanted.limit
    if wanted.newest:
        found.reverse()
    # Past those that were left out, too, so that nobody looks through them again; a release numbers them anew.
    seen = found[-1]["seq"] if found else wanted.after
    return Page(found, seen if more else max(seen, last), more)


def unrewarded(connection: Connection, wanted: Wanted) -> int:
    """Completions of the ``user`` and ``offer`` that no reward was announced for: it is pending, or was refunded while
    it was, or the offer gives none."""
    asked = [
        entries.c.exit_reason == "completed", entries.c.holdout.is_(False), entries.c.user_id.is_not(None),
        ~exists().where(rewards.c.instance == entries.c.instance),
    ]  # fmt: skip
    if wanted.user is not None:
        asked.append(entries.c.user_id == storable(wanted.user))
    if wanted.offer is not None:
        asked.append(entries.c.offer == storable(wanted.offer))
    return int(connection.scalar(select(func.count()).select_from(entries).where(and_(*asked))) or 0)


def find_reward(connection: Connection, reward_id: str) -> Reward | None:
    """One reward, on hold or not."""
    question = select(rewards, _HELD).select_from(_WITH_HOLDS).where(rewards.c.id == storable(reward_id))
    row = connection.execute(question).mappings().first()
    return None if row is None else _reward(row)


def _reward(row: RowMapping) -> Reward:
    told = dict(row)
    for name in ("attributes", "evidence"):
        told[name] = msgspec.json.decode(told[name])
    return told
