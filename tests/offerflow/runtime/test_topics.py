"""Topics that are there already, on a real broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import KafkaSettings, Settings
from offerflow.runtime.topics import create_topics
from schemas.seen import Snapshot, write_snapshot
from tests.deployment import Deployment

pytestmark = pytest.mark.broker
MIB = 1024 * 1024


def test_room_for_records_is_made_and_never_taken(deployment: Callable[..., Deployment]) -> None:
    """Topics of an earlier release get the room of this one; what a person set higher stays, and so does what only
    bounds senders."""
    here = deployment(partitions=1)
    here.create_topics()
    here.limit("dead-letter", 4 * MIB)
    here.limit("journal", 64 * MIB)
    here.limit("raw.backend", MIB)
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=here.services.kafka), topic_prefix=here.prefix, partitions=1
    )
    assert create_topics(settings) == []
    names = {settings.topic(name): name for name in ("dead-letter", "journal", "raw.backend", "raw.replay")}
    found = {names[topic]: limit for topic, limit in Admin(settings).record_limits(names).items()}
    assert found == {"dead-letter": 96 * MIB, "journal": 64 * MIB, "raw.backend": MIB, "raw.replay": 16 * MIB}


def test_an_offset_that_is_gone_is_not_begun_anew(deployment: Callable[..., Deployment]) -> None:
    """Partitions of raw topics that validation has counted are refused once their offset is gone, and nothing is
    committed; a partition that was added, and a topic that was deleted and created again, get their first commit."""
    here = deployment(partitions=2)
    here.create_topics()
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=here.services.kafka), topic_prefix=here.prefix, partitions=2
    )
    group = settings.group("validation")
    admin = AdminClient({"bootstrap.servers": here.services.kafka})
    topics = Admin(settings).topics([settings.topic("raw.sdk"), settings.topic("raw.import")])
    places = [(settings.topic("raw.sdk"), partition) for partition in range(3)]
    counted = [(places[0], topics[places[0][0]].id), (places[1], topics[places[1][0]].id)]
    counted.append(((settings.topic("raw.import"), 0), "of another topic of this name"))
    snapshots = [write_snapshot(settings, place, Snapshot(topic, 3)) for place, topic in counted]
    here.produce("events-seen", [(one.key, one.value, ()) for one in snapshots])
    added = NewPartitions(f"{here.prefix}raw.sdk", 3)  # type: ignore[no-untyped-call]
    for future in admin.create_partitions([added]).values():
        future.result(30)
    create_topics(settings)
    known = Admin(settings).committed(group, places)
    assert [known[place].offset for place in places] == [0, 0, 0]

    for future in admin.delete_consumer_groups([group]).values():
        future.result(30)
    with pytest.raises(Refused, match=r"raw\.sdk, partitions 0, 1,") as refused:
        create_topics(settings)
    assert refused.value.reason == "offset_absent"
    assert Admin(settings).committed(group, places) == {}
