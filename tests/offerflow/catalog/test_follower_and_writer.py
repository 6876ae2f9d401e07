"""The catalog on a real broker: one writer at a time, whole changes or none, followers that see them all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import KafkaDown, TryAgain
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import KafkaSettings, Settings
from tests.deployment import Services
from tests.waiting import until

pytestmark = pytest.mark.broker
PARTITIONS = 3


@pytest.fixture
def settings(stack: Services) -> Iterator[Settings]:
    """A deployment with nothing but a catalog and a journal."""
    made = Settings(kafka=KafkaSettings(bootstrap_servers=stack.kafka), topic_prefix=f"t{uuid.uuid4().hex[:10]}.")
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    topics = [
        NewTopic(made.topic("catalog"), 1, config={"cleanup.policy": "compact"}),
        NewTopic(made.topic("journal"), PARTITIONS),
    ]
    for future in admin.create_topics(topics).values():
        future.result(30)
    until(lambda: {topic.topic for topic in topics} <= set(admin.list_topics(timeout=10).topics), "the topics", 20)
    yield made
    for future in admin.delete_topics([topic.topic for topic in topics]).values():
        future.result(30)


@pytest.fixture
def follower(settings: Settings) -> Iterator[Callable[..., CatalogFollower]]:
    """Makes followers that have read the catalog to its end."""
    made: list[CatalogFollower] = []

    def start(worker: str | None = None) -> CatalogFollower:
        made.append(CatalogFollower(settings, "tests", worker))
        made[-1].start(30)
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_what_is_written_is_read(settings: Settings, follower: Callable[..., CatalogFollower]) -> None:
    """By a follower that was there before, by one that starts later, and by the next writer."""
    early = follower()
    assert early.catalog.records == {}
    assert not early.poll()
    with CatalogWriter(settings) as writer:
        assert writer.catalog.records == {}
        writer.write({"source/a": {"id": "a", "origin": "sdk"}, "head": {"serial": 1}})
    until(early.poll, "the follower to see the change", 20)
    assert early.catalog.head.serial == 1
    assert follower().catalog.records == early.catalog.records
    with CatalogWriter(settings) as writer:
        assert sorted(writer.catalog.records) == ["head", "source/a"]


def test_what_is_removed_is_gone(settings: Settings, follower: Callable[..., CatalogFollower]) -> None:
    """None removes a key, for followers that have it and for those that never saw it."""
    early = follower()
    for records in ({"source/a": {"id": "a", "origin": "sdk"}, "key/x": {"source": "a"}}, {"source/a": None}):
        with CatalogWriter(settings) as writer:
            writer.write(records)
    until(lambda: early.poll() and "source/a" not in early.catalog.records, "the follower to lose the source", 20)
    assert list(early.catalog.records) == list(follower().catalog.records) == ["key/x"]


def test_a_change_is_whole(settings: Settings) -> None:
    """Definitions, head, and an activation in each journal partition stand in one transaction."""
    with CatalogWriter(settings) as writer:
        activations = [Output(settings.topic("journal"), None, b"on", partition=n) for n in range(PARTITIONS)]
        writer.write({"head": {"serial": 1}}, activations)
    assert [read(settings, n) for n in range(PARTITIONS)] == [[b"on"]] * PARTITIONS


def read(settings: Settings, partition: int) -> list[bytes | None]:
    """The committed values of a journal partition."""
    consumer = Consumer({
        "bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "tests", "isolation.level": "read_committed",
        "enable.partition.eof": True, "auto.offset.reset": "earliest", "enable.auto.commit": False,
    })  # fmt: skip
    consumer.assign([TopicPartition(settings.topic("journal"), partition, 0)])
    found: list[bytes | None] = []
    try:
        while (message := until(lambda: consumer.poll(1), "the end of the journal", 20)).error() is None:
            found.append(message.value())
    finally:
        consumer.close()
    return found


def test_the_older_writer_is_fenced(settings: Settings, follower: Callable[..., CatalogFollower]) -> None:
    """A change that was checked against a catalog which somebody else has opened since is not written."""
    with CatalogWriter(settings) as older:
        with CatalogWriter(settings) as newer:
            newer.write({"head": {"serial": 1}})
        with pytest.raises(TryAgain, match="somebody else changed the catalog"):
            older.write({"head": {"serial": 77}, "source/a": {"id": "a", "origin": "sdk"}})
    assert follower().catalog.records == {"head": {"serial": 1}}


def test_a_follower_reports_how_far_it_is(settings: Settings, follower: Callable[..., CatalogFollower]) -> None:
    """Its position, past the transaction's marker, is committed under its worker's name, so that apply can wait."""
    with CatalogWriter(settings) as writer:
        writer.write({"head": {"serial": 1}})
    mine = follower("validation-7")
    mine.report()
    consumer = Consumer({
        "bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": settings.group("catalog.validation-7"),
    })  # fmt: skip
    try:
        place = TopicPartition(settings.topic("catalog"), 0)
        (committed,) = consumer.committed([place], timeout=20)
        end = consumer.get_watermark_offsets(place, timeout=20)[1]
    finally:
        consumer.close()
    assert committed.offset == mine.catalog.position == end == 2


def test_a_catalog_that_is_not_there(settings: Settings) -> None:
    """A writer names the topic and what to run; a follower does not wait for ever."""
    elsewhere = settings.model_copy(update={"topic_prefix": settings.topic_prefix + "x."})
    with (
        pytest.raises(KafkaDown, match=r"has no topic .*x\.catalog; run `offerflow topics create`"),
        CatalogWriter(elsewhere),
    ):
        pass
    lost = CatalogFollower(elsewhere, "tests")
    try:
        with pytest.raises(KafkaDown, match="did not give topic"):
            lost.start(1.0)
    finally:
        lost.close()
