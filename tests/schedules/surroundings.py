"""What is put in place of the outside of a worker while a simulated deployment is at work: doubles, clocks, chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

import consumers.rules.__main__ as rules_main
import consumers.rules.clock as rules_clock
import consumers.rules.rulebook as rules_book
import consumers.rules.stage as rules_stage
import consumers.validation.__main__ as validation_main
import consumers.validation.stage as validation_stage
import consumers.validation.view as validation_view
import schemas.folding.book as readers_book
from offerflow.rules import fold
from offerflow.runtime import outside, program, steps
from offerflow.runtime.kafka import admin
from offerflow.runtime.steps import Step
from schemas.codec import RecordCodec
from tests.doubles.store import StoreDouble
from tests.schedules import remembered
from tests.schedules.process import Signal, SimulatedProgram, Thread

if TYPE_CHECKING:
    from tests.schedules.deployment import Deployment

T = TypeVar("T")
MAINS: dict[str, Callable[[], int]] = {"rules": rules_main.main, "validation": validation_main.main}
_COUNTING = (
    (MetricWrapperBase, "labels"), (MetricWrapperBase, "remove"), (Counter, "inc"), (Gauge, "set"),
    (Histogram, "observe"),
)  # fmt: skip
IDLE_S = 1.0
"""How long an idle turn waits: longer than in earnest, so that idle turns are few."""


@contextmanager
def installed(world: Deployment) -> Iterator[None]:
    scheduler = world.scheduler
    numbers = count(1)

    def process() -> Any:
        found = world.process
        assert found is not None, "only a simulated process may ask for this"
        return found

    def reached(step: Step) -> None:
        if world.process is not None:
            world.process.reached(step)
            scheduler.point(step.value)

    def bounded(call: Callable[[], T], seconds: float) -> T:
        """A call that hangs, if one is to hang, is left behind as a task of its process, which may still act."""
        owner = world.process
        if owner is None or not owner.hang:
            return call()
        hang, owner.hang = owner.hang, 0.0
        came: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                scheduler.wait(hang)
                came.append((call(), None))
            except Exception as error:
                came.append((None, error))

        scheduler.spawn(f"{owner!r}.call", run, owner)
        if not scheduler.wait(seconds, lambda: bool(came)):
            raise TimeoutError(f"no answer within {seconds:g} s")
        result, error = came[0]
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    class Retry:
        """One try of ``stamina.retry_context``: swallows what may be tried again, until the time is over."""

        def __init__(self, on: Any, num: int, last: bool) -> None:
            self._on, self.num, self._last = on, num, last
            self.done = False

        def __enter__(self) -> Retry:
            return self

        def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
            self.done = error is None
            return error is not None and isinstance(error, self._on) and not self._last

    def retry_context(
        on: Any, attempts: int | None = 10, timeout: float | None = 45.0, wait_initial: float = 0.1,
        wait_max: float = 5.0, **rest: Any,
    ) -> Iterator[Retry]:  # fmt: skip
        started, wait, tries = scheduler.now, wait_initial, 0
        while True:
            tries += 1
            over = timeout is not None and scheduler.now - started + wait > timeout
            one = Retry(on, tries, over or tries == attempts)
            yield one
            if one.done:
                return
            scheduler.wait(wait)
            wait = min(2 * wait, wait_max)

    log = _Log(world)
    quiet_gc = SimpleNamespace(freeze=lambda: None, set_threshold=lambda *args: None, collect=lambda: None)
    random_ids = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{next(numbers):032x}"))
    simulated: list[tuple[Any, str, Any]] = [
        (outside, "Producer", world.cluster.Producer),
        (outside, "Consumer", world.cluster.Consumer),
        (outside, "AdminClient", world.cluster.AdminClient),
        (outside, "monotonic", world.now),
        (outside, "wall", world.wall),
        (outside, "sleep", lambda seconds: scheduler.wait(seconds) and None),
        (outside, "bounded", bounded),
        (outside, "thread", lambda name, target: Thread(scheduler, name, target)),
        (steps, "watch", reached),
        (admin, "stamina", SimpleNamespace(retry_context=retry_context)),
        (program, "time", SimpleNamespace(monotonic=world.now)),
        (program, "gc", quiet_gc),
        (rules_main, "gc", quiet_gc),
        (rules_stage, "uuid", random_ids),
        (rules_clock, "Event", lambda: Signal(scheduler)),
        (rules_main, "StateStore", lambda settings: StoreDouble(world.redis)),
        (rules_book, "ruleset_of", remembered.ruleset_of),
        (rules_book, "plan_of", remembered.plan_of),
        (readers_book, "EventReader", remembered.reader),
        (validation_view, "plan_of", remembered.plan_of),
        (fold, "LiveRules", remembered.live_rules),
        (RecordCodec, "shipped", remembered.shipped),
        (rules_stage, "WAIT_S", IDLE_S),
        (validation_stage, "WAIT_S", IDLE_S),
        (rules_clock, "LOOK_S", IDLE_S),
        (rules_clock, "WAIT_S", 0.3),
    ]
    # Many processes share one registry here, and counting would be a fifth of the work.
    for kind, name in _COUNTING:
        simulated.append((kind, name, lambda self, *args, **kwargs: self))
    for main in rules_main, validation_main:
        simulated += [
            (main, "load_settings", lambda: process().settings),
            (main, "Program", lambda settings, name: SimulatedProgram(scheduler, process())),
        ]
    before = [(room, name, vars(room)[name]) for room, name, _ in simulated]
    try:
        for room, name, double in simulated:
            setattr(room, name, double)
        with log.listening():
            yield
    finally:
        for room, name, was in before:
            setattr(room, name, was)


class _Log:
    """Takes the logs of all workers: refusals are kept, everything goes into the trace."""

    def __init__(self, world: Deployment) -> None:
        self._world = world

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = structlog.get_config() if structlog.is_configured() else None
        structlog.reset_defaults()  # else what an earlier configuration filters would be missing from the trace
        structlog.configure(processors=[self._take], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.reset_defaults()
            if before is not None:
                structlog.configure(**before)

    def _take(self, logger: Any, method: str, event: Any) -> Any:
        world = self._world
        if event.get("reason") is not None and method == "error":
            world.refusals.append((repr(world.process), event["reason"], str(event.get("why"))))
        if event["event"] == "cannot go on":
            world.crashes.append((repr(world.process), RuntimeError(event.get("why"))))
        if world.scheduler.trace is not None:
            words = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
            world.scheduler.note(f"{method}: {event['event']} {words}")
        raise structlog.DropEvent
