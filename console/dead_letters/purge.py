"""Sets dead letters aside without sending them again, and takes that back. The records themselves stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from console.dead_letters.handled import HandledLetters
from console.dead_letters.handling import Handling
from console.dead_letters.reading import Progress, Search, no_progress
from console.dead_letters.selection import Selection
from console.workspace.commit import current_author
from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.settings import Settings
from schemas.dead_letter import StoredLetter
from schemas.dead_letter_state import Handled, write_state

CHUNK = 2000


def count(settings: Settings, selection: Selection, progress: Progress = no_progress, *, undo: bool = False) -> int:
    """How many letters ``purge`` would be about now."""
    handled = HandledLetters(settings)
    handled.refresh()
    return sum(1 for _ in _chosen(settings, selection, handled, undo, progress))


def purge(settings: Settings, selection: Selection, progress: Progress = no_progress, *, undo: bool = False) -> int:
    """Mark the unhandled letters of ``selection`` as purged, or make purged ones unhandled again. Returns how many.

    Raises TryAgain when another command took over; what was done until then stays done.
    """
    topic, by, done = settings.topic("dead-letter-state"), current_author("dlq purge").name, 0

    with Handling(settings) as handling:
        purged = handling.handled.purged

        def settled(letter: StoredLetter) -> bool:
            return (letter.at not in purged) if undo else (letter.at in handling.handled)

        def publish(producer: TransactionalProducer, letters: list[StoredLetter]) -> None:
            at = int(time.time() * 1000)
            said = [None if undo else Handled("purged", at, by, letter.id) for letter in letters]
            producer.publish(
                (write_state(topic, letter.at, one) for letter, one in zip(letters, said, strict=True)), {}, None
            )

        for chunk in _chunks(_chosen(settings, selection, handling.handled, undo, progress)):
            handling.write(chunk, settled, publish)
            for letter in chunk:
                (purged.discard if undo else purged.add)(letter.at)
            done += len(chunk)
    return done


def _chosen(
    settings: Settings, selection: Selection, handled: HandledLetters, undo: bool, progress: Progress
) -> Iterator[StoredLetter]:
    if not undo:
        yield from Search(settings, replace(selection, handled=False), handled)(progress)
        return
    # A limit is for purged ones, which the search knows only as handled.
    left = selection.limit
    for letter in Search(settings, replace(selection, handled=True, limit=None), handled)(progress):
        if left == 0:
            return
        if letter.at in handled.purged:
            yield letter
            left = None if left is None else left - 1


def _chunks(letters: Iterator[StoredLetter]) -> Iterator[list[StoredLetter]]:
    chunk: list[StoredLetter] = []
    for letter in letters:
        chunk.append(letter)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
