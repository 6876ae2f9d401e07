"""Past events over HTTP: who may send them, how many, and where they go."""

from __future__ import annotations

import json

import pytest

from producers.ingest.adapters.imported import MOST, PATH
from schemas.retold import origin_of
from tests.producers.ingest.edge import KEY, PURCHASE, Edge


def test_past_events_go_to_the_topic_of_imports() -> None:
    """With the headers by which validation judges them as if they had come in on the channel of their source."""
    edge = Edge()
    answer = edge.post([{**PURCHASE, "event_id": "p-1", "time": "2020-01-01T00:00:00Z"}, PURCHASE], PATH)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert answer.json()["ids"][0] == "p-1"
    for record in edge.publisher.records:
        assert record.topic == "test.raw.import"
        origin = origin_of([(name, value) for name, value in record.headers])
        assert (origin.topic, origin.appended) == ("test.raw.backend", origin.received_at)
        assert json.loads(record.value or b"")["event_id"]


def test_no_more_than_the_limit_of_imports() -> None:
    """One event more than the limit is refused whole, and the limit is named."""
    edge = Edge()
    assert edge.post([PURCHASE] * MOST, PATH).status_code == 202
    answer = edge.post([PURCHASE] * (MOST + 1), PATH)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_many_events")
    assert str(MOST) in answer.json()["message"]
    assert len(edge.publisher.records) == MOST


@pytest.mark.parametrize(("key", "status"), [("wk_anything", 403), ("sk_unknown", 401), (None, 401), (KEY, 202)])
def test_only_servers_import(key: str | None, status: int) -> None:
    """A key that may live in an app cannot rewrite the past."""
    assert Edge().post(PURCHASE, PATH, key=key).status_code == status


def test_what_cannot_be_read_is_refused_as_by_the_native_protocol() -> None:
    """The same words, with the index of the event."""
    answer = Edge().post([PURCHASE, {"event": 5}], PATH)
    assert answer.status_code in (202, 400)
    assert Edge().post(b"[", PATH).json()["error"] == "malformed_json"
