"""The transactional producer of a stage: outputs and offsets in one Kafka transaction, or neither.

librdkafka speaks transactions v1 only: a delayed EndTxn or TxnOffsetCommit can land in a *later* transaction of the
same producer epoch. So whenever an end failed, was slow, or a connection broke or a request timed out meanwhile
(offerflow.runtime.kafka.trouble), the producer is destroyed and made anew under the same transactional id, which
fences what is still on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from offerflow.runtime import metrics, outside, steps
from offerflow.runtime.errors import Disturbed, Fenced
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.kafka.trouble import Trouble
from offerflow.runtime.settings import Settings
from offerflow.runtime.steps import Step

T = TypeVar("T")
CALL_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 5.0
"""For handing offsets over, which takes milliseconds or waits for a group coordinator that is away, without end."""
GRACE_S = 1.0
"""How much longer than its time-out a call may take before it is left behind."""
SLOW_END_S = 1.0

_CONFIG = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    # A dead letter must not become much larger than its raw record was, whatever that was compressed with.
    "compression.type": "zstd",
    "linger.ms": 0,
    "batch.size": 1_000_000,
    # Counted before compression; the broker, which counts after it, is the one to judge.
    "message.max.bytes": 1_000_000_000,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 2_000_000,
    "transaction.timeout.ms": 10_000,
    "message.timeout.ms": 10_000,
    # A broker that neither answers nor closes is given up in time to try another within the same transaction.
    "socket.timeout.ms": 6_000,
    "statistics.interval.ms": 1000,
}

_REFUSALS_OF_RECORDS = frozenset({
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD,
})  # fmt: skip
"""Those that say nothing about other records of the topic."""
_REFUSALS = _REFUSALS_OF_RECORDS | {
    KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.POLICY_VIOLATION,
}  # fmt: skip


class Output(msgspec.Struct, gc=False):
    """One record to write. ``headers`` in order, or None; ``partition`` -1 leaves the choice to the key's hash."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None
    partition: int = -1


Landed = tuple[str, int, int]
"""Where a record was written: topic, partition, offset."""


class Unwritable(Disturbed):
    """The broker does not take ``output``, for a reason that trying again does not mend by itself.

    ``at`` is its place among the outputs. ``alone``: the topic takes other records.
    """

    def __init__(self, output: Output, why: str, at: int = 0, alone: bool = False) -> None:
        super().__init__(f"{output.topic} does not take a record of {len(output.value or b'')} bytes: {why}")
        self.output = output
        self.why = why
        self.at = at
        self.alone = alone


class Refusals:
    """What the broker says about single records. Of several refused at once, as a batch is, the largest is to blame."""

    def __init__(self) -> None:
        self.failed: dict[int, tuple[KafkaError, Output]] = {}
        """By place among the outputs."""

    def watch(self, output: Output, at: int) -> Callable[[KafkaError | None, Message], None]:
        failed = self.failed

        # Nothing may be called in here on an error: when the producer was fenced the client has raised that already.
        def told(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed[at] = error, output

        return told

    def blame(self, error: Disturbed) -> Disturbed:
        """What to raise for a transaction that ended in ``error``."""
        refused = [
            (_size(output), at) for at, (said, output) in self.failed.items() if said.code() in _REFUSALS
        ]  # fmt: skip
        if not refused or isinstance(error, Fenced):
            return error
        _, at = max(refused)
        said, output = self.failed[at]
        return Unwritable(output, said.str().strip(), at, said.code() in _REFUSALS_OF_RECORDS)


def _size(output: Output) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in output.headers or ())
    return len(output.key or b"") + len(output.value or b"") + headers


