"""Who a member of a group is, from one assignment to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from offerflow.runtime import outside
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import GroupConsumer
from offerflow.runtime.settings import Settings

ONE = [TopicPartition("t", 1)]


class Client:
    """A consumer whose group does what the test says, from within ``consume``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.member = "a"
        self.due: list[Callable[[], None]] = []

    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self.assign, self.lose = on_assign, on_lost

    def consume(self, number: int, timeout: float) -> list[Any]:
        while self.due:
            self.due.pop(0)()
        return []

    def memberid(self) -> str:
        return self.member

    def consumer_group_metadata(self) -> str:
        return f"metadata of {self.member}"

    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...


class Stage:
    """A membership that takes what it is given. ``meanwhile`` happens while it claims."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        self.meanwhile()
        return dict.fromkeys(places, 0)

    def revoked(self, places: list[Place]) -> None: ...
    def lost(self, places: list[Place]) -> None: ...


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def member(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[GroupConsumer, Client]:
    """One that holds a partition as member ``a``."""
    made: list[Client] = []
    monkeypatch.setattr(outside, "Consumer", lambda config: made.append(Client(config)) or made[-1])
    consumer = GroupConsumer(Settings(), "g", "rules-1", stage)
    consumer.subscribe(["t"])
    [client] = made
    client.due.append(lambda: client.assign(client, ONE))
    consumer.read(1, 0, 0)
    assert consumer.group_metadata == "metadata of a"
    return consumer, client


def test_a_new_name_without_a_loss_is_a_disturbance(member: tuple[GroupConsumer, Client]) -> None:
    """Somebody else may have had the partition in between, so its position is worth nothing, and nothing is
    committed."""
    consumer, client = member
    client.member = "b"
    client.due.append(lambda: client.assign(client, []))
    with pytest.raises(Disturbed, match="as a new member"):
        consumer.read(1, 0, 0)
    assert consumer.group_metadata is None


def test_after_a_loss_a_new_name_is_as_good_as_the_old(member: tuple[GroupConsumer, Client]) -> None:
    """What was held was given up, and what comes is claimed anew."""
    consumer, client = member
    client.due.append(lambda: client.lose(client, ONE))
    consumer.read(1, 0, 0)
    assert consumer.group_metadata is None
    client.member = "b"
    client.due.append(lambda: client.assign(client, ONE))
    consumer.read(1, 0, 0)
    assert consumer.group_metadata == "metadata of b"


def test_thrown_out_while_it_claims_it_may_not_commit(stage: Stage, member: tuple[GroupConsumer, Client]) -> None:
    """Offsets of nobody are taken without question, so the metadata of somebody who lost the name is not used."""
    consumer, client = member

    def throw_out() -> None:
        client.member = ""

    stage.meanwhile = throw_out
    client.due.append(lambda: client.assign(client, [TopicPartition("t", 2)]))
    consumer.read(1, 0, 0)
    assert consumer.group_metadata is None
