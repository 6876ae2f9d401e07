"""What a cluster says of itself: configuration of brokers and topics, replicas, the newest append times, who is where.

For looking only; a program at work has no use for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import ConfigResource, OffsetSpec, ResourceType  # type: ignore[attr-defined]

from offerflow.runtime.kafka.admin import ASK_S, TIMEOUT_S, Admin, Place
from offerflow.runtime.kafka.client import translate

Config = dict[str, str]
"""Names and values in force, defaults included; without what a broker keeps secret."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """One partition: how many brokers shall have it, and how many have all of it now. ``led``: it has a leader."""

    wanted: int
    in_sync: int
    led: bool


class Inspection(Admin):
    """An admin client that asks more. Raises as Admin does; ConfigError where the cluster does not let us ask."""

    def broker_configs(self) -> dict[int, Config]:
        """By the broker's id. Those that do not answer are left out, unless none does."""
        try:
            ids = sorted(self._client.list_topics(timeout=TIMEOUT_S).brokers)
        except KafkaException as error:
            raise translate(error, "asking who is there", self._settings) from None
        # A request may name one broker only. All are sent before the first answer is waited for.
        asked = {
            number: self._client.describe_configs(
                [ConfigResource(ResourceType.BROKER, str(number))], request_timeout=TIMEOUT_S
            )
            for number in ids
        }
        away = dict.fromkeys((KafkaError._TIMED_OUT, KafkaError._TRANSPORT), None) if len(ids) > 1 else None
        found: dict[int, Config] = {}
        for number, answer in asked.items():
            [future] = answer.values()
            entries = self._result(future, f"asking for the configuration of broker {number}", away)
            if entries is not None:
                found[number] = _values(entries)
        return found

    def topic_configs(self, topics: Iterable[str]) -> dict[str, Config]:
        """By the topic's full name; those that are not there are left out."""
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        answers = self._client.describe_configs(resources, request_timeout=TIMEOUT_S) if resources else {}
        absent = {KafkaError.UNKNOWN_TOPIC_OR_PART: None}
        found: dict[str, Config] = {}
        for resource, future in answers.items():
            entries = self._result(future, f"asking for the configuration of {resource.name}", absent)
            if entries is not None:
                found[str(resource.name)] = _values(entries)
        return found

    def replicas(self, topics: Iterable[str]) -> dict[str, list[Replicas]]:
        """Of each partition, by the topic's full name; topics that are not there are left out."""
        wanted = list(topics)
        futures = self._client.describe_topics(TopicCollection(wanted), request_timeout=TIMEOUT_S) if wanted else {}
        absent = {KafkaError.UNKNOWN_TOPIC_OR_PART: None}
        found = {}
        for name, future in futures.items():
            description = self._result(future, f"describing topic {name}", absent)
            if description is not None:
                found[name] = [
                    Replicas(len(one.replicas), len(one.isr), one.leader is not None) for one in description.partitions
                ]
        return found

    def newest(self, places: Iterable[Place]) -> int | None:
        """The newest append time among ``places`` in milliseconds since 1970; None if nothing was ever written."""
        spec = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): spec for place in places}
        answers = self._client.list_offsets(asked, request_timeout=TIMEOUT_S) if asked else {}
        times = [int(self._result(f, f"asking for the newest of {tp.topic}").timestamp) for tp, f in answers.items()]
        return max((at for at in times if at >= 0), default=None)

    def hosts(self, group: str) -> set[str]:
        """Addresses from which the members of a group speak, as the broker sees them."""

        def ask() -> set[str]:
            try:
                found = self._client.list_groups(group, timeout=ASK_S)
            except KafkaException as error:
                raise translate(error, f"describing group {group}", self._settings) from None
            return {str(member.client_host).lstrip("/") for one in found for member in one.members}

        return self._again(ask)


def _values(entries: dict[str, Any]) -> Config:
    return {name: str(entry.value) for name, entry in entries.items() if entry.value is not None}