class TransactionalProducer:
    """One producer under a stable ``transactional_id``. Construction fences whoever had the id before."""

    def __init__(self, settings: Settings, transactional_id: str, stage: str) -> None:
        self._settings = settings
        self._id = transactional_id
        self._stage = stage
        self._commit_seconds = metrics.commit_seconds.labels(stage)
        self._trouble = Trouble()
        self._producer: Producer | None = None
        self.committed_at = 0.0
        """When the last transaction ended, by the monotonic clock."""
        self.opened = 0
        """How often the producer was made. When it was made anew, somebody else may have written in between."""

    def open(self) -> None:
        """Make the producer anew and settle any transaction left open under its id. Raises KafkaDown to retry."""
        self.drop()
        config = {
            **_CONFIG,
            **base_config(self._settings, self._settings.worker or self._stage),
            "transactional.id": self._id,
        }
        trouble = Trouble()
        kept: list[Producer] = []
        try:
            kept.append(outside.Producer(config | trouble.config(config)))
            self._call(lambda: kept[0].init_transactions(CALL_TIMEOUT_S), CALL_TIMEOUT_S)
        except KafkaException as error:
            # It must end here, while the error that is on its way holds the frames of the call: as long as a producer
            # lives it goes on asking for the id by itself, and once the broker is back it fences the one made next.
            kept.clear()
            raise translate(error, f"opening transactions as {self._id}", self._settings) from None
        self._producer, self._trouble = kept[0], trouble
        self.opened += 1

    def settle(self) -> None:
        """Make the producer anew if it was dropped, so that its last transaction is ended before anybody claims."""
        if self._producer is None:
            self.open()

    def tend(self) -> None:
        """Between transactions: make the producer anew if it was dropped, since what it left open holds back all that
        follows it, written by whomever; and if its connections broke meanwhile, since after a broker's restart the
        first call of an old producer was seen to hang for half a minute. Raises KafkaDown if that fails."""
        self.settle()
        assert self._producer is not None  # noqa: S101 - settled above
        self._producer.poll(0)
        if self.tainted():
            self.open()

    def tainted(self, end_took_s: float = 0.0) -> bool:
        """Whether a request of an earlier transaction may still be on its way to the broker, where it would count for
        the next one of the same producer."""
        return end_took_s > SLOW_END_S or self._trouble.seen

    def drop(self) -> None:
        """Forget the producer and whatever it had under way; ``open`` settles what the broker knows of it."""
        if self._producer is not None:
            metrics.producer_recreations.labels(self._stage).inc()
            self._producer.purge(blocking=False)
            self._producer.poll(0)
        self._producer = None

    def publish(
        self, outputs: Iterable[Output], offsets: Mapping[Place, tuple[int, str]], group_metadata: Any | None,
        *, careful: bool = False,
    ) -> None:  # fmt: skip
        """Write ``outputs`` and commit ``offsets`` (offset, metadata) for the group, all in one transaction.

        ``careful``, which is slower, finds out which output the broker does not take and raises Unwritable for it.
        Raises Disturbed when it did not happen or may not have happened: the caller must claim again. Fenced if a
        newer process has the id. ``offsets`` may be empty; then ``group_metadata`` is not needed.
        """
        if offsets and group_metadata is None:
            raise Disturbed("the group is being rebalanced; nothing can be committed")

        refused = Refusals() if careful else None

        def write(producer: Producer) -> None:
            for at, output in enumerate(outputs):
                self._produce(producer, output, refused.watch(output, at) if refused is not None else None)
            steps.reached(Step.PRODUCED)
            if offsets:
                parts = [TopicPartition(t, p, offset, metadata) for (t, p), (offset, metadata) in offsets.items()]
                send = producer.send_offsets_to_transaction
                self._call(lambda: send(parts, group_metadata, SEND_TIMEOUT_S), SEND_TIMEOUT_S)
                steps.reached(Step.OFFSETS_SENT)

        try:
            self._transact(write)
        except Disturbed as error:
            if refused is None:
                raise
            raise refused.blame(error) from None

    def publish_linked(
        self, outputs: Sequence[Output], links: Callable[[list[Landed]], Iterable[Output]]
    ) -> list[Landed]:
        """Write ``outputs``, then the records that ``links`` makes of where each of them lies, all in one transaction.

        Raises as a careful ``publish`` does. Slower than that: it waits for the broker between the two.
        """
        refused = Refusals()
        failed = refused.failed
        landed: list[Landed | None] = [None] * len(outputs)
        silent = KafkaError(KafkaError._MSG_TIMED_OUT, "not every record was acknowledged")

        def report(at: int) -> Callable[[KafkaError | None, Message], None]:
            def take(error: KafkaError | None, message: Message) -> None:
                if error is None:
                    landed[at] = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
                else:
                    failed[at] = error, outputs[at]

            return take

        def write(producer: Producer) -> None:
            for at, output in enumerate(outputs):
                self._produce(producer, output, report(at))
            if producer.flush(CALL_TIMEOUT_S) or None in landed:
                # Why is said by the end of the transaction, not by its records: another process took over, or not.
                producer.abort_transaction(CALL_TIMEOUT_S)
                raise KafkaException(silent)
            for output in links(cast("list[Landed]", landed)):
                self._produce(producer, output)

        try:
            self._transact(write)
        except Disturbed as error:
            raise refused.blame(error) from None
        return cast("list[Landed]", landed)

    def _transact(self, write: Callable[[Producer], None]) -> None:
        self.settle()
        producer = self._producer
        assert producer is not None  # noqa: S101 - opened above
        try:
            producer.begin_transaction()
            steps.reached(Step.BEGUN)
            write(producer)
            started = outside.monotonic()
            self._call(lambda: producer.commit_transaction(CALL_TIMEOUT_S), CALL_TIMEOUT_S)
            steps.reached(Step.COMMITTED)
        except KafkaException as error:
            self.drop()
            raise self._doubt(error) from None
        self.committed_at = outside.monotonic()
        seconds = self.committed_at - started
        self._commit_seconds.observe(seconds)
        producer.poll(0)
        if self.tainted(seconds):
            self.open()

    def _doubt(self, error: KafkaException) -> Disturbed:
        # In a frame of its own: one that is part of what it raises keeps itself alive, and the producer with it.
        raised = translate(error, f"publishing as {self._id}", self._settings)
        return raised if isinstance(raised, Disturbed) else Disturbed(str(raised))

    def _call(self, call: Callable[[], T], timeout_s: float) -> T:
        """A call of the client that has its own time-out, and is left behind if it does not keep it."""
        try:
            return outside.bounded(call, timeout_s + GRACE_S)
        except TimeoutError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None

    def close(self) -> None:
        """Let go of the producer at the end of the program; nothing is under way then."""
        self._producer = None

    def _produce(
        self, producer: Producer, output: Output, report: Callable[[KafkaError | None, Message], None] | None = None
    ) -> None:
        while True:
            try:
                if report is not None:
                    producer.produce(
                        output.topic, output.value, output.key, output.partition, report, headers=output.headers or []
                    )
                elif output.headers is None:
                    producer.produce(output.topic, output.value, output.key, output.partition)
                else:
                    producer.produce(output.topic, output.value, output.key, output.partition, headers=output.headers)
            except BufferError:
                # The local queue is full: let the client's thread send some of it.
                producer.poll(0.1)
            else:
                return
