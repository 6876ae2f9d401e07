"""Opening the store."""

from __future__ import annotations

import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from offerflow.runtime.errors import ConfigError, StoreDown
from offerflow.runtime.settings import Settings, StoreSettings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.holds import held_offers, hold, holds
from offerflow.runtime.store.tables import VERSION, store_version
from offerflow.runtime.store.transactions import reading, shown, writing
from offerflow.runtime.store.webhooks import secrets


def at(path: Path) -> Settings:
    return Settings(store=StoreSettings.model_validate({"url": f"sqlite:///{path}"}))


def test_several_programs_that_start_together_make_one_store(tmp_path: Path) -> None:
    """Tables are made once, whoever comes first; the file and what SQLite puts beside it are their owner's alone."""
    opened: list[Engine] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(at(tmp_path / "s.db")))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    with reading(opened[0]) as connection:
        assert connection.scalars(select(store_version.c.version)).all() == [VERSION]
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    for engine in opened:
        engine.dispose()


def test_who_reads_waits_for_no_writer_and_sees_whole_transactions(tmp_path: Path) -> None:
    """A transaction that is open elsewhere is invisible; one that fails leaves nothing."""
    one, two = open_store(at(tmp_path / "s.db")), open_store(at(tmp_path / "s.db"))
    with writing(one) as connection:
        connection.execute(insert(holds).values(offer_id="a", at=1, by="ana"))
        with reading(two) as other:
            assert held_offers(other) == set()
    with suppress(ZeroDivisionError), writing(one) as connection:
        connection.execute(insert(holds).values(offer_id="b", at=1, by="ana"))
        raise ZeroDivisionError
    with reading(two) as other:
        assert held_offers(other) == {"a"}
    assert not hold(two, "a", "ben")
    one.dispose()
    two.dispose()


def test_a_store_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    """The error says which versions meet."""
    engine = open_store(at(tmp_path / "s.db"))
    with writing(engine) as connection:
        connection.execute(update(store_version).values(version=VERSION + 1))
    engine.dispose()
    with pytest.raises(ConfigError, match=f"version {VERSION + 1}, this program knows {VERSION}"):
        open_store(at(tmp_path / "s.db"))


def test_a_store_that_cannot_be_opened_is_told_by_its_variable(tmp_path: Path) -> None:
    """A directory that is not there, a URL that is none, and a driver that is not installed; never a password."""
    with pytest.raises(StoreDown, match="OFFERFLOW_STORE__URL"):
        open_store(at(tmp_path / "absent" / "s.db"))
    for url in ("nonsense", "strange://x/y", "oracle://ana:hunter2@db/x", "postgresql+psycopg://db:hunter2/x"):
        with pytest.raises(ConfigError, match="OFFERFLOW_STORE__URL") as error:
            open_store(Settings(store=StoreSettings.model_validate({"url": url})))
        assert "hunter2" not in str(error.value)


def test_an_error_shows_no_values(tmp_path: Path) -> None:
    """Those of a statement that fails may be the secrets that sign webhooks, and errors reach logs."""
    engine = open_store(at(tmp_path / "s.db"))
    with pytest.raises(IntegrityError) as failed, writing(engine) as connection:
        connection.execute(insert(secrets), {"endpoint": "none", "secret": "whsec_hidden", "created_at": 1})
    assert "whsec_hidden" not in str(failed.value)
    assert "webhook_secret" in str(failed.value)
    engine.dispose()


def test_where_a_store_is_shows_no_secret() -> None:
    """Neither the user nor the password, which may also stand behind the `?`."""
    engine = create_engine("postgresql+psycopg://ana:hunter2@db.example:5433/offerflow?password=hunter2")
    assert shown(engine) == "postgresql+psycopg://db.example:5433/offerflow"
