"""When each key was last used, as the edge tells now and then. Keys are in the catalog; here is only their id."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Connection, String, Table, select

from offerflow.runtime.store.tables import METADATA
from offerflow.runtime.store.upsert import upsert

key_use = Table(
    "key_use", METADATA,
    Column("key", String, primary_key=True),  # the id: the first digits of the SHA-256
    Column("at", BigInteger, nullable=False),  # milliseconds since 1970
)  # fmt: skip


def write_uses(connection: Connection, uses: Mapping[str, int]) -> None:
    """``uses``: milliseconds since 1970 by id of the key."""
    upsert(connection, key_use, [{"key": key, "at": at} for key, at in sorted(uses.items())], ("at",))


def last_uses(connection: Connection) -> dict[str, int]:
    """Milliseconds since 1970 by id of the key, of all that were ever used."""
    return {row.key: row.at for row in connection.execute(select(key_use))}
