"""Events with their verdicts as they come: raw topics, journal and dead letters followed side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from console.events.arrivals import Arrival, Arrivals
from console.events.filters import Wanted
from console.events.joining import MOST, Joiner
from console.events.live import CLIENT, Live
from console.events.stored import Stored, read_letter, read_stored
from console.events.verdicts import VALID, Verdict
from offerflow.runtime import outside
from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.follow import Follower
from offerflow.runtime.kafka.scan import spans
from schemas.step import Skip

LOOK_S = 0.5
"""How often what is not read from the topics is asked for."""
DOUBT_S = 0.4
WAITING_S = 1.0
"""After so long without a verdict an event is shown as it arrived."""
EARLY_S = 1.0
"""How long the raw record of a journal record may be behind it in our reading."""
PATIENCE_S = 5.0
NOT_JUDGED = "validation has not judged it yet"
Earlier = Callable[[Stored], tuple[int, int] | None]


class Watch:
    """``wanted`` is asked anew each second. ``since_ms``: from records of that append time on, else from now on.
    ``earlier`` finds the journal record of the same id that came long before."""

    def __init__(
        self, live: Live, wanted: Callable[[], Wanted], *, since_ms: int | None = None, follow: bool = True,
        earlier: Earlier | None = None,
    ) -> None:  # fmt: skip
        self._live, self._ask, self._earlier = live, wanted, earlier
        self._wanted = wanted()
        self._arrivals = Arrivals(live.world, closely=self._wanted.debug)
        self._joiner = Joiner()
        self._skips: dict[tuple[str, int, int], Skip | None] = {}
        self._looked = self._asked = outside.monotonic()
        self._read_at: float | None = None
        raw, outcomes = live.raw_places, live.outcome_places
        starts: dict[Place, int] = {}
        self._target: Mapping[Place, int] | None = None
        if since_ms is None:
            # Outcomes last: what arrives from here on has its outcome behind them.
            starts = {**live.admin.ends(raw), **live.admin.ends(outcomes)}
        else:
            topics = {topic for topic, _ in (*raw, *outcomes)}
            starts = {
                place: first for place, (first, _) in spans(live.settings, topics, CLIENT, since_ms=since_ms).items()
            }
        if not follow:
            self._target = {**live.admin.ends(raw), **live.admin.ends(outcomes)}
        self._since = int(outside.wall() * 1000) if since_ms is None else since_ms
        self._follower = Follower(live.settings, CLIENT, starts)

    def close(self) -> None:
        self._follower.close()

    def __iter__(self) -> Iterator[Verdict]:
        """For ever, or up to what was there at the start."""
        while not self._finished():
            yield from self.turn()
        if self._target is not None:
            now = outside.monotonic()
            yield from self._kept(self._joiner.unmatched(now))
            yield from self._kept(self._joiner.waiting(now, NOT_JUDGED))

    def turn(self) -> Iterator[Verdict]:
        """What is told of what comes now."""
        for record in self._follower.read(0.1):
            yield from self._read(record, outside.monotonic())
        yield from self._settle(outside.monotonic())

    def _finished(self) -> bool:
        """Whether all that was there is read, and has its verdicts or had time enough to get them."""
        now = outside.monotonic()
        if self._target is None or any(self._follower.next[place] < end for place, end in self._target.items()):
            self._read_at = None
            return False
        if self._read_at is None:
            self._read_at = now
        return not (self._joiner.pending or self._joiner.early) or now - self._read_at > PATIENCE_S

    def _read(self, record: Record, now: float) -> Iterator[Verdict]:
        topic = record.topic()
        verdict: Verdict | None = None
        if topic == self._live.world.journal:
            stored = read_stored(self._live.world, record)
            # In debug mode it does not show whose device it is from: its arrival will tell.
            if stored is not None and (
                self._wanted.debug or self._joiner.expects(stored) or self._wanted.stored(stored)
            ):
                verdict = self._joiner.store(stored, now)
        elif topic == self._live.world.dead_letters:
            yield from self._kept(self._bury(record))
        else:
            arrival = self._arrivals(record)
            if self._wanted.arrival(arrival):
                verdict = self._joiner.arrive(arrival, now)
        if verdict is not None:
            yield from self._kept([verdict])

    def _bury(self, record: Record) -> Iterator[Verdict]:
        letter = read_letter(self._live.world, record)
        if letter is None:
            return
        if letter.topic == self._live.world.journal:
            stored = read_stored(self._live.world, _Original(letter.partition, letter.offset, letter.value))
            if stored is not None and self._wanted.stored(stored):
                yield self._joiner.bury(letter, None, stored)
            return
        original = self._arrivals.of_letter(letter)
        if self._wanted.arrival(original):
            yield self._joiner.bury(letter, original)

    def _settle(self, now: float) -> Iterator[Verdict]:
        """What is due: catch up on the catalog, and say what became of those without an outcome."""
        follower, joiner, live = self._follower, self._joiner, self._live
        raw_to, outcomes_to = follower.complete_to(live.raw_places), follower.complete_to(live.outcome_places)
        # Neither side may run away from the other while there is much to catch up on; one of them must always move.
        raw_ahead = joiner.pending > MOST // 2 and now - outcomes_to > LOOK_S
        outcomes_ahead = joiner.ahead > MOST // 2 and now - raw_to > LOOK_S
        follower.hold(live.raw_places, held=raw_ahead and not outcomes_ahead)
        follower.hold(live.outcome_places, held=outcomes_ahead and not raw_ahead)
        yield from self._kept(joiner.unmatched(min(now, raw_to) - EARLY_S))
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        yield from self._kept(self._dropped(joiner.pendings(now - DOUBT_S)))
        yield from self._kept(joiner.waiting(min(now, outcomes_to) - WAITING_S, NOT_JUDGED))
        joiner.forget()
        if now - self._asked > 1:
            self._asked = now
            self._poll()
            self._wanted = self._ask()

    def _dropped(self, pending: list[Arrival]) -> Iterator[Verdict]:
        """Those that validation would drop, once it has passed them."""
        if len(self._skips) > MOST:
            self._skips.clear()
        skipped: list[tuple[Arrival, Skip]] = []
        for arrival in pending:
            if arrival.where not in self._skips:
                outcome = self._live.world.step(_Again(arrival))
                self._skips[arrival.where] = outcome if isinstance(outcome, Skip) else None
            skip = self._skips[arrival.where]
            if skip is not None:
                skipped.append((arrival, skip))
        if not skipped:
            return
        places = {arrival.where[:2] for arrival, _ in skipped}
        committed = self._live.admin.committed(self._live.settings.group("validation"), places)
        for arrival, skip in skipped:
            at = committed.get(arrival.where[:2])
            if at is not None and at.offset > arrival.where[2]:
                note = f"system event {skip.event!r} is switched off for the source {skip.source} (sources.yaml)"
                yield self._joiner.drop(arrival, note)

    def _kept(self, verdicts: Iterator[Verdict] | list[Verdict]) -> Iterator[Verdict]:
        for verdict in verdicts:
            if verdict.arrival is None and verdict.stored is not None and not self._mine(verdict.stored):
                continue
            if verdict.verdict == VALID and verdict.stored is not None and self._earlier is not None:
                self._look_back(verdict, verdict.stored)
            if self._wanted.verdict(verdict):
                yield verdict

    def _mine(self, stored: Stored) -> bool:
        """Whether a journal record is to be shown whose arrival was not read: not if it arrived before we looked."""
        early = stored.meta["lateness"] == "normal" and stored.meta["received_at"] < self._since
        return not early and self._wanted.stored(stored)

    def _poll(self) -> None:
        before = self._live.world
        self._live.poll()
        if self._live.world is not before:
            self._arrivals = Arrivals(self._live.world, closely=self._wanted.debug)
            self._skips.clear()

    def _look_back(self, verdict: Verdict, stored: Stored) -> None:
        assert self._earlier is not None  # noqa: S101 - as asked
        try:
            before = self._earlier(stored)
        except DependencyDown:  # the store only adds to what is told
            before, self._earlier = None, None
        if before is not None:
            verdict.repeats(before)


class _Original:
    """The journal record that a dead letter of the rules holds."""

    def __init__(self, partition: int, offset: int, value: bytes | None) -> None:
        self._partition, self._offset, self._value = partition, offset, value

    def topic(self) -> str:
        return ""

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (2, 0)


class _Again:
    """An arrival as the record that it was read from."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def topic(self) -> str:
        return self._arrival.where[0]

    def partition(self) -> int:
        return self._arrival.where[1]

    def offset(self) -> int:
        return self._arrival.where[2]

    def key(self) -> bytes | None:
        return self._arrival.key

    def value(self) -> bytes | None:
        return self._arrival.value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self._arrival.headers) or None

    def timestamp(self) -> tuple[int, int]:
        return (2, self._arrival.appended)
