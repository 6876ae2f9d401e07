"""Wrong keys from one address are answered later and later; nobody else is."""

from __future__ import annotations

import asyncio

from producers.ingest.guesses import Guesses


class Clock:
    """A sleep takes no time and is remembered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))


def guess(guesses: Guesses, times: int, address: str = "10.0.0.1") -> None:
    async def every() -> None:
        for _ in range(times):
            await guesses.hold_back(address)

    asyncio.run(every())


def test_a_few_mistakes_cost_nothing_and_many_are_held_back() -> None:
    """A little more each time, with an end to it; an address that stops is forgiven, and others never notice."""
    clock = Clock()
    guesses = Guesses(clock, clock.sleep)
    guess(guesses, 20)
    assert clock.slept == []
    guess(guesses, 30)
    assert clock.slept[:3] == [0.1, 0.2, 0.3]
    assert clock.slept[-1] == 2.0
    clock.slept.clear()
    guess(guesses, 1, "10.0.0.2")
    clock.now += 3600
    guess(guesses, 1)
    assert clock.slept == []


def test_memory_is_bounded() -> None:
    """However many addresses there are, only the latest are remembered."""
    clock = Clock()
    guesses = Guesses(clock, clock.sleep)
    for number in range(6000):
        guess_once(guesses, f"a{number}")
    assert len(guesses._counted) == 4096


def guess_once(guesses: Guesses, address: str) -> None:
    guesses._wait(address)


def test_only_so_many_answers_wait_at_once() -> None:
    """More are given at once, so that holding back is no way to fill the server."""

    async def run() -> int:
        release = asyncio.Event()

        async def sleep(_: float) -> None:
            await release.wait()

        guesses = Guesses(Clock(), sleep)
        for _ in range(20):
            await guesses.hold_back("x")
        waiting = [asyncio.ensure_future(guesses.hold_back("x")) for _ in range(300)]
        await asyncio.sleep(0)
        answered = sum(one.done() for one in waiting)
        release.set()
        await asyncio.gather(*waiting)
        return answered

    assert asyncio.run(run()) == 300 - 256
