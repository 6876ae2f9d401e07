"""Tasks beside the answering of requests: their failures are shown, tried again, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from console.web.background import Background, Task
from offerflow.runtime.errors import KafkaDown
from tests.waiting import until


class Work:
    """A task that does as ``fails`` says."""

    def __init__(self, fails: list[Exception]) -> None:
        self.turns = 0
        self.closed = False
        self._fails = fails

    def turn(self) -> None:
        self.turns += 1
        if self._fails:
            raise self._fails[0]

    def close(self) -> None:
        self.closed = True


class Made:
    """Makes tasks and keeps them."""

    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.tasks: list[Work] = []

    def __call__(self) -> Task:
        self.tasks.append(Work(self.fails))
        return self.tasks[-1]


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def task(made: Made) -> Iterator[Background]:
    background = Background("tested", made, 0.001, longest_s=0.002)
    background.start()
    yield background
    background.stop()
    background.join()


def failing() -> float | None:
    return REGISTRY.get_sample_value("offerflow_console_task_failing", {"task": "tested"})


def test_a_service_that_is_away_is_waited_for(made: Made, task: Background) -> None:
    """The same task is turned again, and meanwhile the failure is told by metric and reason."""
    until(lambda: made.tasks and made.tasks[0].turns and task.why is None, "it to work")
    assert failing() == 0
    made.fails.append(KafkaDown("Kafka is away"))
    until(lambda: task.why == "Kafka is away", "it to fail")
    until(lambda: failing() == 1, "the metric")
    made.fails.clear()
    until(lambda: task.why is None and failing() == 0, "it to work again")
    assert len(made.tasks) == 1


def test_after_a_failure_of_ours_it_is_made_anew(made: Made, task: Background) -> None:
    """Any other error: the task is closed and another takes its place; the thread lives on."""
    until(lambda: made.tasks and made.tasks[0].turns, "it to work")
    made.fails.append(RuntimeError("a bug"))
    until(lambda: len(made.tasks) > 2, "new tasks")
    assert task.why == "a bug"
    made.fails.clear()
    until(lambda: task.why is None, "it to work again")
    assert all(work.closed for work in made.tasks[:-1])
    assert not made.tasks[-1].closed


def test_a_task_that_cannot_be_made_is_tried_again() -> None:
    """Also its constructor may fail, for as long as it likes."""
    tries: list[int] = []
    worked = threading.Event()

    class Fine:
        def turn(self) -> None:
            worked.set()

    def make() -> Task:
        tries.append(1)
        if len(tries) < 4:
            raise KafkaDown("not yet")
        return Fine()

    background = Background("made", make, 0.001, longest_s=0.002)
    background.start()
    assert worked.wait(30)
    background.stop()
    background.join()
    assert len(tries) == 4


def test_stopping_closes_what_it_turned(made: Made, task: Background) -> None:
    """At once, even in a long pause."""
    slow = Background("slow", made, 3600)
    slow.start()
    until(lambda: len(made.tasks) == 2 and made.tasks[1].turns, "its turn")
    slow.stop()
    slow.join()
    assert made.tasks[1].closed
