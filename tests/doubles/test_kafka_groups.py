"""Membership in a consumer group: callbacks, generations, and what is read meanwhile. Held true on the double and on
a broker. Classic protocol, cooperative-sticky, dynamic members."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from tests.doubles.kafka_worlds import Kafka

Told = tuple[str, list[int]]


@dataclass
class Member:
    """A consumer that writes down what its callbacks are told: "assign", "revoke" or "lost", and the partitions."""

    consumer: Any
    told: list[Told] = field(default_factory=list)
    generations: list[Any] = field(default_factory=list)
    """Metadata as captured in the assignments."""
    read: list[tuple[int, int]] = field(default_factory=list)
    """Partition and offset of records."""
    failing: Exception | None = None

    def subscribe(self, *topics: str) -> None:
        def note(what: str) -> Any:
            def callback(consumer: Any, partitions: list[TopicPartition]) -> None:
                self.told.append((what, sorted(tp.partition for tp in partitions)))
                if self.failing is not None:
                    failing, self.failing = self.failing, None
                    raise failing
                if what == "assign":
                    positions = [TopicPartition(tp.topic, tp.partition, 0) for tp in partitions]
                    consumer.incremental_assign(positions)
                    self.generations.append(consumer.consumer_group_metadata())

            return callback

        self.consumer.subscribe(list(topics), on_assign=note("assign"), on_revoke=note("revoke"), on_lost=note("lost"))

    def turn(self) -> None:
        for message in self.consumer.consume(10, 0.02):
            if message.error() is None:
                self.read.append((message.partition(), message.offset()))

    @property
    def has(self) -> list[int]:
        return sorted(tp.partition for tp in self.consumer.assignment())


def turns(kafka: Kafka, members: list[Member], *shares: int) -> None:
    """Let all take turns until each has so many partitions."""

    def settled() -> bool:
        for member in members:
            member.turn()
        return [len(member.has) for member in members] == list(shares)

    kafka.until(settled, f"shares of {shares}")


def join(kafka: Kafka, group: str, topic: str, client_id: str = "member") -> Member:
    member = Member(kafka.consumer(group, client_id=client_id))
    member.subscribe(topic)
    return member


def test_a_lone_member_gets_everything_in_one_assignment(kafka: Kafka) -> None:
    """Told from within consume, and from nowhere else."""
    topic, group = kafka.topic(partitions=3), kafka.name("group")
    member = join(kafka, group, topic)
    assert member.told == []
    turns(kafka, [member], 3)
    assert member.told == [("assign", [0, 1, 2])]


def test_partitions_move_in_two_rebalances(kafka: Kafka) -> None:
    """The owner is told what to give up, then of an assignment of nothing; when it has joined again the newcomer is
    told what it gains. What stays is neither revoked nor assigned."""
    topic, group = kafka.topic(partitions=4), kafka.name("group")
    old = join(kafka, group, topic)
    turns(kafka, [old], 4)
    new = join(kafka, group, topic)
    turns(kafka, [old, new], 2, 2)
    assert sorted(old.has + new.has) == [0, 1, 2, 3]
    assert old.told[:3] == [("assign", [0, 1, 2, 3]), ("revoke", new.has), ("assign", [])]
    assert all(told == ("assign", []) for told in old.told[3:])
    assert [told for told in new.told if told[1]] == [("assign", new.has)]
    assert {what for what, _ in new.told} == {"assign"}


def test_every_rebalance_ends_with_an_assignment(kafka: Kafka) -> None:
    """Be it of nothing: that is where the new generation is to be captured, and the captured one is valid."""
    topic, group = kafka.topic(partitions=2), kafka.name("group")
    producer = kafka.producer(kafka.name("id"))
    old = join(kafka, group, topic)
    turns(kafka, [old], 2)
    new = join(kafka, group, topic)
    turns(kafka, [old, new], 1, 1)
    told = len(old.generations)
    new.consumer.close()
    turns(kafka, [old], 2)
    assert len(old.generations) > told
    kafka.commit(producer, old.generations[-1], {(topic, 0): 1})
    [found] = old.consumer.committed([TopicPartition(topic, 0)], timeout=15)
    assert found.offset == 1


def test_what_stays_is_read_on_through_a_rebalance(kafka: Kafka) -> None:
    """Each record once, from where reading stood."""
    topic, group, producer = kafka.topic(partitions=2), kafka.name("group"), kafka.producer()
    kafka.write(producer, topic, b"0", partition=0)
    kafka.write(producer, topic, b"0", partition=1)
    old = join(kafka, group, topic)
    turns(kafka, [old], 2)
    kafka.until(lambda: [old.turn()] and len(old.read) == 2, "both records")
    new = join(kafka, group, topic)
    turns(kafka, [old, new], 1, 1)
    [kept], [moved] = old.has, new.has
    kafka.write(producer, topic, b"1", partition=kept)
    kafka.write(producer, topic, b"1", partition=moved)

    def read() -> bool:
        old.turn()
        new.turn()
        return len(old.read) + len(new.read) == 5

    kafka.until(read, "the records")
    assert old.read == [*sorted(old.read[:2]), (kept, 1)] or old.read[2:] == [(kept, 1)]
    assert new.read == [(moved, 0), (moved, 1)]


def test_who_closes_hands_over_at_once(kafka: Kafka) -> None:
    """The others need not wait for a session to run out. While it closes, what it held is revoked."""
    topic, group = kafka.topic(partitions=2), kafka.name("group")
    first = join(kafka, group, topic)
    turns(kafka, [first], 2)
    second = join(kafka, group, topic)
    turns(kafka, [first, second], 1, 1)
    gone = second.has
    second.consumer.close()
    assert second.told[-1] == ("revoke", gone)
    turns(kafka, [first], 2)
    assert first.told[-1] == ("assign", gone)


def test_a_member_that_was_expelled_loses_everything(kafka: Kafka) -> None:
    """It is told that its partitions are lost, not revoked; then it joins as a new member."""
    topic, group = kafka.topic(partitions=2), kafka.name("group")
    member = join(kafka, group, topic, "left")
    turns(kafka, [member], 2)
    before = member.consumer.memberid()
    kafka.world.expel(group, "left")
    kafka.until(lambda: [member.turn()] and len(member.told) >= 3, "being told")
    assert member.told == [("assign", [0, 1]), ("lost", [0, 1]), ("assign", [0, 1])]
    assert member.consumer.memberid() != before


def test_who_was_expelled_does_not_know_until_it_is_told(kafka: Kafka) -> None:
    """Until its next heartbeat it goes on reading: reading is not fenced, committing is."""
    topic, group, producer = kafka.topic(), kafka.name("group"), kafka.producer()
    member = Member(kafka.consumer(group, client_id="left", heartbeat_interval_ms=10_000))
    member.subscribe(topic)
    turns(kafka, [member], 1)
    kafka.world.expel(group, "left")
    kafka.write(producer, topic, b"0")
    kafka.until(lambda: [member.turn()] and member.read, "the record")
    assert member.told == [("assign", [0])]
    with pytest.raises(Exception, match="UNKNOWN_MEMBER_ID"):
        member.consumer.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)


def test_an_error_in_a_callback_comes_out_of_consume(kafka: Kafka) -> None:
    """And the partitions are assigned all the same, from the committed offset or as the reset policy says."""
    topic, group = kafka.topic(), kafka.name("group")
    kafka.write(kafka.producer(), topic, b"0")
    member = join(kafka, group, topic)
    member.failing = RuntimeError("the claim failed")

    def raised() -> bool:
        try:
            member.turn()
        except RuntimeError as error:
            return str(error) == "the claim failed"
        return False

    kafka.until(raised, "the error of the callback")
    turns(kafka, [member], 1)
    kafka.until(lambda: [member.turn()] and member.read == [(0, 0)], "the record")


def test_a_narrower_subscription_revokes_what_is_not_in_it(kafka: Kafka) -> None:
    """Partitions of topics that stay are kept."""
    kept, dropped = kafka.topic(), kafka.topic(partitions=2)
    member = Member(kafka.consumer())
    member.subscribe(kept, dropped)
    turns(kafka, [member], 3)
    member.subscribe(kept)
    turns(kafka, [member], 1)
    kafka.until(lambda: [member.turn()] and len(member.told) == 3, "the new generation")
    assert member.told == [("assign", [0, 0, 1]), ("revoke", [0, 1]), ("assign", [])]


def test_a_subscription_to_other_topics_loses_what_is_not_in_it(kafka: Kafka) -> None:
    """Lost, not revoked, though nobody else has it: so no commit is possible until the new ones are assigned."""
    kept, dropped, added = kafka.topic(), kafka.topic(partitions=2), kafka.topic(partitions=3)
    member = Member(kafka.consumer())
    member.subscribe(kept, dropped)
    turns(kafka, [member], 3)
    member.subscribe(kept, added)
    turns(kafka, [member], 4)
    assert {tp.topic for tp in member.consumer.assignment()} == {kept, added}
    assert member.told == [("assign", [0, 0, 1]), ("lost", [0, 1]), ("assign", [0, 1, 2])]


def test_a_topic_that_is_made_later_is_assigned_then(kafka: Kafka) -> None:
    """Subscribing to what is not there yet is no error for the topics that are; nobody has to subscribe again."""
    there, later = kafka.topic(), kafka.name("contract")
    member = Member(kafka.consumer(topic_metadata_refresh_interval_ms=500))
    member.subscribe(there, later)
    turns(kafka, [member], 1)
    [future] = kafka.admin.create_topics([NewTopic(later, 2, replication_factor=1)]).values()
    future.result(15)
    kafka.topics.append(later)
    turns(kafka, [member], 3)
    assert [told for told in member.told if told[1]] == [("assign", [0]), ("assign", [0, 1])]


def test_a_position_may_be_chosen_anew_while_the_member_stays(kafka: Kafka) -> None:
    """Unassign and assign of kept partitions is no affair of the group: no callback, no rebalance."""
    topic, group = kafka.topic(), kafka.name("group")
    kafka.write(kafka.producer(), topic, b"0", b"1")
    member = join(kafka, group, topic)
    kafka.until(lambda: [member.turn()] and len(member.read) == 2, "the records")
    member.consumer.incremental_unassign([TopicPartition(topic, 0)])
    member.consumer.incremental_assign([TopicPartition(topic, 0, 1)])
    kafka.until(lambda: [member.turn()] and len(member.read) == 3, "the record again")
    assert member.read == [(0, 0), (0, 1), (0, 1)]
    assert member.told == [("assign", [0])]
    with pytest.raises(Exception, match="_CONFLICT"):
        member.consumer.incremental_assign([TopicPartition(topic, 0, 0)])
    assert member.has == [0]


def test_who_does_not_poll_leaves_its_partitions_to_others(kafka: Kafka) -> None:
    """Though its heartbeats go on. At its next poll it is told what waited for it, and then that the rest is lost."""
    topic, group = kafka.topic(partitions=2), kafka.name("group")
    slow = Member(kafka.consumer(group, session_timeout_ms=6000, max_poll_interval_ms=6000))
    slow.subscribe(topic)
    turns(kafka, [slow], 2)
    other = join(kafka, group, topic)
    turns(kafka, [other], 2)
    codes: list[int] = []

    def told() -> bool:
        codes.extend(m.error().code() for m in slow.consumer.consume(10, 0.02) if m.error() is not None)
        return "lost" in {what for what, _ in slow.told}

    kafka.until(told, "hearing of it")
    _, (_, [given_up]), *_ = slow.told
    assert slow.told[1:4] == [("revoke", [given_up]), ("assign", []), ("lost", [1 - given_up])]
    assert KafkaError._MAX_POLL_EXCEEDED in codes


@pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")
def test_a_group_names_its_members(kafka: Kafka) -> None:
    """By the client ids they gave themselves; a group that nobody knows has none."""
    topic, group = kafka.topic(partitions=2), kafka.name("group")
    members = [join(kafka, group, topic, f"worker-{number}") for number in range(2)]
    turns(kafka, members, 1, 1)

    def named(name: str) -> list[str]:
        return sorted(str(m.client_id) for one in kafka.admin.list_groups(name, timeout=15) for m in one.members)

    assert named(group) == ["worker-0", "worker-1"]
    assert named(kafka.name("group")) == []
