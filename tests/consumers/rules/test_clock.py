"""When time may pass: not before everything that was on its way at that time has arrived."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.rules import clock as module
from consumers.rules.clock import FRESH_MS, LATELY_S, Clock
from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Committed, Place, TopicInfo
from offerflow.runtime.metrics import stream_time_lag_seconds, timers_pending
from offerflow.runtime.settings import Settings

RAW = [("t.raw.backend", 0), ("t.raw.backend", 1), ("t.raw.sdk", 0), ("t.raw.sdk", 1)]
JOURNAL = [("t.journal", 0), ("t.journal", 1), ("t.journal", 2)]
SETTINGS = Settings(topic_prefix="t.", worker="rules-1")


class World:
    """Kafka and Redis as far as the clock asks them: where topics end, what is committed, when timers fire."""

    def __init__(self) -> None:
        self.now = 1000
        self.ends = dict.fromkeys([*RAW, *JOURNAL], 0)
        self.done = {("t.validation", place): 0 for place in RAW} | {("t.rules", place): 0 for place in JOURNAL}
        self.timers: dict[int, int] = {}
        self.topics_read = ["t.raw.backend", "t.raw.sdk"]
        self.asked = 0
        self.away = False
        self.clock = Clock(SETTINGS, self, lambda: self.topics_read, lambda: self.now / 1000)  # type: ignore[arg-type]
        self.own(0, 1, 2)

    def own(self, *partitions: int, sweeping: Iterable[int] = ()) -> None:
        self.clock.own(partitions, sweeping)

    def look(self) -> dict[int, int]:
        self.clock.look()
        return self.clock.ready()

    def grow(self, place: Place, by: int = 1) -> None:
        self.ends[place] += by

    def pass_(self, place: Place) -> None:
        stage = "t.rules" if place in JOURNAL else "t.validation"
        self.done[stage, place] = self.ends[place]

    # what the clock asks

    def first_timers(self, partitions: Iterable[int]) -> dict[int, tuple[int | None, int]]:
        return {partition: (self.timers.get(partition), int(partition in self.timers)) for partition in partitions}

    def topics(self, names: Iterable[str]) -> dict[str, TopicInfo]:
        numbers = {"t.raw.backend": 2, "t.raw.sdk": 2, "t.journal": 3}
        return {name: TopicInfo(name, name, numbers[name]) for name in names if name in numbers}

    def written(self, places: Iterable[Place]) -> dict[Place, int]:
        self.asked += 1
        if self.away:
            raise KafkaDown("away")
        return {place: self.ends[place] for place in places}

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, Committed]:
        return {place: Committed(self.done[group, place], "") for place in places}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(module, "Admin", lambda settings, name: made)
    return made


def test_nothing_due_asks_nobody(world: World) -> None:
    """Without timers, and before the first one is due, Kafka is left in peace."""
    assert world.look() == {}
    world.timers = {0: 1001}
    assert world.look() == {}
    assert world.asked == 0


def test_a_due_timer_with_nothing_on_its_way(world: World) -> None:
    """The time that may pass is that of the reading, and only where something is due."""
    world.timers, world.now = {0: 900, 2: 5000}, 1234
    assert world.look() == {0: 1234}
    assert world.clock.ready() == {}


def test_time_waits_for_validation(world: World) -> None:
    """An event that lies in any raw topic when the clock is read must be in the journal first, what came later not."""
    world.timers = {0: 900}
    for place in RAW:
        world.now += 10
        world.grow(place)
        start = world.now
        assert world.look() == {}
        world.now += 10
        world.grow(RAW[0])
        assert world.look() == {}
        world.done["t.validation", place] = max(1, world.ends[place] - (place == RAW[0]))
        assert world.look() == {0: start}
        world.timers[0] = world.now + 1
        world.pass_(RAW[0])


def test_time_waits_for_the_other_partitions(world: World) -> None:
    """What lies in the journal once validation has passed must be folded everywhere but in the partition itself."""
    world.timers = {0: 900, 1: 900}
    world.grow(RAW[0])
    assert world.look() == {}
    world.pass_(RAW[0])
    world.grow(JOURNAL[1])
    assert world.look() == {1: 1000}
    world.grow(JOURNAL[2])
    assert world.look() == {1: 1000}
    world.done["t.rules", JOURNAL[1]] = 1
    assert world.look() == {0: 1000, 1: 1000}


def test_what_validation_passed_on_is_seen(world: World) -> None:
    """The journal's ends are read after validation has passed the raw ends, not when the clock was."""
    world.timers = {0: 900}
    world.grow(RAW[2])
    assert world.look() == {}
    world.grow(JOURNAL[2], 5)
    world.pass_(RAW[2])
    assert world.look() == {}
    world.pass_(JOURNAL[2])
    assert world.look() == {0: 1000}


