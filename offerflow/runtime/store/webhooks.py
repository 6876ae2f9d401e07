"""Tables of webhooks: endpoints and their secrets, the queue, the log of tries, and how far the outputs were read.

Times are milliseconds since 1970. A delivery is waiting until it is delivered or parked; ``due`` is when it may be
tried, ``deadline`` (set by its first failure) when it is given up. ``offer`` and ``reward`` say what it concerns.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from offerflow.runtime.store.positions import position_table
from offerflow.runtime.store.tables import METADATA, Id

ACTIVE, PAUSED, DISABLED = "active", "paused", "disabled"
WAITING, DELIVERED, PARKED = "waiting", "delivered", "parked"

_OWNER = "webhook_endpoint.name"

endpoints = Table(
    "webhook_endpoint", METADATA,
    Column("name", String, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),  # separated by spaces
    Column("state", String, nullable=False),
    Column("why", Text, nullable=False, default=""),  # why it is not active
    Column("created_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False, default=0),  # from here on: the circuit breaker
    Column("trips", Integer, nullable=False, default=0),
    Column("open_until", BigInteger, nullable=False, default=0),
    Column("failing_since", BigInteger),
)  # fmt: skip

secrets = Table(
    "webhook_secret", METADATA,
    Column("id", Id, primary_key=True),
    Column("endpoint", ForeignKey(_OWNER, ondelete="CASCADE"), nullable=False, index=True),
    Column("secret", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),  # none: the current one
)  # fmt: skip

deliveries = Table(
    "delivery", METADATA,
    Column("id", Id, primary_key=True),
    Column("endpoint", ForeignKey(_OWNER, ondelete="CASCADE"), nullable=False),
    Column("message_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("offer", String),
    Column("reward", String),
    Column("body", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("done_at", BigInteger),
    Column("error", Text, nullable=False, default=""),
    UniqueConstraint("endpoint", "message_id"),
    Index("delivery_due", "endpoint", "state", "due"),
    sqlite_autoincrement=True,  # an id in flight must not come again after its row was removed
)  # fmt: skip

attempts = Table(
    "attempt", METADATA,
    Column("id", Id, primary_key=True),
    Column("endpoint", ForeignKey(_OWNER, ondelete="CASCADE"), nullable=False),
    Column("message_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", Integer),
    Column("error", Text, nullable=False, default=""),
    Index("attempt_of", "endpoint", "id"),
)  # fmt: skip

positions = position_table("webhook_position")

sender = Table(
    "webhook_sender", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String, nullable=False),
    Column("until", BigInteger, nullable=False),
)  # fmt: skip
"""One row: which worker sends. Several may read; were several to send, everything would go out several times."""
