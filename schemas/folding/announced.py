"""What a fold says to the world, as it is written: outputs to their topics, and records the rules failed on as dead
letters. Workers publish it; whoever folds elsewhere compares with it."""

from __future__ import annotations

from itertools import chain

from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import Settings
from schemas.announce import Announcer
from schemas.dead_letter import write_dead_letter
from schemas.folding.partition import Work

STAGE = "rules"


class Announced:
    """Writes the Works of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self._announce = Announcer(settings)
        self._dead_letters = settings.topic("dead-letter")

    def __call__(self, work: Work, failed_at: int) -> list[Output]:
        """In the order in which they are published. ``failed_at``: the milliseconds that dead letters bear."""
        return [
            *map(self._announce, work.outputs),
            *(
                write_dead_letter(self._dead_letters, record, letter, STAGE, failed_at)
                for record, letter in work.dead_letters
            ),
        ]


def sources(work: Work) -> list[Record]:
    """The journal record that each of what is written comes of, in the same order."""
    return list(chain(work.sources, (record for record, _ in work.dead_letters)))
