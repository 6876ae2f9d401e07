"""The same work in one process and in several."""

from __future__ import annotations

import os

import pytest

from console.verify.processes import Processes, Told
from offerflow.runtime.errors import OfferflowError, Refused, TryAgain


def square(number: int, told: Told) -> tuple[int, int]:
    told(number)
    told(1)
    return number * number, os.getpid()


def failing(number: int, told: Told) -> int:
    if number == 2:
        raise Refused("engine", "cannot run this")
    while True:
        told(0)  # ends by raising once nobody waits for it


def dying(number: int, told: Told) -> int:
    os._exit(9)


@pytest.mark.parametrize("count", [1, 2])
def test_every_task_is_done_once(count: int) -> None:
    """Results and sums are the same however many processes there are, also for a second round; one works here."""
    with Processes(count) as pool:
        for _ in range(2):
            sums: list[int] = []
            found = list(pool.over(square, [1, 2, 3, 4], sums.append))
            assert sorted(result for result, _ in found) == [1, 4, 9, 16]
            assert sums == sorted(sums)
            assert sums[-1] <= 14
            assert (os.getpid() in {process for _, process in found}) == (count == 1)


def test_what_a_process_refuses_ends_the_work() -> None:
    """The error arrives with its reason, and tasks that would go on for ever are given up."""
    with pytest.raises(Refused, match="cannot run this") as raised, Processes(2) as pool:
        list(pool.over(failing, [1, 2], lambda _: None))
    assert raised.value.reason == "engine"


def test_a_process_that_dies_is_told() -> None:
    """Instead of waiting for its result."""
    with pytest.raises(OfferflowError, match="a process died") as raised, Processes(2) as pool:
        list(pool.over(dying, [1, 2], lambda _: None))
    assert not isinstance(raised.value, TryAgain)
