"""Insert rows that may be there already, in the words of each database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Rows whose primary key is there already are left as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_one(connection: Connection, table: Table, row: Row) -> bool:
    """Whether the row was not there already."""
    counted = {"preserve_rowcount": True}
    done = connection.execute(_insert(connection, table).on_conflict_do_nothing(), row, execution_options=counted)
    return bool(done.rowcount == 1)


def upsert(connection: Connection, table: Table, rows: Sequence[Row], replaced: Sequence[str]) -> None:
    """Of rows whose primary key is there already, the columns ``replaced`` are."""
    merge(connection, table, rows, {name: itemgetter(name) for name in replaced})


def merge(
    connection: Connection, table: Table, rows: Sequence[Row], merged: Mapping[str, Callable[[Any], Any]]
) -> None:
    """Of rows whose primary key is there already, each column of ``merged`` becomes what its function makes of the
    columns of the new row."""
    if rows:
        statement = _insert(connection, table)
        new = {name: make(statement.excluded) for name, make in merged.items()}
        connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new), rows)


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
