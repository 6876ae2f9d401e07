"""Work aside of the event loop: bounded in number and time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from offerflow.runtime.errors import DependencyDown
from producers.ingest.api import aside
from producers.ingest.api.aside import Aside


def test_too_much_at_once_is_refused_at_once() -> None:
    """So that a store that hangs does not pile up requests; what was taken is answered all the same."""

    async def crowd() -> list[object]:
        room, blocked = Aside("store", 2), threading.Event()
        taken = [asyncio.ensure_future(room.run(blocked.wait)) for _ in range(64)]
        await asyncio.wait(taken, timeout=0)  # lets them begin
        with pytest.raises(DependencyDown, match="64 questions wait for the store"):
            await room.run(lambda: None)
        blocked.set()
        answers: list[object] = list(await asyncio.gather(*taken))
        room.close()
        return answers

    assert asyncio.run(crowd()) == [True] * 64


def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on by itself; who asked hears in time."""
    monkeypatch.setattr(aside, "_SECONDS", 0.01)
    blocked = threading.Event()

    async def ask() -> None:
        room = Aside("store", 1)
        with pytest.raises(DependencyDown, match="did not answer within"):
            await room.run(blocked.wait)
        blocked.set()
        room.close()

    asyncio.run(ask())


def test_what_work_raises_is_raised() -> None:
    """Errors come through as they are."""

    async def ask() -> None:
        room = Aside("store", 1)
        with pytest.raises(ZeroDivisionError):
            await room.run(lambda: 1 // 0)
        room.close()

    asyncio.run(ask())
