"""Turns taken as a seed says: the same again for the same seed, and death at any point of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.schedules.scheduler import Pace, Scheduler


@dataclass
class Someone:
    """An owner of tasks."""

    name: str = "someone"
    dead: bool = False
    stopped_until: float = 0.0


def run(scheduler: Scheduler) -> None:
    for _ in range(10_000):
        if not scheduler.tasks:
            return
        scheduler.step()
    pytest.fail("the tasks do not end")


def counted(seed: int) -> tuple[list[str], list[str]]:
    """Trace, and the order of what three tasks of thirty points did."""
    scheduler, order = Scheduler(seed, trace=True), list[str]()

    def live(name: str) -> None:
        for number in range(30):
            scheduler.point(f"point {number}")
            if number % 7 == 0:
                scheduler.wait(0.5)
            order.append(f"{name}{number}")

    for name in "abc":
        scheduler.spawn(name, lambda name=name: live(name))  # type: ignore[misc]
    run(scheduler)
    return scheduler.trace or [], order


def test_a_seed_says_it_all() -> None:
    """The same seed gives the same trace, times included; another one lets the tasks meet in another order."""
    assert counted(1) == counted(1)
    assert counted(1)[1] != counted(2)[1]
    assert sorted(counted(1)[1]) == sorted(counted(2)[1])


def test_time_moves_to_what_comes_first() -> None:
    """Where all tasks wait, the shortest wait is over first, and none is over early."""
    scheduler, woken = Scheduler(1), list[tuple[str, float]]()

    def sleep(name: str, seconds: float) -> None:
        scheduler.wait(seconds)
        woken.append((name, round(scheduler.now - begun)))

    begun = scheduler.now
    for name, seconds in ("long", 9.0), ("short", 2.0):
        scheduler.spawn(name, lambda name=name, seconds=seconds: sleep(name, seconds))  # type: ignore[misc]
    scheduler.after(5.0, lambda: woken.append(("timer", round(scheduler.now - begun))))
    run(scheduler)
    assert woken == [("short", 2), ("timer", 5), ("long", 9)]


def test_what_was_waited_for_ends_the_wait() -> None:
    """A wait is told whether what it waited for has come, and goes on at that moment."""
    scheduler, said, flag = Scheduler(1), list[bool](), list[bool]()
    begun = scheduler.now
    scheduler.spawn("waits", lambda: said.append(scheduler.wait(60.0, lambda: bool(flag))))
    scheduler.spawn("gives up", lambda: said.append(scheduler.wait(1.0, lambda: False)))
    scheduler.after(2.0, lambda: flag.append(True))
    run(scheduler)
    assert said == [False, True]
    assert scheduler.now - begun < 3


@pytest.mark.parametrize("number", range(1, 6))
def test_death_at_a_point(number: int) -> None:
    """A dead owner's tasks do nothing more, whatever their ``finally`` blocks try; those of others go on."""
    scheduler, done, mine = Scheduler(number, Pace(switch=1.0)), list[str](), Someone()

    def live(name: str) -> None:
        try:
            for at in range(5):
                scheduler.point("point")
                done.append(f"{name}{at}")
        finally:
            scheduler.point("at the end")
            done.append(f"{name} ended")

    def die() -> None:
        if not mine.dead and sum(one.startswith("mine") for one in done) == number:
            mine.dead = True
            scheduler.end(mine)

    scheduler.between.append(die)
    scheduler.spawn("mine", lambda: live("mine"), mine)
    scheduler.spawn("other", lambda: live("other"), Someone())
    run(scheduler)
    assert [one for one in done if one.startswith("mine")] == [f"mine{at}" for at in range(min(number, 5))]
    assert [one for one in done if one.startswith("other")] == [*(f"other{at}" for at in range(5)), "other ended"]


def test_a_stopped_owner() -> None:
    """Does nothing until it goes on, also where its wait is over."""
    scheduler, done, owner = Scheduler(1), list[float](), Someone()
    owner.stopped_until = scheduler.now + 30.0
    begun = scheduler.now

    def live() -> None:
        scheduler.wait(1.0)
        done.append(scheduler.now - begun)

    scheduler.spawn("stopped", live, owner)
    run(scheduler)
    assert 30 <= done[0] < 32


def test_an_exception_is_told() -> None:
    """What ends a task is kept with it."""
    scheduler, ended = Scheduler(1), list[BaseException | None]()
    scheduler.ended = lambda task: ended.append(task.failure)

    def fail() -> None:
        raise ValueError("so")

    scheduler.spawn("fails", fail)
    scheduler.spawn("ends", lambda: None)
    run(scheduler)
    assert sorted(map(repr, ended)) == ["None", "ValueError('so')"]
