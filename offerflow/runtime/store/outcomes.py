"""Tables of what was decided: entries with their ends, rewards with what became of them, and how far that was read.

The topics of outputs are read in no order among each other. So an exit may make the row of an entry that is still to
come (``entered_at`` is null until then), and what is said of a reward is kept apart until the reward itself is there.
Times are milliseconds since 1970.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from offerflow.runtime.store.positions import forget_positions, position_table
from offerflow.runtime.store.tables import METADATA

SATISFIED, FULFILLED, REVERSED, EXPIRED = "satisfied", "fulfilled", "reversed", "expired"
STATES = (SATISFIED, FULFILLED, REVERSED, EXPIRED)

entries = Table(
    "entry", METADATA,
    Column("instance", String, primary_key=True),
    Column("offer", String, nullable=False),
    Column("version", String),  # hash of the offer's definition
    Column("variant", String, nullable=False),
    Column("holdout", Boolean, nullable=False),
    Column("user_id", String),
    Column("anonymous_id", String),
    Column("via", String),
    Column("attributes", Text),  # JSON
    Column("evidence", Text),  # JSON
    Column("ruleset", String),
    Column("entered_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("exited_at", BigInteger),
    Column("exit_reason", String),
    Index("entry_of_user", "user_id"),
    Index("entry_of_offer", "offer", "variant", "exit_reason"),
)  # fmt: skip

rewards = Table(
    "reward", METADATA,
    Column("id", String, primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),  # new with every change: what cursors count
    Column("user_id", String, nullable=False),
    Column("reward", String, nullable=False),
    Column("value", String),  # as ``amount`` writes it
    Column("currency", String),
    Column("offer", String),
    Column("referral", String),
    Column("side", String, nullable=False),
    Column("variant", String),
    Column("attributes", Text, nullable=False),  # JSON
    Column("instance", String, nullable=False),
    Column("state", String, nullable=False),
    Column("satisfied_at", BigInteger, nullable=False),
    Column("fulfilled_at", BigInteger),
    Column("by", String),
    Column("reversed_at", BigInteger),
    Column("reason", String),
    Column("late", Boolean, nullable=False),
    Column("ruleset", String, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON
    Column("evidence_count", Integer, nullable=False),
    Index("reward_by_state", "state", "seq"),
    Index("reward_of_user", "user_id", "state", "seq"),
    Index("reward_of_offer", "offer", "seq"),
)  # fmt: skip

changes = Table(
    "reward_change", METADATA,
    Column("id", String, primary_key=True),  # of the RewardFulfilled or RewardReversed
    Column("reward_id", String, nullable=False, index=True),
    Column("kind", String, nullable=False),  # fulfilled or reversed
    Column("at", BigInteger, nullable=False),
    Column("by", String),
    Column("reason", String),
)  # fmt: skip

positions = position_table("history_position")

_head = Table(
    "history_head", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("complete_since", BigInteger),
)  # fmt: skip


def make_head(connection: Connection) -> None:
    """Begin the history, if it was not begun. Numbers start at the present in microseconds: so a history that was built
    again counts on beyond every cursor of the one before, and hides nothing from those who hold one."""
    if connection.scalar(select(_head.c.seq)) is None:
        connection.execute(insert(_head).values(id=1, seq=time.time_ns() // 1000))


def numbers(connection: Connection, count: int) -> int:
    """The first of ``count`` numbers for changes of rewards. Whoever has taken some holds the row until its transaction
    ends: so numbers become visible in their order, and a cursor passes by nothing."""
    connection.execute(update(_head).values(seq=_head.c.seq + count))
    return int(connection.execute(select(_head.c.seq)).scalar_one()) - count + 1


def last_number(connection: Connection) -> int:
    """Every change up to this number is visible to whoever asks now."""
    return int(connection.scalar(select(_head.c.seq)) or 0)


def complete(connection: Connection) -> bool:
    """Whether the history once held all there was. Until then what a reward came to may be missing from it."""
    return connection.scalar(select(_head.c.complete_since)) is not None


def mark_complete(connection: Connection) -> None:
    connection.execute(update(_head).values(complete_since=int(time.time() * 1000)))


def empty_outcomes(connection: Connection, topics: Collection[str]) -> None:
    """Remove entries and rewards, so that whoever folds the outputs begins again. ``topics``: the full names of theirs.
    Numbers go on from the present, as in a history that is new."""
    now = time.time_ns() // 1000
    seq = case((_head.c.seq > now, _head.c.seq), else_=now)
    connection.execute(update(_head).values(seq=seq, complete_since=None))
    for table in (entries, rewards, changes):
        connection.execute(delete(table))
    forget_positions(connection, positions, topics)


def list_again(connection: Connection, offer: str) -> None:
    """Number the rewards of an offer anew, in their order, since cursors passed them by while they were on hold."""
    mine = rewards.c.offer == offer
    if connection.scalar(select(rewards.c.id).where(mine).limit(1)) is None:
        return
    numbers(connection, 0)  # so that nobody adds one between counting them and numbering them
    first = numbers(connection, connection.scalar(select(func.count()).select_from(rewards).where(mine)) or 0)
    place = func.row_number().over(order_by=rewards.c.seq)
    ranked = select(rewards.c.id, place.label("place")).where(mine).subquery()
    connection.execute(update(rewards).where(rewards.c.id == ranked.c.id).values(seq=first - 1 + ranked.c.place))


def storable(text: str) -> str:
    """PostgreSQL keeps every character but NUL, for which its picture stands."""
    return text.replace("\0", "\u2400")
