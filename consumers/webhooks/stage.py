"""The webhooks stage: outputs into the queues of endpoints, while the sender works them off beside it.

What the feed reads becomes messages, which are queued with the positions in one SQL transaction; then the sender is
woken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from consumers.webhooks.deliverer import Deliverer
from consumers.webhooks.intake import Intake
from consumers.webhooks.messages import TOPICS, Message, Writer
from consumers.webhooks.sender import wall_clock
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.feed import Feed

STAGE = "webhooks"
WAIT_S = 0.1
SPACING_S = 0.02


class WebhooksStage:
    """One member of the webhooks group, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, engine: Engine, deliverer: Deliverer) -> None:
        self._program = program
        self._deliverer = deliverer
        readers = {settings.topic(name): _reader(Writer(name)) for name in TOPICS}
        self._feed = Feed[list[Message]](settings, STAGE, readers, _Queues(Intake(engine), deliverer), SPACING_S)

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        self._feed.join()
        try:
            while not self._program.stopping:
                if self._deliverer.check():
                    self._program.turn()  # else the watchdog ends a process whose sender hangs
                self._feed.turn(WAIT_S)
                if self._feed.partitions:
                    self._program.health.ready(partitions=self._feed.partitions)
            self._feed.finish()
        finally:
            self._feed.leave()


class _Queues:
    """Where the feed writes: the queues, whose sender is told."""

    def __init__(self, intake: Intake, deliverer: Deliverer) -> None:
        self._intake = intake
        self._deliverer = deliverer

    def positions(self) -> Mapping[Place, Position]:
        return self._intake.positions()

    def batch(self) -> list[Message]:
        return []

    def write(self, batch: list[Message], before: Mapping[Place, Position], after: Mapping[Place, Position]) -> None:
        if self._intake.enqueue(batch, before, after, wall_clock()):
            self._deliverer.notify()


def _reader(write: Writer) -> Callable[[Record, list[Message]], None]:
    def read(record: Record, into: list[Message]) -> None:
        into.append(write(record))

    return read
