"""What a watcher tells, step by step: topics are a script here, and time passes when it says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from console.events import watching
from console.events.filters import Wanted
from console.events.joining import MOST
from console.events.verdicts import Verdict
from console.events.watching import Watch
from offerflow.runtime import outside
from offerflow.runtime.errors import StoreDown
from offerflow.runtime.kafka.admin import Committed
from schemas.dead_letter import DeadLetter, write_dead_letter
from schemas.step import Emit
from tests.console.events.events import BACKEND, RECEIVED, Raw, bought, envelope, world

SDK = "offerflow.raw.sdk"
PLACES = [(BACKEND, 3), (SDK, 3)]
OUTCOMES = [("offerflow.journal", 1), ("offerflow.dead-letter", 0)]


class Script:
    """A deployment as a watcher sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.world = world()
        self.settings = SimpleNamespace(group=lambda stage: f"offerflow.{stage}")
        self.admin = SimpleNamespace(ends=lambda places: dict.fromkeys(places, 0), committed=self._committed)
        self.raw_places, self.outcome_places = PLACES, OUTCOMES
        self.judged_to: dict[tuple[str, int], int] = {}
        self.polled = 0
        self.came: list[Raw] = []
        self.held: dict[str, bool] = {}
        self.raw_to: float | None = None
        self.read_to: float | None = None
        self.next = dict.fromkeys([*PLACES, *OUTCOMES], 0)
        monkeypatch.setattr(outside, "monotonic", lambda: self.now)
        monkeypatch.setattr(outside, "wall", lambda: RECEIVED / 1000 - 1)
        monkeypatch.setattr(watching, "Follower", lambda *_: self)

    def watch(self, wanted: Wanted | None = None, **given: Any) -> Callable[[float], list[Verdict]]:
        """What is told within some seconds, each time it is called."""
        made = Watch(self, lambda: wanted or Wanted(), **given)  # type: ignore[arg-type]

        def within(seconds: float) -> list[Verdict]:
            until, found = self.now + seconds, []
            while self.now < until:
                found += list(made.turn())
            return found

        return within

    # -- as a follower

    def read(self, _: float) -> list[Raw]:
        self.now += 0.1
        came, self.came = self.came, []
        return came

    def complete_to(self, places: object) -> float:
        told = self.raw_to if places is PLACES else self.read_to
        return self.now if told is None else told

    def hold(self, places: object, *, held: bool) -> None:
        self.held["raw" if places is PLACES else "outcomes"] = held

    def poll(self) -> None:
        self.polled += 1

    def _committed(self, group: str, places: set[tuple[str, int]]) -> dict[tuple[str, int], Committed]:
        assert group == "offerflow.validation"
        return {place: Committed(self.judged_to[place], "") for place in places if place in self.judged_to}

    # -- outcomes

    def journal(self, record: Raw, offset: int = 0) -> Raw:
        outcome = self.world.step(record)
        assert isinstance(outcome, Emit)
        return Raw(outcome.value, "offerflow.journal", offset, partition=1)

    def letter(self, record: Raw) -> Raw:
        outcome = self.world.step(record)
        assert isinstance(outcome, DeadLetter)
        written = write_dead_letter("offerflow.dead-letter", record, outcome, "validation", RECEIVED)
        return Raw(written.value, "offerflow.dead-letter", partition=0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(monkeypatch)


def verdicts(found: list[Verdict]) -> list[str]:
    return [one.verdict for one in found]


def test_good_and_bad(script: Script) -> None:
    """Each as soon as its outcome is read, in whatever order."""
    good, bad = bought(), Raw(envelope("Bougth", event_id="e-2"), offset=1)
    within = script.watch()
    script.came = [good, bad]
    assert verdicts(within(0.2)) == []
    script.came = [script.letter(bad), script.journal(good)]
    assert verdicts(within(0.1)) == ["unknown_event", "valid"]
    later = bought(2, "e-3")
    script.came = [script.journal(later, 1), later]
    assert verdicts(within(0.1)) == ["valid"]
    assert within(5) == []


def test_a_verdict_that_is_late(script: Script) -> None:
    """Told as waiting after a second, once, but not while the outcomes that are there are still being read."""
    within = script.watch()
    record = bought()
    script.read_to = -math.inf
    script.came = [record]
    assert within(5) == []
    script.read_to = None
    assert verdicts(within(2)) == ["waiting"]
    assert within(5) == []
    script.came = [script.journal(record)]
    assert verdicts(within(0.1)) == ["valid"]


def test_dropped_is_said_once_validation_has_passed(script: Script) -> None:
    """Of a system event that is off, and never before validation has committed an offset behind it."""
    within = script.watch()
    woke = Raw(envelope("App Woke", None, anonymous_id="v", source="app"), SDK, 4)
    script.came = [woke]
    assert verdicts(within(3)) == ["waiting"]
    script.judged_to[SDK, 3] = 4
    assert within(2) == []
    script.judged_to[SDK, 3] = 5
    [dropped] = within(2)
    assert dropped.verdict == "dropped"
    assert "switched off for the source app" in dropped.detail


def test_what_arrived_before_is_not_shown(script: Script) -> None:
    """Journal records of what was on its way when the watching began; those whose raw record is gone are shown."""
    within = script.watch(since_ms=None)
    early = Raw(envelope(event_id="e", properties={"amount": 1}), appended=RECEIVED - 5000)
    script.came = [script.journal(early), script.journal(bought(1, "e-2"), 1)]
    [shown] = within(3)
    assert (shown.event_id, shown.arrival) == ("e-2", None)


def test_only_what_is_wanted(script: Script) -> None:
    """Others are neither shown nor waited for."""
    within = script.watch(Wanted(users=frozenset({"u-2"})))
    mine = Raw(envelope(user_id="u-2", event_id="m", properties={"amount": 1}), offset=1)
    dead = Raw(envelope("Bougth", event_id="e-2"), offset=2)
    script.came = [bought(), mine, dead, script.journal(bought()), script.letter(dead), script.journal(mine, 1)]
    assert [one.event_id for one in within(5)] == ["m"]


def test_the_index_tells_of_older_arrivals(script: Script) -> None:
    """A duplicate of something before the watching began; a store that is away takes nothing else away."""
    asked: list[int] = []

    def earlier(stored: Any) -> tuple[int, int] | None:
        asked.append(stored.offset)
        if stored.offset == 1:
            raise StoreDown("away")
        return (1, 0) if stored.offset == 9 else None

    within = script.watch(earlier=earlier)
    one, two, three = bought(0, "e-0"), bought(1, "e-1"), bought(2, "e-2")
    script.came = [one, script.journal(one, 9), two, script.journal(two, 1), three, script.journal(three, 2)]
    assert verdicts(within(0.1)) == ["duplicate", "valid", "valid"]
    assert asked == [9, 1]


def test_the_catalog_is_followed(script: Script) -> None:
    """So that a plan that is applied while somebody watches counts."""
    within = script.watch()
    within(5)
    assert script.polled > 0


def test_one_side_waits_for_the_other(script: Script) -> None:
    """While there is much to catch up on, whichever side is ahead is held until the other was read."""
    within = script.watch()
    script.read_to = 0.0
    script.came = [bought(at, f"e-{at}") for at in range(MOST // 2 + 1)]
    within(1)
    assert script.held == {"raw": True, "outcomes": False}
    script.read_to = None
    within(0.1)
    assert script.held == {"raw": False, "outcomes": False}
    script.raw_to = 0.0
    bad = [Raw(envelope("Bougth", event_id=f"b-{at}"), offset=MOST + at) for at in range(MOST)]
    script.came = [script.letter(one) for one in bad[: MOST // 2 + 1]]
    assert verdicts(within(1)).count("unknown_event") == MOST // 2 + 1
    assert script.held == {"raw": False, "outcomes": True}
    script.came = bad[: MOST // 2 + 1]
    assert within(0.1) == []
    assert script.held["outcomes"] is False
