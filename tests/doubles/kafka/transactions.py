"""The broker's side of transactions, version 1 of the protocol: epochs, open transactions, their ends and markers.

As in Kafka's TransactionCoordinator: an end is decided and answered first, the markers in the partitions and in the
groups' offsets come after that, and until the last of them is written nothing new begins under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from tests.doubles.kafka.log import Place, Transaction

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

RETRY = int(KafkaError.CONCURRENT_TRANSACTIONS)
FENCED = int(KafkaError.PRODUCER_FENCED)
NO_TRANSACTION = int(KafkaError.INVALID_TXN_STATE)


class State(Enum):
    EMPTY = "Empty"
    ONGOING = "Ongoing"
    ENDING = "Prepare"
    ENDED = "Complete"


class Producing:
    """What the coordinator knows of one transactional id."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        self.id = transactional_id
        self.epoch = -1
        self.state = State.EMPTY
        self.transaction: Transaction | None = None
        """The open one or, once ended, the last one."""
        self.timeout_s = 60.0
        self._cluster = cluster

    def init(self, timeout_s: float) -> bool:
        """Fence whoever has the id and settle what it left open. False: not settled yet, ask again."""
        if self.state is State.ONGOING:
            self.expire()
        if self.state is State.ENDING:
            return False
        self.epoch += 1
        self.timeout_s = timeout_s
        self.state = State.EMPTY
        return True

    def add(self, epoch: int, place: Place | None = None, group: str | None = None) -> int:
        """Take a partition or a group's offsets into the open transaction, or begin one. 0 or an error's code."""
        if epoch != self.epoch:
            return FENCED
        if self.state is State.ENDING:
            return RETRY
        if self.state is not State.ONGOING:
            self.state = State.ONGOING
            self.transaction = Transaction(self.id, self._cluster.now())
            self._watch(self.transaction)
        assert self.transaction is not None
        if place is not None:
            self.transaction.places[place] = None
        if group is not None:
            self.transaction.groups[group] = None
        return 0

    def within(self, epoch: int, place: Place | None = None, group: str | None = None) -> Transaction | int:
        """The open transaction if that partition or group is part of it, as a leader verifies; or an error's code."""
        if epoch != self.epoch:
            return int(KafkaError.INVALID_PRODUCER_EPOCH)
        transaction = self.transaction
        if self.state is not State.ONGOING or transaction is None:
            return NO_TRANSACTION
        if (place is not None and place not in transaction.places) or (
            group is not None and group not in transaction.groups
        ):
            return NO_TRANSACTION
        return transaction

    def end(self, epoch: int, commit: bool) -> int:
        """Commit or abort what is open *now*, whatever the sender meant. 0 or an error's code."""
        if epoch != self.epoch:
            return FENCED
        if self.state is State.EMPTY or self.transaction is None:
            return NO_TRANSACTION
        if self.state is State.ONGOING:
            self._decide(commit)
            return 0
        if self.transaction.outcome is not commit:
            return NO_TRANSACTION
        return RETRY if self.state is State.ENDING else 0

    def expire(self) -> None:
        """Abort what is open and fence its producer, as the transaction time-out does."""
        if self.state is State.ONGOING:
            self.epoch += 1
            self._decide(False)

    def _watch(self, transaction: Transaction) -> None:
        def look() -> None:
            if transaction is self.transaction and self.state is State.ONGOING:
                if self._cluster.up:
                    self.expire()
                else:
                    self._cluster.agenda.at(self._cluster.now() + 1.0, look)

        self._cluster.agenda.at(self._cluster.now() + self.timeout_s, look)

    def _decide(self, commit: bool) -> None:
        transaction = self.transaction
        assert transaction is not None
        transaction.outcome = commit
        self.state = State.ENDING
        transaction.unmarked = len(transaction.places) + len(transaction.groups)
        if not transaction.unmarked:
            self.state = State.ENDED
        for write in list(self._markers(transaction)):
            delay = self._cluster.marker_delay() if self._cluster.marker_delay is not None else 0.0
            if delay > 0:
                self._cluster.agenda.at(self._cluster.now() + delay, lambda write=write: self._mark(write))  # type: ignore[misc]
            else:
                self._mark(write)

    def _markers(self, transaction: Transaction) -> Iterator[Callable[[], None]]:
        for place in transaction.places:
            partition = self._cluster.partition(place)
            if partition is None:  # the topic is gone
                yield lambda: None
            else:
                yield lambda partition=partition: partition.mark(transaction)  # type: ignore[misc]
        for name in transaction.groups:
            yield lambda name=name: self._cluster.group(name).mark(transaction)  # type: ignore[misc]

    def _mark(self, write: Callable[[], None]) -> None:
        write()
        assert self.transaction is not None
        self.transaction.unmarked -= 1
        if not self.transaction.unmarked:
            self.state = State.ENDED
