"""How far readers of topics are, kept in the store beside what they wrote: in one transaction with it, so that nothing
is left out and nothing goes in twice, wherever a reader dies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from sqlalchemy import BigInteger, Column, Connection, CursorResult, Integer, String, Table, delete, select, update

from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.tables import METADATA
from offerflow.runtime.store.upsert import insert_one


def position_table(name: str) -> Table:
    """A table of positions: topics by their full names, Kafka's id of each, and the next offset."""
    return Table(
        name, METADATA,
        Column("topic", String, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("topic_id", String, nullable=False),
        Column("next", BigInteger, nullable=False),
    )  # fmt: skip


def positions_in(connection: Connection, table: Table) -> dict[Place, Position]:
    """Of every partition that was ever read."""
    return {(row.topic, row.partition): Position(row.topic_id, row.next) for row in connection.execute(select(table))}


def move(
    connection: Connection, table: Table, before: Mapping[Place, Position], after: Mapping[Place, Position]
) -> None:
    """Set positions to ``after``, each of which is where ``before`` says, or is not there yet. Raises Disturbed if one
    is elsewhere: then somebody else reads that partition, and the transaction must come to nothing."""
    for (topic, partition), position in after.items():
        there = before.get((topic, partition))
        if there is None:
            row = {"topic": topic, "partition": partition, **position._asdict()}
            moved = insert_one(connection, table, row)
        else:
            mine = (table.c.topic == topic, table.c.partition == partition)
            as_left = (table.c.topic_id == there.topic_id, table.c.next == there.next)
            changed = connection.execute(update(table).where(*mine, *as_left).values(position._asdict()))
            moved = cast("CursorResult[object]", changed).rowcount == 1
        if not moved:
            raise Disturbed(
                f"the position of {topic}/{partition} is not where it was left; reading on from where it is"
            )


def forget_positions(connection: Connection, table: Table, topics: Collection[str]) -> None:
    """Let ``topics`` be read again from their start, or as far back as their reader goes."""
    connection.execute(delete(table).where(table.c.topic.in_(topics)))
