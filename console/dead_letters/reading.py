"""Finds dead letters in their topic, as a stream: millions of them take time, not memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from console.dead_letters.handled import CLIENT, HandledLetters
from console.dead_letters.selection import Selection
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import Span, read_spans, spans
from offerflow.runtime.settings import Settings
from schemas.dead_letter import StoredLetter, read_dead_letter

Progress = Callable[[int, int], None]
"""Told how many offsets were looked at, of how many, once that takes longer than PATIENCE_S."""
PATIENCE_S = 1.0
LOOKED_EVERY = 500


def no_progress(done: int, total: int) -> None:
    """For those who do not watch."""


class Search:
    """The dead letters of a selection that were in the topic when it was made. ``skipped`` counts those that matched
    but were handled, or not handled, contrary to what was asked for; ``foreign`` records that are no dead letters."""

    def __init__(self, settings: Settings, selection: Selection, handled: HandledLetters) -> None:
        self._settings = settings
        self._selection = selection
        self._handled = handled
        self.skipped = self.foreign = 0
        topic = settings.topic("dead-letter")
        found = spans(settings, [topic], CLIENT, since_ms=selection.since_ms, until_ms=selection.until_ms)
        self.spans = _narrow(found, selection)

    def __call__(self, progress: Progress = no_progress) -> Iterator[StoredLetter]:
        """In log order within each partition, at most as many as the selection's limit: then partition by partition,
        so that the same ones are chosen each time."""
        selection, handled, left = self._selection, self._handled, self._selection.limit
        self.skipped = self.foreign = 0
        total = sum(end - first for first, end in self.spans.values())
        done, passed, started, told = 0, dict(self.spans), time.monotonic(), False
        for count, record in enumerate(self._records()):
            at = (record.partition(), record.offset())
            if count % LOOKED_EVERY == 0 and time.monotonic() - started > PATIENCE_S:
                told = True
                progress(done, total)
            place = (record.topic(), at[0])
            done += at[1] + 1 - passed[place][0]
            passed[place] = (at[1] + 1, passed[place][1])
            if not selection.covers(at):
                continue
            try:
                letter = read_dead_letter(record)
            except ValueError:
                self.foreign += 1
                continue
            if not selection.matches(letter):
                continue
            if selection.handled is not None and (at in handled) is not selection.handled:
                self.skipped += 1
                continue
            yield letter
            left = None if left is None else left - 1
            if left == 0:
                break
        if told:
            progress(total, total)

    def _records(self) -> Iterator[Record]:
        if self._selection.limit is None:
            yield from read_spans(self._settings, self.spans, CLIENT)
            return
        for place in sorted(self.spans):
            yield from read_spans(self._settings, {place: self.spans[place]}, CLIENT)


def find(settings: Settings, selection: Selection, progress: Progress = no_progress) -> Iterator[StoredLetter]:
    """The dead letters of a selection, with what was handled read first."""
    handled = HandledLetters(settings)
    handled.refresh()
    yield from Search(settings, selection, handled)(progress)


def _narrow(found: Mapping[Place, Span], selection: Selection) -> dict[Place, Span]:
    """Only the partitions and offsets that the ranges name."""
    if not selection.ranges:
        return dict(found)
    narrowed: dict[Place, Span] = {}
    for place, (first, end) in found.items():
        mine = [one for one in selection.ranges if one.partition == place[1]]
        if mine:
            lowest, highest = min(one.first for one in mine), max(one.last for one in mine)
            narrowed[place] = (max(first, lowest), min(end, highest + 1))
    return {place: span for place, span in narrowed.items() if span[0] < span[1]}
