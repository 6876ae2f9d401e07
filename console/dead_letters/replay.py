"""Sends dead letters again, patched or as they are, to ``raw.replay``; each exactly once, however often it is run.

A chunk of records and what ``dead-letter-state`` says of them are one transaction: a killed run is taken up by running
it again. Validation judges the records as if they lay where they were first.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from console.dead_letters.handled import HandledLetters
from console.dead_letters.handling import Handling
from console.dead_letters.judging import VALID, Judge, Resend, outcome_name
from console.dead_letters.offsets import OffsetSet
from console.dead_letters.patching import Patch, Unpatchable
from console.dead_letters.reading import Progress, Search, no_progress
from console.dead_letters.selection import Selection
from console.workspace.commit import current_author
from offerflow.runtime.kafka.transactional import Landed, Output, TransactionalProducer
from offerflow.runtime.settings import Settings
from schemas.dead_letter import DeadLetter
from schemas.dead_letter_state import Coordinates, Handled, write_state

CHUNK = 500
CHUNK_BYTES = 4 * 1024 * 1024


@dataclass
class Report:
    """What a replay did, or would do.

    ``outcomes``: of the letters that are not handled yet, how many would now be ``valid``, ``dropped`` or dead again by
    reason. ``sent`` of them were written to ``raw.replay``, at the coordinates in ``coordinates``. ``skipped`` were
    handled before; ``unpatchable`` counts those that did not take the patch by why. ``unsendable`` are those that
    ``raw.replay`` does not take, and ``unsendable_why`` the broker's words about the last of them. ``failing`` has an
    example of each reason for which letters would be dead again: coordinates and what is wrong.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    unpatchable: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    sent: int = 0
    coordinates: OffsetSet = field(default_factory=OffsetSet)
    unsendable: OffsetSet = field(default_factory=OffsetSet)
    unsendable_why: str | None = None
    failing: dict[str, tuple[Coordinates, DeadLetter]] = field(default_factory=dict)

    @property
    def selected(self) -> int:
        """How many letters that are not handled yet the selection found."""
        return sum(self.outcomes.values()) + sum(self.unpatchable.values())

    @property
    def left(self) -> int:
        """How many of them stay as they are: not valid, or not to be patched."""
        return self.selected - self.outcomes[VALID]


def replay(
    settings: Settings,
    selection: Selection,
    *,
    patch: Patch | None = None,
    dry_run: bool,
    rate: float | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Report:
    """Judge what ``selection`` finds under the present plan and, unless ``dry_run``, send what would be valid.

    ``force`` sends what would be dead again too, but for what is too large. ``rate`` is records a second. Raises
    TryAgain when another replay took over or Kafka failed; run again it goes on where it stopped.
    """
    judge, report = Judge(settings), Report()
    if dry_run:
        handled = HandledLetters(settings)
        handled.refresh()
        search = Search(settings, selection, handled)
        for _ in _judged(search, judge, patch, force, report, progress):
            pass
        report.skipped = search.skipped
        return report
    with Handling(settings) as handling:
        search = Search(settings, selection, handling.handled)
        sender, pace = _Sender(settings, handling, report), Pace(rate)
        for chunk in _chunks(_judged(search, judge, patch, force, report, progress), pace.chunk):
            pace.wait(len(chunk))
            sender.send(chunk)
        report.skipped = search.skipped
    return report


def _judged(
    search: Search, judge: Judge, patch: Patch | None, force: bool, report: Report, progress: Progress
) -> Iterator[Resend]:
    """What is to be sent; everything is counted in ``report``."""
    for letter in search(progress):
        try:
            if patch is None:
                resend = judge.resend(letter, letter.value, letter.headers)
            else:
                patched = patch.apply(letter, judge.plan, judge.schema_ids(letter))
                resend = judge.resend(letter, patched.value, patched.headers, patched=True)
        except Unpatchable as error:
            report.unpatchable[str(error)[:200] if len(report.unpatchable) < 20 else "other causes"] += 1
            continue
        outcome = judge(resend)
        name = outcome_name(outcome)
        report.outcomes[name] += 1
        if name == VALID or (force and name != "too_large"):
            yield resend
        if isinstance(outcome, DeadLetter):
            report.failing.setdefault(name, (letter.at, outcome))


def _chunks(resends: Iterator[Resend], size: int) -> Iterator[list[Resend]]:
    chunk: list[Resend] = []
    weight = 0
    for resend in resends:
        chunk.append(resend)
        weight += len(resend.value or b"")
        if len(chunk) >= size or weight >= CHUNK_BYTES:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


class _Sender:
    """Writes chunks for one run."""

    def __init__(self, settings: Settings, handling: Handling, report: Report) -> None:
        self._replays, self._states = settings.topic("raw.replay"), settings.topic("dead-letter-state")
        self._handling = handling
        self._handled = handling.handled
        self._report = report
        self._by = current_author("dlq replay").name

    def send(self, chunk: list[Resend]) -> None:
        refused = self._handling.write(chunk, lambda resend: resend.letter.at in self._handled, self._publish)
        for resend, why in refused:
            self._report.unsendable.add(resend.letter.at)
            self._report.unsendable_why = why
        for resend in chunk:
            if resend.letter.at in self._report.unsendable:
                continue
            self._handled.replayed.add(resend.letter.at)
            self._report.coordinates.add(resend.letter.at)
        self._report.sent = len(self._report.coordinates)

    def _publish(self, producer: TransactionalProducer, chunk: list[Resend]) -> None:
        def states(landed: list[Landed]) -> Iterator[Output]:
            at = int(time.time() * 1000)
            for resend, (topic, partition, offset) in zip(chunk, landed, strict=True):
                letter = resend.letter
                said = Handled("replayed", at, self._by, letter.id, topic, partition, offset, resend.patched)
                yield write_state(self._states, letter.at, said)

        # A header's value is bytes or None here; what a producer takes is more.
        outputs = [Output(self._replays, one.letter.key, one.value, list(one.headers)) for one in chunk]
        producer.publish_linked(outputs, states)


class Pace:
    """Holds to ``rate`` records a second on the average, without a burst after a pause."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._next = 0.0
        self.chunk = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 4)))
        """Records per transaction, so that progress shows and a kill loses little."""

    def wait(self, records: int) -> None:
        """Until ``records`` more may go."""
        if self._rate is None:
            return
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(self._next, now) + records / self._rate
