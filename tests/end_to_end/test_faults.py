"""Workers killed, joining and leaving, Redis emptied, all in mid-stream: nothing lost, doubled or wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.end_to_end.cli import Stack
from tests.end_to_end.coffee import LATER, WORKSPACE, Raw, Traffic
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.slow]
SLICE, BETWEEN = 400, 1.0


class Load:
    """Publishes traffic in the background until told to stop: a heap to begin with, then slice after slice."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack, self._traffic = stack, Traffic(seed, users=300)
        self._stop = Event()
        self._failure: BaseException | None = None
        self.sent = 0
        self._thread = Thread(target=self._publish, name="load")

    def _publish(self) -> None:
        try:
            taken: list[Raw] = self._traffic.take(20 * SLICE)
            while True:
                self._stack.publish(taken)
                self.sent += len(taken)
                if self._stop.wait(BETWEEN):
                    return
                taken = self._traffic.take(SLICE)
        except BaseException as error:
            self._failure = error

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def flows(self, seconds: float = 90) -> None:
        """Wait until what is sent from now on comes out as outputs."""
        sent = self.sent
        until(lambda: self.sent > sent, "the load to go on", seconds)
        journal = self._stack.ends("journal")
        until(lambda: self._stack.ends("journal") > journal, "more in the journal", seconds, self._stack.state)
        entries = self._stack.ends("offer-entry")
        until(lambda: self._stack.ends("offer-entry") > entries, "more entries", seconds, self._stack.state)


@contextmanager
def _loaded(stack: Stack, seed: int) -> Iterator[Load]:
    with Load(stack, seed) as load:
        load.flows()
        yield load


def _judge(stack: Stack, load: Load) -> None:
    stack.wait_idle()
    examined = stack.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    assert examined.totals["events"] == load.sent
    assert min(examined.totals["entries"], examined.totals["rewards"]) > 100


def test_workers_die_join_and_leave(cli: Callable[..., Stack]) -> None:
    """With two workers of each kind: one joining, kill -9 of one that was there and of one that just joined, and all
    but one leaving, all under load."""
    stack = cli()
    stack.up(validation=2, rules=2)
    stack.apply(WORKSPACE)
    with _loaded(stack, 31) as load:
        stack.up(validation=3, rules=3)
        load.flows()
        stack.kill("rules-3")
        load.flows()
        stack.kill("validation-1")
        load.flows()
        stack.up(validation=1, rules=1)
        load.flows()
    _judge(stack, load)


def test_a_worker_wakes_up_as_a_zombie(cli: Callable[..., Stack]) -> None:
    """A worker of each kind is stopped until others have taken over, then woken with its half-done batch."""
    stack = cli()
    stack.up(validation=2, rules=2)
    stack.apply(WORKSPACE)
    with _loaded(stack, 34) as load:
        stopped = [stack.pid(name) for name in ("rules-1", "validation-1")]
        try:
            for process in stopped:
                os.kill(process, signal.SIGSTOP)
            before = stack.folded()
            until(
                lambda: all(now > before[p] for p, now in stack.folded().items()),
                "every partition to move on without them", 90, stack.state,
            )  # fmt: skip
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)
        load.flows()
    _judge(stack, load)


def test_rules_change_under_load(cli: Callable[..., Stack]) -> None:
    """A second workspace applied in mid-stream: each record is decided by the rules in force at its place, also when
    all of it is folded again."""
    stack = cli()
    stack.up(validation=1, rules=2)
    stack.apply(WORKSPACE)
    with _loaded(stack, 36) as load:
        stack.apply(LATER)
        load.flows()
        stack.kill("rules-1")
        stack.empty_redis()
        load.flows()
    stack.wait_idle()
    examined = stack.examine(WORKSPACE, later=[LATER])
    assert not examined.report, str(examined.report)
    rewards = {one.fields["reward"] for one in examined.written if one.record == "RewardSatisfied"}
    assert {"beans", "more-beans", "look"} <= rewards


def test_broker_and_redis_die(cli: Callable[..., Stack]) -> None:
    """kill -9 of Redis and of the broker under load: the programs wait, nothing is lost."""
    stack = cli(own=True)
    stack.up()
    stack.apply(WORKSPACE)
    with _loaded(stack, 35) as load:
        stack.kill("valkey")
        load.flows()
        stack.kill("kafka")
        load.flows()
    _judge(stack, load)


def test_redis_is_emptied_while_workers_run(cli: Callable[..., Stack]) -> None:
    """Redis emptied under load, twice, and once together with a killed rules worker."""
    stack = cli()
    stack.up(validation=1, rules=2)
    stack.apply(WORKSPACE)
    with _loaded(stack, 32) as load:
        stack.empty_redis()
        load.flows()
        stack.empty_redis()
        stack.kill("rules-2")
        load.flows()
    _judge(stack, load)


def test_redis_is_emptied_while_idle_and_while_stopped(cli: Callable[..., Stack]) -> None:
    """Redis emptied without traffic, and while no rules worker runs: what comes later is decided as if never."""
    stack = cli()
    stack.up(validation=1, rules=2)
    stack.apply(WORKSPACE)
    traffic, sent = Traffic(33, users=300), 0
    for emptied in ("idle", "stopped", "never"):
        stack.publish(traffic.take(2500))
        sent += 2500
        stack.wait_idle()
        if emptied == "idle":
            stack.empty_redis()
            until(stack.has_states, "the states to be folded again", 60, stack.state)
        elif emptied == "stopped":
            stack.up(validation=1, rules=0)
            stack.empty_redis()
            stack.publish(traffic.take(1000))
            sent += 1000
            stack.up(validation=1, rules=2)
    examined = stack.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    assert examined.totals["events"] == sent
