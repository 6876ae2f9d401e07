"""Following topics without end: what was read, up to when, and a broker that goes away."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.kafka.follow import SILENCE_S, Follower
from offerflow.runtime.settings import Settings

HERE, THERE = ("t", 0), ("t", 1)


class Client:
    """Gives what it is told to, one list a call; ``clock`` is the time of day."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = 100.0
        self.next: list[list[Any]] = []
        self.paused: list[Any] = []
        self.answers = True
        self.closed = False
        monkeypatch.setattr(outside, "Consumer", lambda _: self)
        monkeypatch.setattr(outside, "monotonic", lambda: self.clock)

    def assign(self, parts: list[Any]) -> None:
        self.assigned = {(part.topic, part.partition): part.offset for part in parts}

    def consume(self, *_: Any) -> list[Any]:
        return self.next.pop(0) if self.next else []

    def pause(self, parts: list[Any]) -> None:
        self.paused = parts

    def resume(self, _: list[Any]) -> None:
        self.paused = []

    def list_topics(self, timeout: float) -> None:
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def close(self) -> None:
        self.closed = True


def said(place: tuple[str, int], offset: int, code: int | None = None, *, retriable: bool = True) -> Any:
    """A message of the client: a record, or what it says of the partition."""
    error = None if code is None else KafkaError(code, "", retriable=retriable)
    return SimpleNamespace(
        error=lambda: error, topic=lambda: place[0], partition=lambda: place[1], offset=lambda: offset,
        headers=lambda: None,
    )  # fmt: skip


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    return Client(monkeypatch)


def test_records_and_how_far_they_go(client: Client) -> None:
    """Read from where it was told; a partition is complete up to the moment when its end was met last."""
    follower = Follower(Settings(), "tests", {HERE: 5, THERE: 0})
    assert client.assigned == {HERE: 5, THERE: 0}
    client.next = [[said(HERE, 5), said(THERE, 0, KafkaError._PARTITION_EOF)], []]
    assert [record.offset() for record in follower.read(0.1)] == [5]
    assert follower.next == {HERE: 6, THERE: 0}
    assert follower.complete_to([HERE]) == -math.inf
    client.clock = 101
    client.next = [[said(HERE, 8, KafkaError._PARTITION_EOF)], []]
    follower.read(0.1)
    assert follower.next[HERE] == 8  # past the markers of transactions
    assert follower.complete_to([HERE, THERE]) == 101
    client.clock = 102
    client.next = [[said(HERE, 8)], []]
    follower.read(0.1)
    assert follower.complete_to([HERE]) == 101
    assert follower.complete_to([THERE]) == 102


def test_partitions_are_held_and_let_go(client: Client) -> None:
    """Once each, however often it is said."""
    follower = Follower(Settings(), "tests", {HERE: 0})
    follower.hold([HERE], held=True)
    assert len(client.paused) == 1
    client.paused = []
    follower.hold([HERE], held=True)
    assert client.paused == []
    follower.hold([HERE], held=False)
    follower.close()
    assert client.closed


def test_a_broker_that_stays_away_is_told_of(client: Client) -> None:
    """After a while, and not if it has come back with nothing new to give."""
    follower = Follower(Settings(), "tests", {HERE: 0})

    def gone() -> None:
        client.next = [[said(HERE, 0, KafkaError._ALL_BROKERS_DOWN)], []]
        follower.read(0.1)
        client.clock += SILENCE_S + 1
        follower.read(0.1)

    gone()
    client.answers = False
    with pytest.raises(KafkaDown, match="has been away for 30 s"):
        gone()


def test_what_does_not_pass_is_raised(client: Client) -> None:
    """In our own words."""
    follower = Follower(Settings(), "tests", {HERE: 0})
    client.next = [[said(HERE, 0, KafkaError.TOPIC_AUTHORIZATION_FAILED, retriable=False)], []]
    with pytest.raises(OfferflowError, match="reading t"):
        follower.read(0.1)
