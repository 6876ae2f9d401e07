"""Opens the relational store and makes its tables: SQLite (a file, read while another writes) or PostgreSQL by URL.

Writers of SQLite take turns from the start of a transaction, so that none is refused in the middle of one.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from offerflow.runtime.errors import ConfigError, StoreDown
from offerflow.runtime.settings import Settings
from offerflow.runtime.store import debugging, events, holds, key_use, outcomes, spend, webhooks
from offerflow.runtime.store.tables import METADATA, VERSION, store_version
from offerflow.runtime.store.transactions import READING, shown, writing

BUSY_S = 5.0
"""How long one waits for another's transaction; below every time-out of the programs' loops."""
_TABLES = (debugging, events, holds, key_use, outcomes, spend, webhooks)
"""Modules that add tables: importing them is what makes their tables exist."""
_MAKING = 0x6F66_6672
"""Key of the advisory lock under which PostgreSQL's tables are made, one program at a time."""


def unreadable_url() -> ConfigError:
    """Instead of the error that a URL cannot be read: that one repeats a piece of it, which may be of the password."""
    return ConfigError(
        "OFFERFLOW_STORE__URL cannot be read: expected a number as its port, and any of : / ? # @ [ ] in a password"
        " percent-encoded"
    )


def open_store(settings: Settings, cache_mb: int = 2) -> Engine:
    """The store of ``settings``, with all its tables. Raises StoreDown if it does not answer, ConfigError if the URL
    cannot work or a newer offerflow made the tables. ``cache_mb``: memory for pages of SQLite, per connection."""
    try:
        url = make_url(settings.store.url.get_secret_value())
        # Errors would show the secrets that are written with a statement.
        engine = create_engine(url, hide_parameters=True, **_options(url))
    except ValueError:
        raise unreadable_url() from None
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"OFFERFLOW_STORE__URL cannot be used ({error}); expected sqlite:///PATH or postgresql+psycopg://HOST/NAME"
            " with its driver installed"
        ) from None
    if url.get_backend_name() == "sqlite":
        _private(url)
        event.listen(engine, "connect", partial(_prepare, cache_mb))
        event.listen(engine, "begin", _begin)
    with writing(engine) as connection:
        if url.get_backend_name() == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MAKING})
        METADATA.create_all(connection)
        found = connection.scalar(select(store_version.c.version))
        if found is None:
            connection.execute(insert(store_version).values(version=VERSION))
    if found is not None and found > VERSION:
        raise ConfigError(
            f"the store {shown(engine)} has tables of version {found}, this program knows {VERSION}: run the offerflow"
            " that made them, or a newer one"
        )
    return engine


def _options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_S}}
    return {"pool_pre_ping": True}


def _private(url: URL) -> None:
    """The file is for its owner alone: the secrets that sign webhooks are in it. What SQLite puts beside it follows."""
    if not url.database or url.database == ":memory:":
        return
    path = Path(url.database)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreDown(
            f"the store {path} cannot be opened: {error.strerror}; set OFFERFLOW_STORE__URL to a file in a directory"
            " that exists and may be written"
        ) from None


def _prepare(cache_mb: int, connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and later than we mean
    pages = 250 * cache_mb
    # A page that changes again before it is moved out of the log is moved once.
    sizes = (f"cache_size={pages}", f"wal_autocheckpoint={max(1000, pages)}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *sizes):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
