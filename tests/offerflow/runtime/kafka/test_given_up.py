"""What is left of a client that was given up: nothing that goes on by itself, on real clients and no broker."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka import transactional
from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.settings import KafkaSettings, Settings

NOBODY = "127.0.0.1:1"


class Known(Producer):
    """A producer of which can be told whether it still lives."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Workers have it look so seldom that it must not be relied upon."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_producer_that_could_not_be_opened_is_gone_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it goes on asking for its id, and fences the one made after it as soon as the broker is back."""
    made: list[weakref.ref[Known]] = []

    def make(config: dict[str, object]) -> Known:
        producer = Known(config)
        made.append(weakref.ref(producer))
        return producer

    monkeypatch.setattr(outside, "Producer", make)
    monkeypatch.setattr(transactional, "CALL_TIMEOUT_S", 0.05)
    producer = TransactionalProducer(Settings(kafka=KafkaSettings(bootstrap_servers=NOBODY)), "me", "rules")
    with pytest.raises(KafkaDown) as first:
        producer.open()
    with pytest.raises(KafkaDown) as second:
        producer.open()
    # While the errors are still at hand, as they are in whoever logs them.
    assert [one() for one in made] == [None, None], (first, second)