def test_a_time_that_may_pass_stays_so(world: World) -> None:
    """Further timers that were due by then need no second reading: a storm is worked off without asking again."""
    world.timers = {0: 900}
    assert world.look() == {0: 1000}
    asked = world.asked
    world.timers, world.now = {0: 950, 1: 1000}, 1700
    world.grow(RAW[0])
    assert world.look() == {0: 1000, 1: 1000}
    assert world.asked == asked
    world.timers = {0: 1001}
    assert world.look() == {}
    world.pass_(RAW[0])
    assert world.look() == {0: 1700}


def test_a_sweep_wants_a_fresh_time(world: World) -> None:
    """People leave a withdrawn offer at about now, though no timer is due, and though time passed long ago."""
    world.timers = {0: 900}
    world.look()
    world.timers, world.now = {}, 1000 + FRESH_MS + 1
    world.own(0, 1, sweeping=[0, 7])
    assert world.look() == {0: 1000 + FRESH_MS + 1}
    world.now += FRESH_MS
    assert world.look() == {0: 1000 + FRESH_MS + 1}


def test_a_topic_that_is_read_no_more_is_not_waited_for(world: World) -> None:
    """Validation would never pass its end."""
    world.timers = {0: 900}
    world.grow(RAW[0])
    assert world.look() == {}
    world.topics_read, world.now = ["t.raw.sdk", "t.raw.gone"], 1100
    assert world.look() == {0: 1100}


def test_a_clock_that_is_ahead_is_set_back(world: World) -> None:
    """By what a tick was ahead of its append time, until nothing is due; else ticks would come that fire nothing.
    Ticks of several partitions from one reading tell it once, and those of others nothing."""
    world.timers = {0: 900}
    assert world.look() == {0: 1000}
    world.clock.ahead(1000, -50)
    assert world.look() == {0: 1000}
    world.clock.ahead(1000, 300)
    world.clock.ahead(1000, 300)
    world.clock.ahead(7, 5000)
    assert world.look() == {}
    world.now = 1250
    assert world.look() == {0: 950}
    world.timers = {0: 1050}
    assert world.look() == {}
    world.now = 1351
    assert world.look() == {0: 1051}
    world.timers = {}
    assert world.look() == {}
    world.timers = {0: 1352}
    world.now = 1352
    assert world.look() == {0: 1352}


def test_a_time_of_the_future_is_not_passed_again(world: World) -> None:
    """What passed when the clock was ahead of the broker's says nothing about what came into the raw topics since: it
    is asked anew, also where a later timer would be due by it."""
    world.timers = {0: 900, 1: 950}
    assert world.look() == {0: 1000, 1: 1000}
    world.grow(RAW[0])
    world.clock.ahead(1000, 40)
    world.timers = {0: 955}
    world.now = 1250
    assert world.look() == {}
    world.pass_(RAW[0])
    assert world.look() == {0: 1210}


def test_a_clock_that_was_put_right_is_believed_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute in which no tick was ahead, although timers are due all the time."""
    seconds = [0.0]
    monkeypatch.setattr(outside, "monotonic", lambda: seconds[0])
    world.timers = {0: 900}
    assert world.look() == {0: 1000}
    world.clock.ahead(1000, 50)
    world.now = 1060
    assert world.look() == {0: 1010}
    seconds[0] = LATELY_S + 1
    world.clock.ahead(1010, -50)
    world.timers = {0: 1055}
    assert world.look() == {0: 1060}


def test_kafka_away_is_waited_out(world: World) -> None:
    """The next look begins anew."""
    world.timers, world.away = {0: 900}, True
    with pytest.raises(KafkaDown):
        world.look()
    world.away = False
    assert world.look() == {0: 1000}


def test_lag_and_timers_are_shown_for_what_is_ours(world: World) -> None:
    """How long the first timer has been due; partitions that went to another worker are shown no more."""
    world.timers, world.now = {0: 900, 1: 9000}, 3400
    world.grow(RAW[0])
    world.look()
    shown = {labels[0]: gauge._value.get() for labels, gauge in stream_time_lag_seconds._metrics.items()}
    assert shown == {"0": 2.5, "1": 0, "2": 0}
    assert {labels[0]: gauge._value.get() for labels, gauge in timers_pending._metrics.items()} == {
        "0": 1, "1": 1, "2": 0,
    }  # fmt: skip
    world.own()
    world.look()
    assert (stream_time_lag_seconds._metrics, timers_pending._metrics) == ({}, {})


def test_a_failure_of_the_thread_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time must not stand still in silence because of a mistake of ours."""
    broken: Any = SimpleNamespace(first_timers=lambda partitions: 1 / 0)
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    clock = Clock(SETTINGS, broken, list)
    clock.own([0], [])
    clock.start()
    clock._thread.join()
    with pytest.raises(ZeroDivisionError):
        clock.ready()
    clock.close()
