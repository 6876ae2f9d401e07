"""A raw topic whose source is taken away and given back, with records in it all the while."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.waiting import until

pytestmark = pytest.mark.broker

EVENT = """{"type": "record", "namespace": "events", "name": "Visited", "event": ["Visited"],
 "fields": [{"name": "meta", "type": "events.Meta"}]}"""
OWN, OTHER = "- {id: gym, origin: backend, topics: [raw.gym]}\n", "- {id: shop, origin: backend}\n"


def visits(first: int, count: int) -> list[tuple[bytes, bytes, list[tuple[str, bytes | None]]]]:
    return [
        (b"u", json.dumps({"event": "Visited", "user_id": "u", "event_id": f"v-{n}"}).encode(), [])
        for n in range(first, first + count)
    ]


def test_records_of_a_retired_topic_wait_for_its_source(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """While no source names a topic its records stay unread and the stage goes on; named again, each is judged once."""
    here = deployment()
    here.create_topics()
    (tmp_path / "Visited.avsc").write_text(EVENT)
    sources = tmp_path / "sources.yaml"
    sources.write_text(OWN)
    here.apply(tmp_path)
    worker = here.validation().wait_ready()
    here.produce("raw.gym", visits(0, 500))
    until(lambda: worker.metric("offerflow_events_total") >= 500, "the first visits to be judged", 60, worker.tail)

    sources.write_text(OTHER)
    assert here.command("apply", tmp_path, "--prune", "--yes").returncode == 0
    here.produce("raw.gym", visits(500, 500))
    sources.write_text(OWN)
    assert here.command("apply", tmp_path, "--prune", "--yes").returncode == 0
    until(lambda: worker.metric("offerflow_events_total") >= 1000, "the later visits to be judged", 60, worker.tail)

    assert worker.process.poll() is None
    assert worker.metric("offerflow_events_total") == 1000
