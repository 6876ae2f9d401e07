"""When a transactional producer is given up for a new one, on the double of the broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from offerflow.runtime import outside
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.transactional import Output, TransactionalProducer
from offerflow.runtime.settings import Settings
from tests.doubles.kafka import Cluster, Ending
from tests.doubles.kafka.groups import GroupMetadata

TOPIC = "outputs"


class Bench:
    """A cluster, a producer on it, and whether calls of the client come back."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.cluster = Cluster()
        self.cluster.create(TOPIC)
        self.hang = False
        patch.setattr(outside, "Producer", self.cluster.Producer)
        patch.setattr(outside, "monotonic", self.cluster.now)
        patch.setattr(outside, "bounded", self._bounded)
        self.producer = TransactionalProducer(Settings(), "me", "rules")
        self.producer.open()

    def _bounded(self, call: Callable[[], Any], seconds: float) -> Any:
        if self.hang:
            raise TimeoutError(f"no answer within {seconds:g} s")
        return call()

    def publish(self, value: bytes) -> None:
        self.producer.publish([Output(TOPIC, None, value)], {}, None)

    def values(self) -> list[bytes | None]:
        return [message.value() for message in self.cluster.records(TOPIC)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_one_producer_serves_while_all_is_well(bench: Bench) -> None:
    """Making one costs more than a transaction."""
    for value in (b"1", b"2", b"3"):
        bench.publish(value)
    assert bench.producer.opened == 1
    assert bench.values() == [b"1", b"2", b"3"]


@pytest.mark.parametrize("ending", [Ending.DUPLICATED, Ending.SLOW])
def test_an_end_that_may_have_a_double_ends_the_producer_too(bench: Bench, ending: Ending) -> None:
    """The call succeeded, but the connection broke meanwhile, or it was slow: the next transaction belongs to a new
    producer, where nothing that comes late counts."""
    endings = iter([ending])
    bench.cluster.ending = lambda producer: next(endings, Ending.PLAIN)
    bench.publish(b"1")
    assert bench.producer.opened == 2
    bench.publish(b"2")
    assert bench.producer.opened == 2
    assert bench.values() == [b"1", b"2"]


def test_a_call_that_never_comes_back_is_a_disturbance(bench: Bench) -> None:
    """The transaction is in doubt, the producer is left behind, and the next one settles what it had under way."""
    bench.hang = True
    with pytest.raises(Disturbed, match="no answer within"):
        bench.publish(b"1")
    bench.hang = False
    bench.publish(b"2")
    assert bench.producer.opened == 2
    assert bench.values() == [b"2"]


def test_what_was_left_open_is_settled_when_there_is_nothing_to_write(bench: Bench) -> None:
    """Else a worker that lost its partitions would hold back all readers until its transaction times out."""
    nobody = GroupMetadata("group", 3, "no member any more")
    with pytest.raises(Disturbed):
        bench.producer.publish([Output(TOPIC, None, b"1")], {(TOPIC, 0): (1, "")}, nobody)
    other = bench.cluster.append(TOPIC, b"of another")
    assert bench.values() == []
    bench.producer.tend()
    assert bench.cluster.settled()
    assert bench.values() == [other.value()]
