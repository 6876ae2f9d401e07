"""``confluent_kafka.admin.AdminClient`` in memory. Its futures are answered before they are handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Node, TopicPartition, TopicPartitionInfo
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    DescribeClusterResult,
    GroupMember,
    GroupMetadata,
    ListOffsetsResultInfo,
    NewTopic,
    OffsetSpec,
    PartitionMetadata,
    TopicDescription,
    TopicMetadata,
)

from tests.doubles.kafka.client import Client, failure

T = TypeVar("T")
NODE = Node(1, "127.0.0.1", 9092)


@dataclass(slots=True)
class Answer(Generic[T]):
    """A future that has come already; the standard library's costs ten times as much to make."""

    _result: T | None = None
    _error: KafkaException | None = None

    def result(self, timeout: float | None = None) -> T:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def exception(self, timeout: float | None = None) -> KafkaException | None:
        return self._error

    def done(self) -> bool:
        return True


class AdminClient(Client):
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        self._call("list_topics")
        if not self._wait(lambda: True, timeout):
            raise failure(KafkaError._TRANSPORT, "Failed to get metadata: Local: Broker transport failure")
        found: Any = ClusterMetadata()
        found.cluster_id = self.cluster.id
        names = list(self.cluster.topics) if topic is None else [topic]
        for name in names:
            about: Any = TopicMetadata()
            about.topic = name
            for _, number in self.cluster.places(name):
                about.partitions[number] = PartitionMetadata()
                about.partitions[number].id = number
            if name not in self.cluster.topics:
                about.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
            found.topics[name] = about
        return found  # type: ignore[no-any-return]

    def describe_cluster(self, **kwargs: Any) -> Answer[DescribeClusterResult]:
        return self._answer("describe_cluster", kwargs, lambda: DescribeClusterResult(NODE, [NODE], self.cluster.id))

    def describe_topics(self, topics: Any, **kwargs: Any) -> dict[str, Answer[TopicDescription]]:
        def describe(name: str) -> TopicDescription:
            if name not in self.cluster.topics:
                raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
            infos = [
                TopicPartitionInfo(number, NODE, [NODE], [NODE]) for _, number in self.cluster.places(name)
            ]  # fmt: skip
            return TopicDescription(name, self.cluster.topics[name].id, False, infos)

        return self._answers("describe_topics", kwargs, {name: name for name in topics.topic_names}, describe)

    def create_topics(self, new_topics: Iterable[NewTopic], **kwargs: Any) -> dict[str, Answer[None]]:
        def create(new: NewTopic) -> None:
            if new.topic in self.cluster.topics:
                raise failure(KafkaError.TOPIC_ALREADY_EXISTS, f"Topic '{new.topic}' already exists.")
            self.cluster.create(new.topic, new.num_partitions, new.config)

        return self._answers("create_topics", kwargs, {new.topic: new for new in new_topics}, create)

    def delete_topics(self, topics: Iterable[str], **kwargs: Any) -> dict[str, Answer[None]]:
        def delete(name: str) -> None:
            if name not in self.cluster.topics:
                raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
            self.cluster.delete(name)

        return self._answers("delete_topics", kwargs, {name: name for name in topics}, delete)

    def delete_records(
        self, topic_partition_offsets: Iterable[TopicPartition], **kwargs: Any
    ) -> dict[TopicPartition, Answer[None]]:
        def delete(tp: TopicPartition) -> None:
            self.cluster.delete_records(tp.topic, tp.partition, tp.offset)

        return self._answers("delete_records", kwargs, {tp: tp for tp in topic_partition_offsets}, delete)

    def describe_configs(
        self, resources: Iterable[ConfigResource], **kwargs: Any
    ) -> dict[ConfigResource, Answer[dict[str, ConfigEntry]]]:
        def describe(resource: ConfigResource) -> dict[str, ConfigEntry]:
            topic = self.cluster.topics.get(resource.name)
            if topic is None:
                raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
            return {name: ConfigEntry(name, value) for name, value in topic.config.items()}

        return self._answers("describe_configs", kwargs, {one: one for one in resources}, describe)

    def incremental_alter_configs(
        self, resources: Iterable[ConfigResource], **kwargs: Any
    ) -> dict[ConfigResource, Answer[None]]:
        def alter(resource: ConfigResource) -> None:
            topic = self.cluster.topics.get(resource.name)
            if topic is None:
                raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
            topic.config.update({entry.name: str(entry.value) for entry in resource.incremental_configs})

        return self._answers("incremental_alter_configs", kwargs, {one: one for one in resources}, alter)

    def list_offsets(
        self, topic_partition_offsets: Mapping[TopicPartition, OffsetSpec], **kwargs: Any
    ) -> dict[TopicPartition, Answer[ListOffsetsResultInfo]]:
        committed = kwargs.get("isolation_level", IsolationLevel.READ_UNCOMMITTED) == IsolationLevel.READ_COMMITTED

        def find(tp: TopicPartition) -> ListOffsetsResultInfo:
            spec = topic_partition_offsets[tp]
            partition = self.cluster.partition((tp.topic, tp.partition))
            if partition is None:
                raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
            if isinstance(spec, type(OffsetSpec.earliest())):  # type: ignore[no-untyped-call]
                offset = partition.start
            elif isinstance(spec, type(OffsetSpec.latest())):  # type: ignore[no-untyped-call]
                offset = partition.stable if committed else partition.end
            else:
                offset = partition.offset_at(spec.timestamp)  # type: ignore[attr-defined]
            return ListOffsetsResultInfo(offset, -1, 0)

        return self._answers("list_offsets", kwargs, {tp: tp for tp in topic_partition_offsets}, find)

    def list_groups(self, group: str | None = None, timeout: float = -1) -> list[GroupMetadata]:
        self._call("list_groups")
        if not self._wait(lambda: True, timeout):
            raise failure(KafkaError._TRANSPORT, "Failed to list groups: Local: Broker transport failure")
        found = []
        for name in [group] if group is not None else list(self.cluster.groups):
            known = self.cluster.groups.get(name)
            about: Any = GroupMetadata()
            about.id, about.protocol_type = name, "consumer"
            about.state = known.state.value if known is not None else "Dead"
            for kept in known.members.values() if known is not None else ():
                member: Any = GroupMember()
                member.id, member.client_id = kept.id, kept.remote.name
                about.members.append(member)
            found.append(about)
        return found

    def poll(self, timeout: float = -1) -> int:
        self._call("poll")
        return 0

    def _answer(self, name: str, kwargs: Mapping[str, Any], answer: Callable[[], Any]) -> Answer[Any]:
        return self._answers(name, kwargs, {"": None}, lambda _: answer())[""]

    def _answers(
        self, name: str, kwargs: Mapping[str, Any], asked: Mapping[Any, Any], answer: Callable[[Any], Any]
    ) -> dict[Any, Answer[Any]]:
        self._call(name)
        reached = self._wait(lambda: True, float(kwargs.get("request_timeout", 60.0)))
        answers: dict[Any, Answer[Any]] = {}
        for key, value in asked.items():
            try:
                if not reached:
                    raise failure(KafkaError._TIMED_OUT, f"{name}: Local: Timed out")
                answers[key] = Answer(answer(value))
            except KafkaException as error:
                answers[key] = Answer(None, error)
        return answers
