"""When time may pass: a thread beside the stage, which waits for Kafka's answers so that the stage never does.

A tick with the time w is safe for a partition once everything that was on its way at w has been folded elsewhere:

1. read the wall clock: w, then where all raw topics end;
2. wait until validation's committed offsets have passed those ends;
3. then read where the journal ends, and wait until the rules group's committed offsets have passed that on every
   other partition, since a decision there may concern an entity here.

It begins when a timer of an owned partition is due, or a sweep is open, and at no other time: an idle stack is silent.
The broker's clock is the one that counts: a tick never moves time beyond its append time, so one whose writer's clock
is ahead would fire nothing, and the clock is set back by what it was ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Lock

from consumers.rules.claim import STAGE
from offerflow.runtime import metrics, outside
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.logs import get_logger
from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import Settings

LOOK_S = 0.25
WAIT_S = 0.1
"""Between looks while something that is due waits for the stages before it."""
FRESH_MS = 5000
"""A sweep is content with a time that was passable so long ago."""
LATELY_S = 60.0
"""A clock that was put right lags no longer than this by what it was ahead."""
READINGS = 256
"""Of the clock, whose ticks may still come back."""
QUIET_S = 30.0
"""Between log lines that say the same."""


class Barrier:
    """What one reading of the wall clock has to wait for. Raises KafkaDown like the Admin it asks."""

    def __init__(self, settings: Settings, admin: Admin, raw_topics: frozenset[str], now: int) -> None:
        self.time = now
        self.raw_topics = raw_topics
        self._settings = settings
        self._admin = admin
        topics = admin.topics(sorted(raw_topics))
        places = [(info.name, partition) for info in topics.values() for partition in range(info.partitions)]
        self._raw = {place: end for place, end in admin.written(places).items() if end}
        self._journal: dict[Place, int] | None = None

    def open_to(self, partitions: Iterable[int]) -> set[int]:
        """Those of the partitions in which ``time`` may pass now."""
        self._raw = self._behind("validation", self._raw)
        if self._raw:
            return set()
        if self._journal is None:
            name = self._settings.topic("journal")
            number = self._admin.topics([name])[name].partitions
            self._journal = self._admin.written((name, partition) for partition in range(number))
        self._journal = self._behind(STAGE, self._journal)
        late = {partition for _, partition in self._journal}
        return {partition for partition in partitions if late <= {partition}}

    def _behind(self, stage: str, ends: dict[Place, int]) -> dict[Place, int]:
        """Those of the ends that the stage has not passed yet."""
        if not ends:
            return {}
        committed = self._admin.committed(self._settings.group(stage), list(ends))
        return {place: end for place, end in ends.items() if place not in committed or committed[place].offset < end}


class Clock:
    """Watches the timers of the partitions that ``own`` names. ``raw_topics`` gives the full names of what validation
    reads; it is called from the thread."""

    def __init__(
        self, settings: Settings, store: StateStore, raw_topics: Callable[[], Iterable[str]],
        wall: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._store = store
        self._raw_topics = raw_topics
        self._wall = wall or outside.wall
        self._admin: Admin | None = None
        self._lock = Lock()
        self._owned: tuple[frozenset[int], frozenset[int]] = frozenset(), frozenset()
        self._ready: dict[int, int] = {}
        self._barrier: Barrier | None = None
        self._passed: dict[int, int] = {}
        self._ahead = 0
        self._doubted = False
        self._taken_off: dict[int, int] = {}
        self._told_ahead: deque[tuple[float, int]] = deque()
        self._failure: BaseException | None = None
        self._told = -QUIET_S
        self._gauge = metrics.TimeGauge()
        self._stopping = Event()
        self._thread = outside.thread("clock", self._run)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Tell the thread to end, and wait a little for it: a call to Kafka that hangs must not keep the program."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def own(self, partitions: Iterable[int], sweeping: Iterable[int]) -> None:
        """The partitions to watch from now on; those ``sweeping`` want ticks whatever their timers say."""
        self._owned = frozenset(partitions), frozenset(sweeping)

    def ahead(self, time: int, milliseconds: int) -> None:
        """Our tick of ``time`` was ahead of its append time by so much (behind, where negative), on top of what had
        been taken off when the clock was read for it. Many ticks of one reading tell the same, so what they tell is
        not added up: the most that any told lately counts, since each tells too little by what it took to append it.
        """
        taken_off = self._taken_off.get(time)
        if taken_off is None:
            return
        now = outside.monotonic()
        self._told_ahead.append((now, taken_off + milliseconds))
        while now - self._told_ahead[0][0] > LATELY_S:
            self._told_ahead.popleft()
        with self._lock:
            self._ahead = max(0, *(told for _, told in self._told_ahead))
            if milliseconds > 0:
                self._doubted = True
                self._ready.clear()

    def ready(self) -> dict[int, int]:
        """Partitions in which something is due, with the time that may pass there now; each is told once."""
        if self._failure is not None:
            raise self._failure
        with self._lock:
            told, self._ready = self._ready, {}
        return told

    def _run(self) -> None:
        wait = LOOK_S
        while not self._stopping.wait(wait):
            try:
                wait = WAIT_S if self.look() else LOOK_S
            except OfferflowError as error:
                self._barrier = None
                if outside.monotonic() - self._told > QUIET_S:
                    self._told = outside.monotonic()
                    get_logger().warning("time stands still for now", why=str(error))
                wait = 1.0
            except BaseException as error:
                self._failure = error
                return

    def look(self) -> bool:
        """Look once whether something is due and time may pass; whether something still waits."""
        owned, sweeping = self._owned
        firsts = self._store.first_timers(sorted(owned)) if owned else {}
        wall = int(self._wall() * 1000)
        if all(first is None or first > wall for first, _ in firsts.values()):
            self._ahead = 0  # whatever it was: the next tick tells
        with self._lock:
            if self._doubted:
                # A time of the broker's future proves nothing about what was in the raw topics then.
                self._passed.clear()
                self._barrier, self._doubted = None, False
        now = wall - self._ahead
        self._gauge.show(firsts, now)
        wanted = {p: first for p, (first, _) in firsts.items() if first is not None and first <= now}
        wanted |= {partition: max(wanted.get(partition, 0), now - FRESH_MS) for partition in sweeping & owned}
        if not wanted:
            self._barrier = None
            return False
        waiting = {partition for partition, first in wanted.items() if self._passed.get(partition, -1) < first}
        if waiting:
            raw = frozenset(self._raw_topics())
            if self._barrier is None or self._barrier.raw_topics != raw:
                # Of a topic that no source names any more validation would never pass the end.
                self._barrier = self._new_barrier(raw, now)
            for partition in self._barrier.open_to(owned):
                self._passed[partition] = self._barrier.time
                waiting.discard(partition)
            if not waiting:
                self._barrier = None
        with self._lock:
            if not self._doubted:
                self._ready = {partition: self._passed[partition] for partition in wanted if partition not in waiting}
        return bool(waiting)

    def _new_barrier(self, raw: frozenset[str], now: int) -> Barrier:
        self._taken_off[now] = self._ahead
        if len(self._taken_off) > READINGS:
            del self._taken_off[next(iter(self._taken_off))]
        if self._admin is None:
            self._admin = Admin(self._settings, f"{self._settings.worker}.clock")
        return Barrier(self._settings, self._admin, raw, now)
