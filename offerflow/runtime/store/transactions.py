"""Transactions on the store, and its errors in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from offerflow.runtime.errors import StoreDown

READING = "offerflow_reading"
"""Execution option of a connection that only reads."""


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: all of it happens or none. Raises StoreDown if the store does not answer."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _translated(engine, error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads, and waits for no writer. Raises StoreDown if the store does not answer."""
    try:
        with engine.connect().execution_options(**{READING: True}) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise _translated(engine, error) from error


def shown(engine: Engine) -> str:
    """Where the store is, without user, password and options."""
    url = engine.url
    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def _translated(engine: Engine, error: DBAPIError) -> Exception:
    if not isinstance(error, OperationalError) and not error.connection_invalidated:
        return error
    why = str(error.orig).strip().splitlines()
    return StoreDown(
        f"the store {shown(engine)} does not answer ({why[0] if why else 'no reason given'});"
        " is it there, is OFFERFLOW_STORE__URL right?"
    )
