"""Bounded reading of topics, and transactions whose later records name the earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from offerflow.runtime.errors import Disturbed, Fenced
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import read_spans, scan, spans
from offerflow.runtime.kafka.transactional import Landed, Output, TransactionalProducer
from offerflow.runtime.settings import KafkaSettings, Settings
from tests.deployment import Deployment
from tests.waiting import until

pytestmark = pytest.mark.broker


def values(records: Iterator[Record]) -> list[bytes | None]:
    return sorted((record.value() for record in records), key=lambda value: value or b"")


def test_reading_and_linking(deployment: Callable[..., Deployment]) -> None:
    """A scan gives what was committed before it began, between its bounds, and no more; linked records know where the
    first ones lie; whoever is fenced writes nothing."""
    here = deployment(partitions=2)
    here.create_topics()
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=here.services.kafka), topic_prefix=here.prefix, partitions=2
    )
    letters, states, absent = map(settings.topic, ("dead-letter", "dead-letter-state", "nowhere"))
    producer = TransactionalProducer(settings, settings.topic("linked"), "tests")

    def link(landed: list[Landed]) -> Iterator[Output]:
        return (Output(states, b"%d/%d" % place[1:], b"of %d" % at) for at, place in enumerate(landed))

    landed = producer.publish_linked([Output(letters, b"k%d" % at, b"%d" % at) for at in range(40)], link)
    assert {topic for topic, _, _ in landed} == {letters}
    found = {(record.partition(), record.offset()): record for record in scan(settings, [letters, absent], "tests")}
    assert [found[partition, offset].value() for _, partition, offset in landed] == [b"%d" % at for at in range(40)]
    links = {record.key(): record.value() for record in scan(settings, [states], "tests")}
    assert links == {b"%d/%d" % place[1:]: b"of %d" % at for at, place in enumerate(landed)}

    def fail(_: list[Landed]) -> Iterator[Output]:
        yield Output("no topic of this name/", None, b"")

    with pytest.raises(Disturbed):
        producer.publish_linked([Output(letters, b"k", b"never")], fail)
    producer.open()
    before = spans(settings, [letters], "tests")
    moment = max(record.timestamp()[1] for record in found.values())
    # The clock of the broker must have moved for what follows to lie behind it.
    until(lambda: _appended(producer, letters, settings) > moment, "a later append time", 30)
    assert b"never" not in values(scan(settings, [letters], "tests"))
    assert values(scan(settings, [letters], "tests", until_ms=moment)) == values(iter(found.values()))
    assert set(values(scan(settings, [letters], "tests", since_ms=moment + 1))) == {b"later"}
    assert values(scan(settings, [letters], "tests", since_ms=moment + 10**9)) == []
    assert values(read_spans(settings, before, "tests")) == values(iter(found.values()))
    first = {(letters, 0): 1, (letters, 1): 10**6}
    assert [r.offset() for r in scan(settings, [letters], "tests", starts=first, ends={(letters, 0): 3})] == [1, 2]
    assert len(list(islice(scan(settings, [letters], "tests"), 5))) == 5

    other = TransactionalProducer(settings, settings.topic("linked"), "tests")
    other.open()
    with pytest.raises(Fenced):
        producer.publish_linked([Output(letters, b"k", b"never")], link)
    assert b"never" not in values(scan(settings, [letters], "tests"))


def _appended(producer: TransactionalProducer, topic: str, settings: Settings) -> int:
    """Writes another record; its append time."""
    [(_, partition, offset)] = producer.publish_linked([Output(topic, b"k", b"later")], lambda _: ())
    place = (topic, partition)
    [record] = read_spans(settings, {place: (offset, offset + 1)}, "tests")
    return record.timestamp()[1]
