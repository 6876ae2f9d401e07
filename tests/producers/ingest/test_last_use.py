"""When keys were last used reaches the store, seldom, and whatever becomes of the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from offerflow.runtime.errors import StoreDown
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.key_use import last_uses
from offerflow.runtime.store.transactions import reading
from producers.ingest.last_use import LastUse
from tests.postgres import Postgres


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, text: str, **_: object) -> None:
        self.said.append(text)

    exception = warning


class Store:
    """A database, or trouble."""

    def __init__(self, url: str) -> None:
        self.settings = load_settings(store={"url": url})
        self.trouble: Exception | None = None

    def open(self) -> Engine:
        if self.trouble is not None:
            raise self.trouble
        return open_store(self.settings)

    def uses(self) -> dict[str, int]:
        engine = open_store(self.settings)
        with reading(engine) as connection:
            found = last_uses(connection)
        engine.dispose()
        return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'store.db'}")


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store in each of the databases."""
    if request.param == "sqlite":
        return Store(f"sqlite:///{tmp_path / 'store.db'}")
    return Store(cast(Postgres, request.getfixturevalue("postgresql")).database())


def test_a_key_is_written_at_once_and_then_once_a_minute(either: Store) -> None:
    """The first use shows soon; of what follows the latest is written when its minute is over."""
    clock = Clock()

    async def run() -> None:
        uses = LastUse(either.open, clock)
        uses.note("abc", 1000)
        uses.note("", 1000)
        await uses.write()
        assert either.uses() == {"abc": 1000}
        uses.note("abc", 31_000)
        uses.note("def", 31_000)
        clock.now = 30
        await uses.write()
        assert either.uses() == {"abc": 1000, "def": 31_000}
        clock.now = 61
        await uses.write()
        assert either.uses() == {"abc": 31_000, "def": 31_000}
        await uses.close()

    asyncio.run(run())


def test_what_is_left_is_written_at_the_end(store: Store) -> None:
    """A program that stops in the middle of a minute loses nothing it knew."""

    async def run() -> None:
        uses = LastUse(store.open, Clock())
        uses.note("abc", 1)
        await uses.write()
        uses.note("abc", 2)
        await uses.close()

    asyncio.run(run())
    assert store.uses() == {"abc": 2}


@pytest.mark.parametrize("trouble", [StoreDown("away"), RuntimeError("a bug")])
def test_a_store_that_is_away_disturbs_nobody(
    store: Store, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, not every time, and what was to be written is written when the store is back."""
    clock, log = Clock(), Log()
    monkeypatch.setattr("producers.ingest.last_use.get_logger", lambda: log)

    async def run() -> None:
        uses = LastUse(store.open, clock)
        store.trouble = trouble
        for turn in range(3):
            clock.now = 100.0 * turn
            uses.note("abc", turn)
            await uses.write()
        store.trouble = None
        clock.now = 400
        await uses.write()
        await uses.close()

    asyncio.run(run())
    assert store.uses() == {"abc": 2}
    assert len(log.said) == 1


def test_the_background_task_writes_and_ends_when_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks again and again, and a cancellation ends it."""
    monkeypatch.setattr("producers.ingest.last_use._LOOK_SECONDS", 0.01)

    async def run() -> None:
        uses = LastUse(store.open)
        uses.note("abc", 5)
        task = asyncio.create_task(uses.run())
        async with asyncio.timeout(60):
            while not store.uses():
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await uses.close()

    asyncio.run(run())
    assert store.uses() == {"abc": 5}
