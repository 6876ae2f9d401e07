"""Services that hang or are not what they should be, and a store that is looked at without leaving a trace."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.doctor import redis_server, store
from console.doctor.finding import Finding
from offerflow.runtime.redis import server
from offerflow.runtime.settings import RedisSettings, RegistrySettings, Settings, StoreSettings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.looking import open_to_look
from offerflow.runtime.store.tables import METADATA
from tests.console.doctor.test_kafka import told


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _at(url: object) -> Settings:
    return Settings(store=StoreSettings(url=str(url)))


def _reached(settings: Settings) -> Finding:
    [found] = store.reach(settings)
    return found


def test_a_redis_that_hangs_is_bad(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for less long than a worker would, and its address is told without what may be secret."""
    monkeypatch.setattr(server, "LOOK_S", 0.05)
    [found] = redis_server.reach(Settings(redis=RedisSettings(url=f"redis://127.0.0.1:{silent}/0?password=geheim")))
    assert (found.id, found.verdict) == ("redis-reachable", "bad")
    assert f"127.0.0.1:{silent}" in found.found
    assert "geheim" not in found.found + found.do


def test_a_registry_that_cannot_be_reached_is_bad() -> None:
    """No token of its URL is told."""
    [found] = store.look_registry(Settings(registry=RegistrySettings(url="ftp://127.0.0.1:1/?token=geheim")))
    assert (found.id, found.verdict) == ("registry-reachable", "bad")
    assert "geheim" not in found.found


@pytest.mark.parametrize("content", ["root:x:0:0", "SQLite format 3\0" + "x" * 5000])
def test_a_store_that_is_no_database_is_bad(content: str, tmp_path: Path) -> None:
    """Any file opens; what tells is a question."""
    (tmp_path / "store.db").write_text(content)
    found = _reached(_at(f"sqlite:///{tmp_path / 'store.db'}"))
    assert (found.id, found.verdict) == ("store-reachable", "bad")
    assert "docs/backups.md" in found.do


@pytest.mark.parametrize("url", ["", "store.db", "postgresql+psycopg://u:ge/heim@h:x1/db", "nothing://h/db"])
def test_a_store_whose_url_cannot_be_is_bad_once(url: str) -> None:
    """Other checks send to the one that says so; no piece of a password is told."""
    assert (_reached(_at(url)).verdict, "heim" in _reached(_at(url)).found) == ("bad", False)


def test_what_else_needs_the_url_sends_to_that() -> None:
    """Without asking Kafka for anything."""
    [found] = store.look_shared(_at("store.db"))
    assert (found.verdict, found.found) == ("unknown", "the store cannot be asked: see store-reachable")


def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    """Whether a program has the file open, so that the newest is in a file beside it, or none has: then whoever looks
    would own what a program must write."""
    settings = _at(f"sqlite:///{tmp_path / 'store.db'}")
    engine = open_store(settings)
    with engine.connect() as writer:
        writer.exec_driver_sql("create table newest (a)")
        writer.commit()
        before = sorted(tmp_path.iterdir())
        assert len(before) == 3
        looking = open_to_look(settings)
        with looking.connect() as reader:
            assert reader.exec_driver_sql("select count(*) from newest").scalar() == 0
        looking.dispose()
        assert _reached(settings).verdict == "ok"
        assert sorted(tmp_path.iterdir()) == before
    engine.dispose()
    alone = sorted(tmp_path.iterdir())
    assert alone == [tmp_path / "store.db"]
    found = list(store.look_file(settings))
    assert told(found, "store-tables").found == f"{len(METADATA.tables)} tables, version {store.VERSION}"
    assert told(found, "store-file-system").found.startswith("WAL")
    assert _reached(settings).verdict == "ok"
    assert sorted(tmp_path.iterdir()) == alone
