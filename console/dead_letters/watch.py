"""Keeps the metrics of unhandled dead letters true: an incremental fold of the dead letters and of what was handled.

A byte per dead letter within retention, so millions are a few megabytes. Nothing is stored: a new process folds again.
"""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from console.dead_letters.handled import HandledLetters
from console.dead_letters.outcomes import REASON
from offerflow.runtime import metrics
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.settings import Settings
from schemas.dead_letter import REASONS
from schemas.dead_letter_state import Coordinates

CLIENT = "offerflow-dead-letter-watch"
EVERY_S = 5.0
"""How often ``turn`` is worth calling."""
GRAIN_MS = 60_000
"""How exact the age of the oldest is where dead letters come thickly."""
_NUMBER = {reason.encode(): number for number, reason in enumerate(REASONS, start=1)}
_HANDLED = 0x80
_UNHANDLED = re.compile(rb"[\x01-\x7f]")


@dataclass(slots=True)
class Letters:
    """Dead letters of one partition from offset ``first`` on: a byte for each offset, the number of its reason with
    _HANDLED set where it is, 0 where there is none. ``offsets`` and ``times`` say where the append time had moved by
    GRAIN_MS."""

    first: int
    bytes: bytearray = field(default_factory=bytearray)
    offsets: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))

    @property
    def end(self) -> int:
        return self.first + len(self.bytes)

    def add(self, offset: int, byte: int, appended_ms: int) -> None:
        """Offsets come in rising order."""
        self.bytes.extend(bytes(offset - self.end))
        self.bytes.append(byte)
        if not self.times or appended_ms >= self.times[-1] + GRAIN_MS:
            self.offsets.append(offset)
            self.times.append(appended_ms)

    def trim(self, first: int) -> bytearray:
        """Forget what lies below ``first``; returns its bytes."""
        gone = self.bytes[: max(0, first - self.first)]
        del self.bytes[: len(gone)]
        self.first += len(gone)
        # The last moment before ``first`` still tells of what follows it.
        keep = max(0, bisect_right(self.offsets, self.first) - 1)
        del self.offsets[:keep], self.times[:keep]
        return gone

    def oldest(self) -> int | None:
        """When the first unhandled one became a dead letter, at most GRAIN_MS too early; None without any."""
        found = _UNHANDLED.search(self.bytes)
        if found is None:
            return None
        return self.times[max(0, bisect_right(self.offsets, self.first + found.start()) - 1)]


class DeadLetterWatch:
    """``turn`` brings the gauges up to date; call it every EVERY_S, from one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic("dead-letter")
        self._forget()

    def _forget(self) -> None:
        self._handled = HandledLetters(self._settings, CLIENT)
        self._letters: dict[int, Letters] = {}
        self._next: dict[Place, int] = {}
        self.unhandled: Counter[int] = Counter()
        """By number of the reason, from 1."""

    def turn(self) -> None:
        """Read what came since the last time and show it. Raises DependencyDown; the next turn goes on from there."""
        found = spans(self._settings, [self._topic], CLIENT)
        if any(end < self._next.get(place, 0) for place, (_, end) in found.items()):
            self._forget()  # the topic was made anew
        for place, (first, _) in found.items():
            self._trim(place[1], first)
        wanted = {place: (max(first, self._next.get(place, 0)), end) for place, (first, end) in found.items()}
        for record in read_spans(self._settings, wanted, CLIENT):
            reason = dict(record.headers() or ()).get(REASON) or b""
            self.add((record.partition(), record.offset()), _NUMBER.get(reason, 0), record.timestamp()[1])
        self._next.update({place: end for place, (_, end) in wanted.items()})
        for at in self._handled.follow():
            self.look_again(at)
        self._show(int(time.time() * 1000))

    def add(self, at: Coordinates, number: int, appended_ms: int) -> None:
        """Take a dead letter of the reason with this number; one that was taken before is left alone."""
        letters = self._letters.setdefault(at[0], Letters(at[1]))
        if at[1] < letters.end:
            return
        handled = at in self._handled
        letters.add(at[1], number | _HANDLED if handled else number, appended_ms)
        self.unhandled[number] += not handled

    def look_again(self, at: Coordinates) -> None:
        """What was said of ``at`` has changed. A letter that is not known yet will ask for itself."""
        letters = self._letters.get(at[0])
        if letters is None or not letters.first <= at[1] < letters.end:
            return
        place, handled = at[1] - letters.first, at in self._handled
        number = letters.bytes[place] & ~_HANDLED
        if number and handled is not bool(letters.bytes[place] & _HANDLED):
            letters.bytes[place] = number | _HANDLED if handled else number
            self.unhandled[number] += -1 if handled else 1

    def _trim(self, partition: int, first: int) -> None:
        if partition in self._letters:
            for number, count in Counter(self._letters[partition].trim(first)).items():
                if number and not number & _HANDLED:
                    self.unhandled[number] -= count

    def _show(self, now_ms: int) -> None:
        for number, reason in enumerate(REASONS, start=1):
            metrics.dead_letters_unhandled.labels(reason).set(self.unhandled[number])
        times = [time for letters in self._letters.values() if (time := letters.oldest()) is not None]
        metrics.dead_letter_oldest_seconds.set(max(0.0, (now_ms - min(times)) / 1000) if times else 0)
