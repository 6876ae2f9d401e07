"""The relational store for somebody who only looks: nothing is made, no table and no file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from offerflow.runtime.errors import ConfigError, StoreDown
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.engine import BUSY_S, unreadable_url  # with it come the modules of all tables

CONNECT_S = 4
_MODE_AT = 18
"""Where an SQLite file says how it is written (its format's "write version"); 2 is with a log of writes."""


def open_to_look(settings: Settings) -> Engine:
    """Raises ConfigError if the URL cannot work, StoreDown if it names a file that is not there. Whether a server
    answers shows with the first question."""
    url = address_of(settings)
    try:
        path = file_of(url)
        if path is None:
            given = {"connect_timeout": CONNECT_S} if url.get_backend_name() == "postgresql" else {}
            return create_engine(url, hide_parameters=True, connect_args=given)
        if not path.exists():
            raise StoreDown(
                f"there is no store at {path.absolute()}: the programs make it when they start; if they have, they run"
                " in another directory, so set OFFERFLOW_STORE__URL to a whole path"
            )
        readable = f"file:{quote(str(path.absolute()))}?mode=ro" + ("" if _at_work(path) else "&immutable=1")
        return create_engine(
            url,
            hide_parameters=True,
            creator=lambda: sqlite3.connect(readable, uri=True, timeout=BUSY_S, check_same_thread=False),
        )
    except ValueError:
        raise unreadable_url() from None
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"OFFERFLOW_STORE__URL cannot be used ({error})") from None


def address_of(settings: Settings) -> URL:
    """Raises ConfigError if it is none; any piece of such a one may be one of a password, so none is told."""
    try:
        return make_url(settings.store.url.get_secret_value())
    except (ArgumentError, ValueError):
        raise ConfigError(
            "OFFERFLOW_STORE__URL cannot be read: expected sqlite:///PATH or postgresql+psycopg://HOST/NAME"
        ) from None


def ask(connection: Connection) -> None:
    """One question that only a store can answer: a file that is no database opens as well."""
    connection.execute(
        text("select count(*) from sqlite_master" if connection.dialect.name == "sqlite" else "select 1")
    )


def writes_ahead(path: Path) -> bool:
    """Whether an SQLite file is in WAL mode. A connection that may make no files does not tell."""
    with path.open("rb") as file:
        return file.read(_MODE_AT + 1)[_MODE_AT:] == b"\x02"


def file_of(url: URL) -> Path | None:
    """The file of an SQLite store; None for any other."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _at_work(path: Path) -> bool:
    """Whether some program has the file open. Without one, a reader would have to make the files that they share, and
    a program of another user could not write them; but nothing changes either, so it can be read as it lies."""
    return all(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-shm"))


def require(connection: Connection, table: Table) -> None:
    """Raises StoreDown if no program has made the tables yet."""
    if not inspect(connection).has_table(table.name):
        raise StoreDown(f"the store has no table {table.name} yet: programs make their tables when they start")
