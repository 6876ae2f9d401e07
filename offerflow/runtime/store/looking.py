"""The relational store for somebody who only looks: nothing is made, no table and no file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from offerflow.runtime.errors import ConfigError, StoreDown
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.engine import BUSY_S  # with it come the modules of all tables

CONNECT_S = 4


def open_to_look(settings: Settings) -> Engine:
    """Raises ConfigError if the URL cannot work, StoreDown if it names a file that is not there. Whether a server
    answers shows with the first question."""
    try:
        url = make_url(settings.store.url.get_secret_value())
        path = file_of(url)
        if path is None:
            given = {"connect_timeout": CONNECT_S} if url.get_backend_name() == "postgresql" else {}
            return create_engine(url, hide_parameters=True, connect_args=given)
        if not path.exists():
            raise StoreDown(
                f"there is no store at {path.absolute()}: the programs make it when they start; if they have, they run"
                " in another directory, so set OFFERFLOW_STORE__URL to a whole path"
            )
        readable = f"file:{quote(str(path.absolute()))}?mode=ro"
        return create_engine(
            url,
            hide_parameters=True,
            creator=lambda: sqlite3.connect(readable, uri=True, timeout=BUSY_S, check_same_thread=False),
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"OFFERFLOW_STORE__URL cannot be used ({error})") from None


def file_of(url: URL) -> Path | None:
    """The file of an SQLite store; None for any other."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def require(connection: Connection, table: Table) -> None:
    """Raises StoreDown if no program has made the tables yet."""
    if not inspect(connection).has_table(table.name):
        raise StoreDown(f"the store has no table {table.name} yet: programs make their tables when they start")
