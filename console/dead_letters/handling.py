"""The one writer of ``dead-letter-state``, and of ``raw.replay``: one transactional id for every command that handles
dead letters, so that two at a time fence each other instead of handling a letter twice.

1. open: fence whoever was at it, which settles its last transaction;
2. read what was handled;
3. write a chunk in one transaction; if it is disturbed, or the producer had to be made anew, go back to 2 first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from console.dead_letters.handled import HandledLetters
from offerflow.runtime.errors import DependencyDown, Disturbed, Fenced, KafkaDown, TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.transactional import TransactionalProducer, Unwritable
from offerflow.runtime.settings import Settings

T = TypeVar("T")
TRIES = 5
PAUSE_S = 0.5


class Handling:
    """Use as a context manager. ``handled`` is true for as long as nobody else opens one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = TransactionalProducer(settings, settings.topic("dead-letter-state.writer"), "dead-letters")
        self._read = -1
        self.handled = HandledLetters(settings)

    def __enter__(self) -> Handling:
        topics = [self._settings.topic(name) for name in ("dead-letter", "dead-letter-state", "raw.replay")]
        admin = Admin(self._settings)
        missing = sorted(set(topics) - set(admin.topics(topics)))
        if missing:
            where = self._settings.kafka.bootstrap_servers
            raise KafkaDown(f"Kafka at {where} lacks {', '.join(missing)}; run `offerflow topics create`")
        self._current()
        return self

    def __exit__(self, *exc: object) -> None:
        self._producer.close()

    def write(
        self,
        chunk: Sequence[T],
        settled: Callable[[T], bool],
        publish: Callable[[TransactionalProducer, list[T]], object],
    ) -> list[tuple[T, str]]:
        """Have ``publish`` write what of ``chunk`` is not ``settled`` in one transaction, again until it is done.

        ``settled`` must ask ``handled``; ``publish`` writes one output for each, in order. Returns those that the
        broker refuses, with its words: the others are written without them. Raises TryAgain when another command took
        over or the broker took nothing: what was written until then is kept.
        """
        refused: list[tuple[T, str]] = []
        parts = [list(chunk)]
        while parts:
            part = parts.pop()
            blamed = self._write(part, settled, publish)
            if blamed is None:
                continue
            if len(part) == 1:
                refused.append(blamed)
            else:
                # Records are refused by the batch, so whether it is this one shows when it goes alone.
                parts += [[one for one in part if one is not blamed[0]], [blamed[0]]]
        return refused

    def _write(
        self,
        part: list[T],
        settled: Callable[[T], bool],
        publish: Callable[[TransactionalProducer, list[T]], object],
    ) -> tuple[T, str] | None:
        """Nothing when all of it is written; else none is, and this one is to blame."""
        disturbed: Exception | None = None
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_S * attempt)
            try:
                self._current()
                left = [one for one in part if not settled(one)]
                if left:
                    publish(self._producer, left)
            except Fenced:
                raise TryAgain(
                    "another command that replays or purges dead letters has taken over; when it is done run this"
                    " again: what was handled is skipped"
                ) from None
            except (Disturbed, DependencyDown) as error:
                if isinstance(error, Unwritable) and error.alone:
                    return left[error.at], error.why
                disturbed = error
            else:
                return None
        raise TryAgain(
            f"Kafka does not take the transaction ({disturbed}); run this again: what was handled is skipped"
        )

    def _current(self) -> None:
        """A producer that works, and what was handled before it was made."""
        self._producer.settle()
        self._producer.tend()
        if self._producer.opened != self._read:
            opened = self._producer.opened
            self.handled.refresh()
            self._read = opened
