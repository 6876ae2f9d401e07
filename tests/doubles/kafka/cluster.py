"""The broker: topics, groups, transactions, its time, and everything that tests may do to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from confluent_kafka import Message, Uuid

from tests.doubles.kafka.admin import AdminClient
from tests.doubles.kafka.client import Client
from tests.doubles.kafka.consumer import Consumer
from tests.doubles.kafka.faults import Ending, Late, Sending
from tests.doubles.kafka.groups import Group, State
from tests.doubles.kafka.log import Headers, Partition, Place
from tests.doubles.kafka.producer import Producer
from tests.doubles.kafka.timing import Agenda, Time
from tests.doubles.kafka.transactional import TransactionalProducer
from tests.doubles.kafka.transactions import Producing

_DEFAULTS = {"max.message.bytes": "1048588", "cleanup.policy": "delete", "retention.ms": "604800000"}


class Topic:
    """``id`` is another one whenever the topic is made anew."""

    def __init__(self, name: str, number: int, partitions: int, config: Mapping[str, str]) -> None:
        self.name = name
        self.id = Uuid(0x0FF3, number)
        self.config = {**_DEFAULTS, **config}
        self.partitions = [Partition(name, partition) for partition in range(partitions)]


class Cluster:
    """``now`` gives the broker's time in seconds since 1970. ``pause(seconds)`` is called by a client that waits: it
    must let others run or time pass, up to so many seconds; it may return early. ``wall``: the time of day for
    append times, if that may jump while ``now`` does not."""

    def __init__(
        self, now: Callable[[], float] | None = None, pause: Callable[[float], None] | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        time = Time()
        self.now = now or time.now
        self.wall = wall or self.now
        self.pause = pause or time.pause
        self.id = "cluster-1"
        self.up = True
        self.agenda = Agenda()
        self.topics: dict[str, Topic] = {}
        self.changes = 0
        """How often topics were made or deleted: what clients know of partitions holds until the next time."""
        self.groups: dict[str, Group] = {}
        self.producing: dict[str, Producing] = {}
        self.late: list[Late] = []
        """Requests that still travel, oldest first."""
        self.on_call: Callable[[str], None] | None = None
        """Told the name of each client call as it begins; ``<name>.replied`` when the broker has acted."""
        self.owner: Callable[[], Hashable] = lambda: None
        """Which process a client that is made now belongs to."""
        self.ending: Callable[[TransactionalProducer], Ending] | None = None
        self.sending: Callable[[TransactionalProducer], Sending] | None = None
        self.marker_delay: Callable[[], float] | None = None
        """Seconds until a marker is written in one partition after its transaction's end was answered."""
        self.cut: Callable[[int], int] | None = None
        """At most so many records for one ``consume`` that asks for so many."""
        self._clients: dict[Hashable, list[Client]] = {}
        self._numbers = 0

    # -- what clients use ---------------------------------------------------------------------------------------------

    def Producer(self, config: Mapping[str, Any]) -> Producer:  # noqa: N802 - stands for the class
        return (TransactionalProducer if config.get("transactional.id") else Producer)(self, config)

    def Consumer(self, config: Mapping[str, Any]) -> Consumer:  # noqa: N802
        return Consumer(self, config)

    def AdminClient(self, config: Mapping[str, Any]) -> AdminClient:  # noqa: N802
        return AdminClient(self, config)

    def turn(self) -> None:
        """Let happen what is due by now."""
        agenda = self.agenda
        if agenda.next <= (now := self.now()):
            agenda.run(now)

    def number(self) -> int:
        """One that nobody got before; they grow."""
        self._numbers += 1
        return self._numbers

    def adopt(self, client: Client) -> None:
        self._clients.setdefault(self.owner(), []).append(client)

    def group(self, name: str) -> Group:
        if name not in self.groups:
            self.groups[name] = Group(self, name)
        return self.groups[name]

    def transactional(self, transactional_id: str) -> Producing:
        if transactional_id not in self.producing:
            self.producing[transactional_id] = Producing(self, transactional_id)
        return self.producing[transactional_id]

    def partition(self, place: Place) -> Partition | None:
        topic = self.topics.get(place[0])
        return topic.partitions[place[1]] if topic is not None and 0 <= place[1] < len(topic.partitions) else None

    def places(self, topic: str) -> list[Place]:
        found = self.topics.get(topic)
        return [(topic, partition.number) for partition in found.partitions] if found is not None else []

    # -- looking, from outside ----------------------------------------------------------------------------------------

    def create(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> Topic:
        self.changes += 1
        self.topics[name] = Topic(name, self.number(), partitions, config or {})
        return self.topics[name]

    def append(
        self, topic: str, value: bytes | None, key: bytes | None = None, partition: int = 0,
        headers: Headers | None = None,
    ) -> Message:  # fmt: skip
        """Write a record with no client, as somebody who is not under test."""
        return self.topics[topic].partitions[partition].append(key, value, headers, self.wall(), None)

    def records(self, topic: str, partition: int | None = None, committed: bool = True) -> list[Message]:
        """What a reader from the start would get now, partition by partition."""
        parts = self.topics[topic].partitions
        chosen = parts if partition is None else [parts[partition]]
        return [message for part in chosen for message in part.read(part.start, part.end + 1, committed)[0]]

    def ends(self, topic: str) -> list[int]:
        """The last stable offset of each partition."""
        return [partition.stable for partition in self.topics[topic].partitions]

    def committed(self, group: str) -> dict[Place, tuple[int, str]]:
        """Offset and metadata, those in open transactions left out."""
        return {place: (kept.offset, kept.metadata) for place, kept in self.group(group).offsets.items()}

    def generation(self, group: str) -> int:
        return self.group(group).generation

    def members(self, group: str) -> list[str]:
        """Client ids."""
        return sorted(member.remote.name for member in self.group(group).members.values())

    def settled(self) -> bool:
        """Whether no transaction is open or still to be marked, and no group rebalances."""
        steady = {State.EMPTY, State.STABLE}
        return all(group.state in steady and not group.pending for group in self.groups.values()) and not any(
            partition.open for topic in self.topics.values() for partition in topic.partitions
        )

    # -- processes ----------------------------------------------------------------------------------------------------

    def kill(self, owner: Hashable) -> None:
        """SIGKILL: the clients of the process are heard of no more, and what they are still told has no effect."""
        for client in self._clients.pop(owner, []):
            client.die()

    def freeze(self, owner: Hashable) -> None:
        """SIGSTOP: no heartbeat, no answer. Who schedules the process must not let it run until ``thaw``."""
        for client in self._clients.get(owner, []):
            client.frozen = True

    def thaw(self, owner: Hashable) -> None:
        for client in self._clients.get(owner, []):
            client.thaw()

    # -- faults -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The broker is away: calls wait, connections break."""
        self.up = False
        for client in self._everybody():
            client.disconnected()

    def start(self) -> None:
        """It is back, and gives every member a whole session to be heard of again."""
        self.up = True
        for group in self.groups.values():
            for member in group.members.values():
                member.heard = self.now()

    def deliver_late(self, index: int = 0) -> int:
        """Let a request arrive that was on its way; the code of the broker's answer, which nobody hears."""
        return self.late.pop(index).arrive()

    def expire_transactions(self) -> None:
        """Abort whatever is open and fence its producers, as the transaction time-out does."""
        for producing in self.producing.values():
            producing.expire()

    def expel(self, group: str, client_id: str) -> None:
        """As if the session of a member had run out."""
        for member in list(self.group(group).members.values()):
            if member.remote.name == client_id:
                self.group(group).leave(member.id)

    def rebalance(self, group: str) -> None:
        """Have every member join again, with no other reason."""
        if self.group(group).members and self.group(group).state is State.STABLE:
            self.group(group).prepare()

    def set_offset(self, group: str, topic: str, partition: int, offset: int, metadata: str = "") -> None:
        """As an operator's tool does it."""
        self.group(group).store({(topic, partition): (offset, metadata)})

    def delete_offset(self, group: str, topic: str, partition: int) -> None:
        """By an operator, or because it expired."""
        self.group(group).offsets.pop((topic, partition), None)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """By an operator or by retention."""
        found = self.topics[topic].partitions[partition]
        found.start = min(max(found.start, before), found.end)

    def truncate(self, topic: str, partition: int, at: int) -> None:
        """Lose everything from ``at`` on, as after an unclean election."""
        self.topics[topic].partitions[partition].truncate(at)

    def delete(self, topic: str) -> None:
        """With the offsets that groups without members have in it, as Kafka does."""
        self.changes += 1
        del self.topics[topic]
        for group in self.groups.values():
            if not group.members:
                for place in [place for place in group.offsets if place[0] == topic]:
                    del group.offsets[place]

    def recreate(self, topic: str) -> Topic:
        """Delete it and create one of the same name and form: empty, with another id."""
        old = self.topics[topic]
        self.delete(topic)
        return self.create(topic, len(old.partitions), old.config)

    def _everybody(self) -> Iterable[Client]:
        return [client for clients in self._clients.values() for client in clients]
