"""Whom a producer blames for a transaction that the broker did not take."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from offerflow.runtime.errors import Disturbed, Fenced
from offerflow.runtime.kafka.transactional import Output, Refusals, Unwritable


@pytest.mark.parametrize(
    ("code", "alone"),
    [(KafkaError.MSG_SIZE_TOO_LARGE, True), (KafkaError.TOPIC_AUTHORIZATION_FAILED, False)],
)
def test_the_largest_that_was_refused_is_blamed(code: int, alone: bool) -> None:
    """Headers count; and it is told apart whether the record or its topic is at fault."""
    refusals, disturbed = Refusals(), Disturbed("not done")
    outputs = [Output("t", b"k", b"v" * 10), Output("t", b"k", b"v", [("h", b"x" * 20)]), Output("t", None, None)]
    for at, output in enumerate(outputs):
        refusals.failed[at] = KafkaError(code), output
    blamed = refusals.blame(disturbed)
    assert isinstance(blamed, Unwritable)
    assert (blamed.at, blamed.output, blamed.alone) == (1, outputs[1], alone)
    fenced = Fenced("another took over")
    assert refusals.blame(fenced) is fenced


@pytest.mark.parametrize("code", [KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError.NOT_ENOUGH_REPLICAS])
def test_a_slow_broker_refuses_nothing(code: int) -> None:
    """A record that was not acknowledged in time says nothing about the record."""
    refusals, disturbed = Refusals(), Disturbed("not done")
    refusals.failed[0] = KafkaError(code), Output("t", b"k", b"v")
    assert refusals.blame(disturbed) is disturbed
