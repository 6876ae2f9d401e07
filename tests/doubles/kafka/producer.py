"""``confluent_kafka.Producer`` in memory: idempotent or transactional, with the errors that librdkafka makes of the
broker's answers."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition, murmur2

from tests.doubles.kafka.client import Client, failure
from tests.doubles.kafka.faults import RECONNECT_S, SLOW_S, Ending, Late, Sending
from tests.doubles.kafka.groups import GroupMetadata
from tests.doubles.kafka.log import Headers, Place, Transaction
from tests.doubles.kafka.transactions import FENCED, RETRY

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

_FENCED = frozenset({FENCED, int(KafkaError.INVALID_PRODUCER_EPOCH)})
Delivered = Callable[[KafkaError | None, Message | None], None]


class _Waiting(NamedTuple):
    """A record that was taken and not sent yet."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    told: Delivered | None


class Producer(Client):
    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        super().__init__(cluster, config)
        self.transactional_id = str(config.get("transactional.id", ""))
        self.epoch = -1
        self.retries = 0
        self.timeouts = 0
        self._stats = config.get("stats_cb")
        self._logger = config.get("logger")
        self._logs: deque[tuple[str, str]] = deque()
        self._stats_s = float(config.get("statistics.interval.ms", 0)) / 1000
        self._next_stats = cluster.now() + self._stats_s
        self._ready = self._open = False
        self._ending = False
        self._error: KafkaError | None = None
        self._registered: set[Place] = set()
        self._offsets_registered: set[str] = set()
        self._queue: deque[_Waiting] = deque()
        self._reports: deque[Callable[[], None]] = deque()
        self._keyless = 0
        self._chosen: dict[tuple[bytes, int], int] = {}

    # -- outside transactions -----------------------------------------------------------------------------------------

    def produce(
        self, topic: str, value: str | bytes | None = None, key: str | bytes | None = None, partition: int = -1,
        on_delivery: Delivered | None = None, timestamp: int = 0,
        headers: Sequence[tuple[str, str | bytes | None]] | Mapping[str, str | bytes | None] | None = None,
        callback: Delivered | None = None,
    ) -> None:  # fmt: skip
        self._call("produce")
        if self.transactional_id:
            if self._error is not None:
                raise failure(KafkaError._STATE, "the transaction has failed: abort it")
            if not self._open:
                raise failure(KafkaError._STATE, "no transaction is open")
        key = key.encode() if isinstance(key, str) else key
        value = value.encode() if isinstance(value, str) else value
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        encoded: Headers = [(name, given.encode() if isinstance(given, str) else given) for name, given in pairs]
        if partition < 0:
            partition = self._partition(topic, key)
        self._queue.append(_Waiting((topic, partition), key, value, encoded or None, on_delivery or callback))
        self._send()

    def poll(self, timeout: float = -1) -> int:
        self._call("poll")
        if not self._reports and timeout > 0:
            self._wait(lambda: self._send() and bool(self._reports), timeout)
        return self._serve()

    def flush(self, timeout: float = -1) -> int:
        self._call("flush")
        self._wait(self._send, timeout)
        self._serve()
        return len(self._queue)

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        while self._queue:
            self._failed(self._queue.popleft(), KafkaError(KafkaError._PURGE_QUEUE))

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        self._call("list_topics")
        return self.cluster.AdminClient({}).list_topics(topic, timeout)

    def __len__(self) -> int:
        return len(self._queue) + len(self._reports)

    # -- transactions -------------------------------------------------------------------------------------------------

    def init_transactions(self, timeout: float = -1) -> None:
        self._call("init_transactions")
        known = self.cluster.transactional(self.transactional_id)
        limit = float(self.config.get("transaction.timeout.ms", 60_000)) / 1000
        if not self._wait(lambda: known.init(limit), timeout):
            raise failure(KafkaError._TIMED_OUT, "Failed to initialize Producer ID", retriable=True)
        self.epoch = known.epoch
        self._ready = True

    def begin_transaction(self) -> None:
        self._call("begin_transaction")
        self._check_fatal()
        if not self._ready or self._open:
            raise failure(KafkaError._STATE, "begin_transaction() called in the wrong state")
        self._open = True
        self._ending = False

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
        self._wait(self._send, timeout)
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
    def _known(self) -> Any:
        return self.cluster.transactional(self.transactional_id)

    def _send(self) -> bool:
        """Send what waits, as far as the broker takes it now; whether nothing is left."""
        queue = self._queue
        while queue:
            if not self.cluster.up or self._error is not None:
                return False
            waiting = queue[0]
            partition = self.cluster.partition(waiting.place)
            if partition is None:
                there = waiting.place[0] in self.cluster.topics
                code = KafkaError._UNKNOWN_PARTITION if there else KafkaError._UNKNOWN_TOPIC
                self._refused(queue.popleft(), KafkaError(code))
                continue
            owner: Transaction | None = None
            if self.transactional_id:
                found = self._register(waiting.place)
                if found == RETRY:
                    return False
                if not isinstance(found, Transaction):
                    self._refused(queue.popleft(), KafkaError(found))
                    continue
                owner = found
            queue.popleft()
            message = partition.append(waiting.key, waiting.value, waiting.headers, self.cluster.wall(), owner)
            if waiting.told is not None:
                self._reports.append(lambda told=waiting.told, message=message: told(None, message))  # type: ignore[misc]
        return True

    def _register(self, place: Place) -> Transaction | int:
        if place not in self._registered:
            answer = self._known.add(self.epoch, place=place)
            if answer:
                return int(answer)
            self._registered.add(place)
        found: Transaction | int = self._known.within(self.epoch, place=place)
        return found

    def _ask(self, request: Callable[[], int], timeout: float) -> int | None:
        """The broker's answer, asking again while it says that the last transaction is not settled yet."""
        answers: list[int] = []

        def ask() -> bool:
            answers.append(request())
            return answers[-1] != RETRY

        return answers[-1] if self._wait(ask, timeout) else None

    def _judge(self, code: int) -> None:
        """Raise what librdkafka makes of an error of the broker."""
        if not code:
            return
        if code in _FENCED:
            self._error = KafkaError(KafkaError._FENCED, "another has the transactional.id", True, False, False)
        else:
            self._error = KafkaError(code, None, False, False, True)
        raise KafkaException(self._error)

    def _refused(self, waiting: _Waiting, error: KafkaError) -> None:
        self._failed(waiting, error)
        if self.transactional_id:
            fenced = error.code() in _FENCED
            code = KafkaError._FENCED if fenced else error.code()
            self._error = KafkaError(code, error.str(), fenced, False, not fenced)

    def _failed(self, waiting: _Waiting, error: KafkaError) -> None:
        if waiting.told is not None:
            (topic, partition), told = waiting.place, waiting.told
            message = Message(topic=topic, partition=partition, key=waiting.key, value=waiting.value, error=error)
            self._reports.append(lambda: told(error, message))

    def _check_open(self) -> None:
        self._check_fatal()
        if self._error is not None:
            raise KafkaException(self._error)
        if not self._open:
            raise failure(KafkaError._STATE, "no transaction is open")

    def _check_fatal(self) -> None:
        if self._error is not None and self._error.fatal():
            raise KafkaException(self._error)

    def disconnected(self) -> None:
        super().disconnected()
        self._logs.append(("FAIL", "127.0.0.1:9092/1: Disconnected: connection reset (after 1000ms in state UP)"))

    def _timed_out(self) -> None:
        self.timeouts += 1
        self._logs.append(("REQTMOUT", "127.0.0.1:9092/1: Timed out 1 in-flight, 0 retry-queued, 0 out-queue requests"))

    def _broken_for_a_moment(self) -> None:
        self.disconnected()
        self.retries += 1
        self._wait(lambda: False, RECONNECT_S)

    def _replied(self, name: str) -> None:
        if self.cluster.on_call is not None:
            self._call(f"{name}.replied")

    def _partition(self, topic: str, key: bytes | None) -> int:
        found = self.cluster.topics.get(topic)
        if found is None:
            return 0
        count = len(found.partitions)
        if key is None:
            self._keyless += 1
            return self._keyless % count
        chosen = self._chosen.get((key, count))
        if chosen is None:
            chosen = self._chosen[key, count] = murmur2(key, count)
        return chosen

    def _serve(self) -> int:
        """Call back: the client's log, statistics when they are due, then reports of delivery."""
        served = len(self._reports)
        while self._logs:
            facility, text = self._logs.popleft()
            if self._logger is not None:
                self._logger.log(logging.ERROR, "%s [%s] %s", facility, self.name, text)
        if self._stats is not None and self._stats_s and self.cluster.now() >= self._next_stats:
            self._next_stats = self.cluster.now() + self._stats_s
            broker = {"txretries": self.retries, "req_timeouts": self.timeouts, "disconnects": self.disconnects}
            self._stats(json.dumps({"brokers": {"1": broker}}))
        while self._reports:
            self._reports.popleft()()
        return served
