"""What changes between a look and the deed: nothing is written then, least of all something that looks right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from console.state.adopting import Adoption, adopt, plan_adoption
from console.state.rebuilding import Task, fold_partition, plan_rebuild
from console.state.standing import RULES, Standing, look
from offerflow.runtime.errors import Refused, TryAgain
from offerflow.runtime.kafka.admin import Committed
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.redis.mending import MendingStore
from offerflow.runtime.redis.store import Apply
from offerflow.runtime.settings import KafkaSettings, RedisSettings, Settings
from offerflow.runtime.topics import commit_metadata
from tests.deployment import Deployment

pytestmark = [pytest.mark.broker, pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")]


def _settings(made: Deployment) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=made.services.kafka), redis=RedisSettings(url=made.services.redis),
        topic_prefix=made.prefix, partitions=made.partitions,
    )  # fmt: skip


def _commit(made: Deployment, offset: int, metadata: str) -> None:
    consumer = Consumer({"bootstrap.servers": made.services.kafka, "group.id": made.prefix + "rules"})
    try:
        place = TopicPartition(made.prefix + "journal", 0, offset, metadata)
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()


def _cut(made: Deployment, start: int) -> None:
    """What retention does."""
    admin = AdminClient({"bootstrap.servers": made.services.kafka})
    for future in admin.delete_records([TopicPartition(made.prefix + "journal", 0, start)]).values():
        future.result(30)


def _first(settings: Settings) -> Standing:
    return look(settings, RULES, (), (0,)).standings[0]


def _apply(store: MendingStore, one: Standing, start: int, to: int) -> None:
    assert store.apply([Apply(0, start, to, f"to {to}", {**one.identity}, {"u:a": b"\x90"})]) == {0: "ok"}


def test_what_moved_since_it_was_looked_at_is_left_alone(deployment: Callable[..., Deployment]) -> None:
    """An adoption after another commit, or another apply, and a rebuild after the journal lost its beginning write
    nothing; and a journal with a gap is never folded over."""
    made = deployment(partitions=1)
    made.create_topics()
    made.produce("journal", [(b"u:a", b"record", [])] * 40)
    settings, store = _settings(made), MendingStore(_settings(made))
    one = _first(settings)
    _apply(store, one, 0, 20)

    def planned() -> Adoption:
        found = plan_adoption(_first(settings))
        assert found is not None
        return found

    # Redis is ahead of the first commit.
    late = look(settings, RULES), [planned()]
    _commit(made, 30, commit_metadata(one.topic.id, 30))
    with pytest.raises(TryAgain, match="has moved since"):
        adopt(settings, *late)
    assert (_first(settings).committed, store.meta(0).next) == (Committed(30, commit_metadata(one.topic.id, 30)), 20)

    _commit(made, 30, "by hand")
    late = look(settings, RULES), [planned()]
    _apply(store, one, 20, 25)
    with pytest.raises(TryAgain, match="has moved since"):
        adopt(settings, *late)
    found = _first(settings)
    assert found.committed is not None
    assert (found.committed.metadata, store.meta(0).next) == ("by hand", 25)

    _commit(made, 30, commit_metadata(one.topic.id, 30))
    place = one.place
    assert len(list(read_spans(settings, {place: (0, 30)}, "tests", whole=True))) == 30
    tasks = plan_rebuild(look(settings, RULES)), plan_rebuild(look(settings, RULES), on=True)
    _cut(made, 28)
    for task in (tasks[0][0], tasks[1][0]):
        assert isinstance(task, Task)
        with pytest.raises(Refused, match="by now"):
            fold_partition(settings, store, task, lambda _: None)
    assert store.meta(0).next == 25
    assert [record.offset() for record in read_spans(settings, {place: (0, 30)}, "tests")] == [28, 29]
    with pytest.raises(Refused) as refused:
        list(read_spans(settings, {place: (0, 30)}, "tests", whole=True))
    assert refused.value.reason == "journal_short"
    store.close()
