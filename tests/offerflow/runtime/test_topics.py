"""Topics that are there already, on a real broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import KafkaSettings, Settings
from offerflow.runtime.topics import create_topics
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
