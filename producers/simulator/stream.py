"""All records of a run in the order they are sent, good, repeated and broken: a pure function of its options.

People come in cohorts. The stages of a cohort are sent as waves: wave 0 holds everybody's first stage, and so on.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from producers.simulator.broken import KINDS, Kind, memorable
from producers.simulator.event import Event, Sent, encode
from producers.simulator.lives import live

COHORT = 500


@dataclass(frozen=True, slots=True)
class Options:
    """``start`` is milliseconds since 1970; ``broken`` and ``repeated`` are shares of all records sent.

    ``users`` is None for people without end. ``clock`` gives the n-th good event its time instead of the journey's.
    """

    users: int | None
    seed: int
    start: int
    broken: float = 0.0
    repeated: float = 0.0
    cohort: int = COHORT
    clock: Callable[[int], int] | None = None


class Stream:
    """Makes the records of one run; ``waves`` may be called once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._random = Random(f"{options.seed}:stream")  # noqa: S311 - made-up traffic, not secrets
        good = 1 - options.broken - options.repeated
        self._broken_per_good = options.broken / good
        self._repeated_per_good = options.repeated / good
        self._owed_broken = self._owed_repeated = 0.0
        self._due = deque(KINDS)
        self._passed: Counter[str] = Counter()
        self._made: set[str] = set()
        self._good = 0
        self._remembered: Event | None = None

    def waves(self) -> Iterator[list[Sent]]:
        options = self._options
        first, end = 0, options.users
        while end is None or first < end:
            beyond = first + options.cohort if end is None else min(first + options.cohort, end)
            people = [live(options.seed, number, options.start) for number in range(first, beyond)]
            for stage in range(max(len(person.stages) for person in people)):
                events = [event for person in people if stage < len(person.stages) for event in person.stages[stage]]
                events.sort(key=_time)  # stable: nobody's own events change their order
                yield self._records(events)
            first = beyond
        if options.broken and self._remembered:
            yield self._never_sent(self._remembered)

    def _records(self, events: list[Event]) -> list[Sent]:
        records: list[Sent] = []
        repeats: list[Sent] = []
        clock = self._options.clock
        for given in events:
            event = given if clock is None else given._replace(time=clock(self._good))
            record = encode(event)
            records.append(record)
            self._good += 1
            if memorable(event):
                self._remembered = event
            self._owed_repeated += self._repeated_per_good
            if self._owed_repeated >= 1 and event.event_id is not None:
                self._owed_repeated -= 1
                repeats.append(record._replace(what="repeated"))
            self._owed_broken += self._broken_per_good
            if self._owed_broken >= 1:
                self._owed_broken -= 1
                records.append(self._broken(event))
        return records + repeats

    def _broken(self, event: Event) -> Sent:
        """A record of the kind whose turn it is; made from a remembered event if that is what it needs."""
        while True:
            kind = self._due[0]
            self._due.rotate(-1)
            self._passed[kind.name] += 1
            if self._passed[kind.name] % kind.every == 1 % kind.every:
                record = self._make(kind, event)
                if record is not None:
                    return record

    def _make(self, kind: Kind, event: Event) -> Sent | None:
        example = self._remembered if kind.needs_remembered else event
        if example is None:
            return None
        self._made.add(kind.name)
        return kind.make(example, f"{self._random.getrandbits(128):032x}")._replace(what=kind.name)

    def _never_sent(self, event: Event) -> list[Sent]:
        """One of each kind that had no turn in a short run, so that every run with broken records has them all."""
        made = [self._make(kind, event) for kind in KINDS if kind.name not in self._made]
        return [record for record in made if record is not None]


def _time(event: Event) -> int:
    return event.time
