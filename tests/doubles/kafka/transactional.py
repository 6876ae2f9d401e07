"""``confluent_kafka.Producer`` in memory with a transactional.id: the states of librdkafka's transactional client, and
the errors it makes of the broker's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.doubles.kafka.client import failure
from tests.doubles.kafka.faults import RECONNECT_S, SLOW_S, Ending, Late, Sending
from tests.doubles.kafka.groups import GroupMetadata
from tests.doubles.kafka.log import Place, Transaction
from tests.doubles.kafka.producer import Producer, Waiting
from tests.doubles.kafka.transactions import FENCED, RETRY

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

_FENCED = frozenset({FENCED, int(KafkaError.INVALID_PRODUCER_EPOCH)})


class TransactionalProducer(Producer):
    """``_error`` is what the open transaction failed with: it must be aborted, or the producer is done for."""

    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        super().__init__(cluster, config)
        self.transactional_id = str(config["transactional.id"])
        self.epoch = -1
        self._known = cluster.transactional(self.transactional_id)
        self._ready = self._open = False
        self._error: KafkaError | None = None
        self._registered: set[Place] = set()
        self._offsets_registered: set[str] = set()

    def produce(self, *args: Any, **kwargs: Any) -> None:
        if self._error is not None:
            raise failure(KafkaError._STATE, "the transaction has failed: abort it")
        if not self._open:
            raise failure(KafkaError._STATE, "no transaction is open")
        super().produce(*args, **kwargs)

    def init_transactions(self, timeout: float = -1) -> None:
        self._call("init_transactions")
        limit = float(self.config.get("transaction.timeout.ms", 60_000)) / 1000
        if not self._wait(lambda: self._known.init(limit), timeout):
            raise failure(KafkaError._TIMED_OUT, "Failed to initialize Producer ID", retriable=True)
        self.epoch = self._known.epoch
        self._ready = True

    def begin_transaction(self) -> None:
        self._call("begin_transaction")
        self._check_fatal()
        if not self._ready or self._open:
            raise failure(KafkaError._STATE, "begin_transaction() called in the wrong state")
        self._open = True

    def send_offsets_to_transaction(
        self, positions: Iterable[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        self._call("send_offsets_to_transaction")
        self._check_open()
        who: GroupMetadata = group_metadata
        offsets = {(tp.topic, tp.partition): (tp.offset, tp.metadata or "") for tp in positions}
        if not offsets:
            return
        until = self.cluster.now() + (timeout if timeout >= 0 else 1e9)
        added = self._ask(lambda: self._known.add(self.epoch, group=who.group), timeout)
        if added is None:
            raise failure(KafkaError._TIMED_OUT, "AddOffsetsToTxn timed out", retriable=True)
        self._judge(added)
        self._offsets_registered.add(who.group)
        how = self.cluster.sending(self) if self.cluster.sending is not None else Sending.PLAIN
        epoch = self.epoch

        def arrive() -> int:
            return self.arriving(epoch, who, offsets)

        late = Late(f"TxnOffsetCommit of {self.transactional_id} epoch {epoch} generation {who.generation}", arrive)
        if how in (Sending.LOST, Sending.HELD, Sending.LOST_DONE):
            if how is Sending.LOST_DONE:
                arrive()
            elif how is Sending.HELD:
                self.cluster.late.append(late)
            self._timed_out()
            self._wait(lambda: False, max(0.0, until - self.cluster.now()))
            raise failure(KafkaError._TIMED_OUT, "TxnOffsetCommit timed out", retriable=True)
        if how is Sending.DUPLICATED:
            self.cluster.late.append(late)
            self._broken_for_a_moment()
        answer = self._ask(arrive, max(0.0, until - self.cluster.now()))
        self._replied("send_offsets_to_transaction")
        if answer is None:
            raise failure(KafkaError._TIMED_OUT, "TxnOffsetCommit timed out", retriable=True)
        self._judge(answer)

    def arriving(self, epoch: int, who: GroupMetadata, offsets: Mapping[Place, tuple[int, str]]) -> int:
        """What the broker does with a TxnOffsetCommit of ours, whenever it comes; 0 or the code of its answer."""
        group = self.cluster.group(who.group)
        refused = group.may_commit(who, transactional=True)
        if refused:
            return refused
        transaction = self._known.within(epoch, group=who.group)
        if not isinstance(transaction, Transaction):
            return int(transaction)
        group.store(offsets, transaction)
        return 0

    def commit_transaction(self, timeout: float = -1) -> None:
        self._call("commit_transaction")
        self._check_open()
        until = self.cluster.now() + (timeout if timeout >= 0 else 1e9)
        self._wait(self._drained, timeout)
        self._serve()
        self._check_open()
        if self._queue:
            raise failure(KafkaError._TIMED_OUT, "not every record was acknowledged in time", retriable=True)
        self._end(True, until)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._call("abort_transaction")
        self._check_fatal()
        if not self._open:
            raise failure(KafkaError._STATE, "abort_transaction() called in the wrong state")
        self.purge()
        self._serve()
        self._error = None
        self._end(False, self.cluster.now() + (timeout if timeout >= 0 else 1e9))

    def _end(self, commit: bool, until: float) -> None:
        if not self._registered and not self._offsets_registered:
            self._over()  # nothing was written: the broker is not told
            return
        how = self.cluster.ending(self) if self.cluster.ending is not None and commit else Ending.PLAIN
        epoch = self.epoch
        what = f"EndTxn {'commit' if commit else 'abort'} of {self.transactional_id} epoch {epoch}"
        late = Late(what, lambda: self._known.end(epoch, commit))
        if how in (Ending.LOST, Ending.HELD, Ending.LOST_DONE):
            if how is Ending.LOST_DONE:
                late.arrive()
            elif how is Ending.HELD:
                self.cluster.late.append(late)
            self._timed_out()
            self._wait(lambda: False, max(0.0, until - self.cluster.now()))
            raise failure(KafkaError._TIMED_OUT, f"{what} timed out", retriable=True)
        if how is Ending.DUPLICATED:
            self.cluster.late.append(late)
            self._broken_for_a_moment()
        answer = self._ask(late.arrive, max(0.0, until - self.cluster.now()))
        self._replied("commit_transaction" if commit else "abort_transaction")
        if how is Ending.SLOW:
            self._wait(lambda: False, min(SLOW_S, max(0.0, until - self.cluster.now())))
        if answer is None:
            raise failure(KafkaError._TIMED_OUT, f"{what} timed out", retriable=True)
        self._judge(answer)
        self._over()

    def _over(self) -> None:
        self._open = False
        self._registered.clear()
        self._offsets_registered.clear()

    # -- requests -----------------------------------------------------------------------------------------------------

    @property
    def _may_send(self) -> bool:
        return self._error is None and super()._may_send

    def _drained(self) -> bool:
        return self._send() or self._error is not None

    def _owner(self, place: Place) -> Transaction | int:
        if place not in self._registered:
            answer = self._known.add(self.epoch, place=place)
            if answer:
                return answer
            self._registered.add(place)
        return self._known.within(self.epoch, place=place)

    def _ask(self, request: Callable[[], int], timeout: float) -> int | None:
        """The broker's answer, asking again while it says that the last transaction is not settled yet."""
        answers: list[int] = []

        def ask() -> bool:
            answers.append(request())
            return answers[-1] != RETRY

        return answers[-1] if self._wait(ask, timeout) else None

    def _judge(self, code: int) -> None:
        """Raise what librdkafka makes of an error of the broker."""
        if code:
            self._error = _judged(code)
            raise KafkaException(self._error)

    def _refused(self, waiting: Waiting, code: int) -> None:
        super()._refused(waiting, code)
        self._error = _judged(code)

    def _check_open(self) -> None:
        self._check_fatal()
        if self._error is not None:
            raise KafkaException(self._error)
        if not self._open:
            raise failure(KafkaError._STATE, "no transaction is open")

    def _check_fatal(self) -> None:
        if self._error is not None and self._error.fatal():
            raise KafkaException(self._error)

    def _broken_for_a_moment(self) -> None:
        self.disconnected()
        self.retries += 1
        self._wait(lambda: False, RECONNECT_S)

    def _replied(self, name: str) -> None:
        if self.cluster.on_call is not None:
            self._call(f"{name}.replied")


def _judged(code: int) -> KafkaError:
    """Fenced is fatal; after anything else the transaction must be aborted."""
    if code in _FENCED:
        return KafkaError(KafkaError._FENCED, "another producer has the transactional.id", True, False, False)
    return KafkaError(code, None, False, False, True)
