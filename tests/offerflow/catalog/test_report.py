"""A worker tells how far it knows the catalog, and works on whether anybody hears it or not."""

from __future__ import annotations

import pytest

from offerflow.catalog.follower import REPORT_AGAIN_S, CatalogFollower
from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.reader import TopicReader
from offerflow.runtime.settings import Settings
from tests.doubles.kafka import Cluster


def test_what_kafka_does_not_take_now_is_reported_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coordinator that is away raises nothing and is not asked at every turn; once it is back it hears of it."""
    cluster, now, reported = Cluster(), [100.0], list[float]()
    settings = Settings(worker="rules-1")
    cluster.create(settings.topic("catalog"))
    monkeypatch.setattr(outside, "Consumer", cluster.Consumer)
    monkeypatch.setattr(outside, "monotonic", lambda: now[0])

    def commit(reader: TopicReader) -> None:
        reported.append(now[0])
        if len(reported) == 1:
            raise KafkaDown("coordinator load in progress")

    monkeypatch.setattr(TopicReader, "commit", commit)
    follower = CatalogFollower(settings, "rules-1", "rules-1")
    for seconds in (0.0, 1.0, REPORT_AGAIN_S - 0.1, REPORT_AGAIN_S, REPORT_AGAIN_S + 0.1):
        now[0] = 100.0 + seconds
        follower.report()
    follower.close()
    assert reported == [100.0, 100.0 + REPORT_AGAIN_S, 100.0 + REPORT_AGAIN_S + 0.1]
