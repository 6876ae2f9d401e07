"""Questions about and changes to the cluster: topics, their ids and ends, groups and their committed offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import stamina
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import Settings

T = TypeVar("T")
RECORD_LIMIT = "max.message.bytes"
TIMEOUT_S = 6.0
ASK_S = 2.0
"""Seconds for one question to a group's coordinator."""
Place = tuple[str, int]
"""A topic's full name and a partition."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """``id`` is Kafka's own, as it prints it; it changes when a topic is deleted and created again."""

    name: str
    id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A group's committed offset and the metadata that was committed with it."""

    offset: int
    metadata: str


class Admin:
    """One admin client. Every call is bounded by TIMEOUT_S and raises the errors of runtime.errors."""

    def __init__(self, settings: Settings, client_id: str = "offerflow-admin") -> None:
        self._settings = settings
        self._client_id = client_id
        self._client = self._new_client()
        self._consumers: dict[str, Consumer] = {}

    def ping(self, timeout_s: float = 4.0) -> None:
        """Raises KafkaDown within ``timeout_s`` if no broker answers."""
        try:
            self._client.list_topics(timeout=timeout_s)
        except KafkaException as error:
            raise translate(error, "asking who is there", self._settings) from None

    def brokers(self) -> int:
        """How many brokers the cluster has now."""
        try:
            return len(self._client.list_topics(timeout=TIMEOUT_S).brokers)
        except KafkaException as error:
            raise translate(error, "asking who is there", self._settings) from None

    def cluster_id(self) -> str:
        answer = self._result(self._client.describe_cluster(request_timeout=TIMEOUT_S), "asking for the cluster")
        return str(answer.cluster_id)

    def topics(self, names: Iterable[str], timeout_s: float = TIMEOUT_S) -> dict[str, TopicInfo]:
        """Those of ``names`` that exist."""
        wanted = list(names)
        if not wanted:
            return {}

        def ask() -> dict[str, TopicInfo]:
            futures = self._client.describe_topics(TopicCollection(wanted), request_timeout=min(timeout_s, ASK_S))
            found: dict[str, TopicInfo] = {}
            for name, future in futures.items():
                description = self._result(future, f"describing topic {name}", {KafkaError.UNKNOWN_TOPIC_OR_PART: None})
                if description is not None:
                    found[name] = TopicInfo(name, str(description.topic_id), len(description.partitions))
            return found

        return self._again(ask, timeout_s)

    def create(self, topics: Iterable[tuple[str, int, int, Mapping[str, str]]]) -> list[str]:
        """Create (name, partitions, replication or -1 for the broker's default, config). Returns the new ones."""
        new = [NewTopic(name, n, replication_factor=r, config=dict(c)) for name, n, r, c in topics]
        created = []
        for name, future in self._client.create_topics(new, request_timeout=TIMEOUT_S).items() if new else ():
            if self._result(future, f"creating topic {name}", {KafkaError.TOPIC_ALREADY_EXISTS: "there"}) != "there":
                created.append(name)
        return created

    def record_limits(self, topics: Iterable[str]) -> dict[str, int]:
        """The largest compressed record that each of ``topics`` takes; without those that may not be asked about."""
        asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        silent: dict[int, Any] = {
            KafkaError.TOPIC_AUTHORIZATION_FAILED: {}, KafkaError.CLUSTER_AUTHORIZATION_FAILED: {},
        }  # fmt: skip
        found = {}
        answers = self._client.describe_configs(asked, request_timeout=TIMEOUT_S) if asked else {}
        for resource, future in answers.items():
            entries = self._result(future, f"asking for the configuration of {resource.name}", silent)
            if RECORD_LIMIT in entries:
                found[str(resource.name)] = int(entries[RECORD_LIMIT].value)
        return found

    def raise_record_limit(self, topic: str, limit: int) -> str | None:
        """Let ``topic`` take records of ``limit`` bytes. Returns why not, if the broker does not allow it."""
        entry = ConfigEntry(RECORD_LIMIT, str(limit), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        [future] = self._client.incremental_alter_configs([resource], request_timeout=TIMEOUT_S).values()
        denied = {
            KafkaError.TOPIC_AUTHORIZATION_FAILED: "access is denied",
            KafkaError.CLUSTER_AUTHORIZATION_FAILED: "access is denied",
            KafkaError.POLICY_VIOLATION: "a policy of the broker forbids it",
            KafkaError.INVALID_CONFIG: "the broker does not allow that much",
        }
        answer = self._result(future, f"raising {RECORD_LIMIT} of {topic}", denied)
        return None if answer is None else str(answer)

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where a read_committed reader would stop now: the last stable offset of each partition."""
        return self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def written(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where the log ends now, records of transactions that are still open included."""
        return self._offsets(places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)  # type: ignore[no-untyped-call]

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset that retention has left in each partition."""
        return self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def at(self, places: Iterable[Place], moment: datetime) -> dict[Place, int]:
        """The first offset that was appended at ``moment`` or after; the end if nothing was."""
        wanted = list(places)
        spec = OffsetSpec.for_timestamp(int(moment.timestamp() * 1000))
        found = self._offsets(wanted, spec)
        return {**found, **self.ends(place for place in wanted if found[place] < 0)}

    def _offsets(
        self, places: Iterable[Place], spec: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    ) -> dict[Place, int]:
        asked = {TopicPartition(topic, partition): spec for topic, partition in places}
        if not asked:
            return {}

        def ask() -> dict[Place, int]:
            futures = self._client.list_offsets(asked, isolation_level=isolation, request_timeout=ASK_S)
            return {
                (tp.topic, tp.partition): int(self._result(future, f"listing offsets of {tp.topic}").offset)
                for tp, future in futures.items()
            }

        return self._again(ask)

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, Committed]:
        """Stable committed offsets of those partitions that have one; waits for open transactions to settle."""
        parts = [TopicPartition(topic, partition) for topic, partition in places]
        if not parts:
            return {}

        # Not AdminClient.list_consumer_group_offsets: confluent-kafka 2.16 crashes the process in it while the
        # group's coordinator is coming up. A read_committed consumer asks for stable offsets as well.
        def ask() -> list[TopicPartition]:
            try:
                answer = self._consumer(group).committed(parts, timeout=ASK_S)
            except KafkaException as error:
                raise translate(error, f"reading the offsets of group {group}", self._settings) from None
            for tp in answer:
                if tp.error is not None:
                    raise translate(tp.error, f"reading the offsets of group {group}", self._settings)
            return list(answer)

        return {
            (tp.topic, tp.partition): Committed(tp.offset, tp.metadata or "")
            for tp in self._again(ask)
            if tp.offset >= 0
        }

    def members(self, group: str) -> list[str]:
        """Client ids of the members of a group; empty when nobody is there."""

        # Not describe_consumer_groups, for the reason given above: it asks the coordinator in the same way.
        def ask() -> list[str]:
            try:
                found = self._client.list_groups(group, timeout=ASK_S)
            except KafkaException as error:
                raise translate(error, f"describing group {group}", self._settings) from None
            return sorted(str(member.client_id) for one in found for member in one.members)

        return self._again(ask)

    def _consumer(self, group: str) -> Consumer:
        """A consumer that never joins; kept, since making one costs more than asking."""
        if group not in self._consumers:
            self._consumers[group] = outside.Consumer(
                {
                    "enable.auto.commit": False,
                    "isolation.level": "read_committed",
                    **base_config(self._settings, "offerflow-admin"),
                    "group.id": group,
                }
            )
        return self._consumers[group]

    def _new_client(self) -> Any:
        return outside.AdminClient(base_config(self._settings, self._client_id))

    def _again(self, ask: Callable[[], T], within_s: float = TIMEOUT_S + ASK_S) -> T:
        """Ask a leader or coordinator that may be just coming up, again and again for ``within_s``: a request sent too
        early waits out its own time and is not repeated by the client."""
        for attempt in stamina.retry_context(
            on=KafkaDown, attempts=None, timeout=within_s, wait_initial=0.05, wait_max=0.5
        ):
            if attempt.num > 1:
                # A client whose controller died waits for that very broker; a new one asks those that live.
                self._client = self._new_client()
            with attempt:
                return ask()
        raise AssertionError("the loop returns or raises")

    def _result(self, future: Any, doing: str, instead: Mapping[int, Any] | None = None) -> Any:
        """What an asynchronous call came to. ``instead``: answers for errors that are none to the caller, by code."""
        try:
            return future.result(TIMEOUT_S + 5)
        except KafkaException as error:
            if instead is not None and error.args[0].code() in instead:
                return instead[error.args[0].code()]
            raise translate(error, doing, self._settings) from None
        except TimeoutError:
            where = self._settings.kafka.bootstrap_servers
            raise KafkaDown(f"Kafka at {where} does not answer while {doing}; is it running?") from None


def first_commits(
    settings: Settings, admin: Admin, group: str, offsets: Mapping[Place, tuple[int, str]]
) -> None:  # fmt: skip
    """Commit ``offset, metadata`` for those partitions that have no commit yet, even while the group is at work.

    A transactional commit without a generation is the one form a broker takes for a group that has members. Whether
    there is a commit is asked once everybody else who does this is fenced: one who asked before, and was slow since,
    would set offsets back under the workers.
    """
    if not offsets:
        return
    consumer = outside.Consumer({**base_config(settings, "offerflow-admin"), "group.id": group})
    producer = outside.Producer(
        {**base_config(settings, "offerflow-admin"), "transactional.id": f"{group}.first-commits"}
    )
    try:
        producer.init_transactions(TIMEOUT_S)
        known = admin.committed(group, offsets)
        parts = [TopicPartition(*place, *first) for place, first in offsets.items() if place not in known]
        if not parts:
            return
        producer.begin_transaction()
        producer.send_offsets_to_transaction(parts, consumer.consumer_group_metadata(), TIMEOUT_S)
        producer.commit_transaction(TIMEOUT_S)
    except KafkaException as error:
        raise translate(error, f"making the first commits of group {group}", settings) from None
    finally:
        consumer.close()
