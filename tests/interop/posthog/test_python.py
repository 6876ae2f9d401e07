"""PostHog's Python SDK in both of its protocols."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from posthog import Posthog

from producers.ingest.answers import Refusal, unavailable
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front
from tests.interop.posthog.faults import said
from tests.waiting import until

pytestmark = pytest.mark.broker
Failed = list[tuple[Any, Any]]
AT = 1_772_704_799_250
MODES = ["v0", "v1"]


@contextmanager
def client(url: str, key: str, mode: str = "v0", **more: Any) -> Iterator[tuple[Posthog, Failed]]:
    """A client, and what it could not deliver: the error and the batch. All is sent when the block ends."""
    failed: Failed = []
    posthog = Posthog(
        key, host=url, flush_interval=0.05, on_error=lambda *why: failed.append(why), capture_mode=mode,
        enable_exception_autocapture=False, **more,
    )  # fmt: skip
    try:
        yield posthog, failed
    finally:
        posthog.shutdown()


def start(posthog: Posthog, user: str, number: int = 1, **properties: object) -> str:
    """Captures an event, and gives its id."""
    event_id = str(uuid.uuid4())
    time = datetime.fromtimestamp((AT + number) / 1000, UTC)
    posthog.capture(
        "Lesson Started", distinct_id=user, uuid=event_id, timestamp=time,
        properties={"lesson_id": f"l-{number}", **properties},
    )  # fmt: skip
    return event_id


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gzip", [False, True])
def test_events_are_in_the_journal(edge: Edge, mode: str, *, gzip: bool) -> None:
    """An event with the right id, user, time and properties, and the traits it sets."""
    user = somebody()
    more = {"gzip": gzip} if mode == "v0" else {"capture_compression": "gzip" if gzip else "none"}
    with client(edge.url, edge.key("sdk"), mode, **more) as (posthog, failed):
        event_id = start(posthog, user, **{"$set": {"plan": "pro"}})
    found = {event.kind: event for event in edge.events(user, 2)}
    assert failed == []
    lesson = found["LessonStarted"]
    assert (lesson.id, lesson.user, lesson.anonymous, lesson.ms) == (event_id, user, None, AT + 1)
    assert (lesson.properties["lesson_id"], lesson.meta["source"]) == ("l-1", "web-app")
    assert found["Identified"].properties["plan"] == "pro"


@pytest.mark.parametrize("mode", MODES)
def test_people_and_groups(edge: Edge, mode: str) -> None:
    """Traits, an alias and a group are events of the standard plan; a page is one too."""
    user = somebody()
    with client(edge.url, edge.key("sdk"), mode) as (posthog, failed):
        posthog.set(distinct_id=user, properties={"plan": "pro"})
        posthog.set_once(distinct_id=user, properties={"country": "DE"})
        posthog.alias(previous_id=f"{user}-before", distinct_id=user)
        posthog.group_identify("company", "acme", {"plan": "gold"}, distinct_id=user)
        posthog.capture("$pageview", distinct_id=user, properties={"$current_url": "https://shop.test/a"})
    events = edge.events(user, 5)
    assert failed == []
    assert sorted(event.kind for event in events) == [
        "Aliased",
        "GroupJoined",
        "Identified",
        "Identified",
        "PageViewed",
    ]
    found = {event.kind: event.properties for event in events if event.kind != "Identified"}
    assert found["Aliased"]["previous_id"] == f"{user}-before"
    assert (found["GroupJoined"]["group_id"], found["GroupJoined"]["plan"]) == ("acme", "gold")
    assert found["PageViewed"]["url"] == "https://shop.test/a"
    traits = [event.properties for event in events if event.kind == "Identified"]
    assert {(one["plan"], one["country"]) for one in traits} == {("pro", None), (None, "DE")}


FAULTS: dict[str, Callable[[Front, str], None]] = {
    "503": lambda front, user: front.answer(
        503, mark=user, body=said(unavailable("Kafka is away", 1)), retry_after="1"
    ),
    "429": lambda front, user: front.answer(429, mark=user, body=said(Refusal(429, "quota", "slow")), retry_after="1"),
    "lost answer": lambda front, user: front.lose_answer(mark=user),
}


@pytest.mark.parametrize("mode", MODES)
def test_what_was_not_taken_comes_again(edge: Edge, front: Front, mode: str) -> None:
    """After an outage, over a quota and after an answer that was lost, with the ids it had, so that it counts once."""
    for fault in FAULTS.values():
        user = somebody()
        fault(front, user)
        with client(front.url, edge.key("sdk"), mode) as (posthog, failed):
            event_id = start(posthog, user)
        assert [event.id for event in edge.events(user)] == [event_id]
        assert failed == []
        assert len(front.posts(2, mark=user)) == 2


@pytest.mark.parametrize(("status", "error"), [(400, "bad_body"), (413, "body_too_large")])
def test_a_batch_that_cannot_be_taken_is_told_of(edge: Edge, front: Front, status: int, error: str) -> None:
    """The SDK drops it and says why, in the words of the edge; what comes after is sent."""
    user = somebody()
    front.answer(status, mark=user, body=said(Refusal(status, error, "what to do about it")))
    with client(front.url, edge.key("sdk")) as (posthog, failed):
        start(posthog, user, 1)
        until(lambda: failed, "an error", 60)
        event_id = start(posthog, user, 2)
    assert "what to do about it" in str(failed[0][0])
    assert [event.id for event in edge.events(user)] == [event_id]


def test_a_wrong_key_is_told_of(edge: Edge, front: Front) -> None:
    """401 once, with what a key looks like."""
    user = somebody()
    with client(front.url, "wk_wrong") as (posthog, failed):
        start(posthog, user)
    assert "expected sk_… or wk_…" in str(failed[0][0])
    assert [seen.status for seen in front.posts(mark=user)] == [401]


def test_the_newer_protocol_drops_an_event_over_the_limit_alone(edge: Edge) -> None:
    """The others of its batch are taken."""
    user = somebody()
    with client(edge.url, edge.key("sdk"), "v1", flush_at=3) as (posthog, failed):
        ids = [start(posthog, user, 1), start(posthog, user, 2, note="x" * 70_000), start(posthog, user, 3)]
    assert [event.id for event in edge.events(user, 2)] == [ids[0], ids[2]]
    ((error, _),) = failed
    assert [dropped for dropped, _ in error.drops] == [ids[1]]


def test_there_are_no_feature_flags(edge: Edge) -> None:
    """The SDK asks, and gets an answer that it understands."""
    with client(edge.url, edge.key("sdk")) as (posthog, _):
        assert posthog.get_all_flags("u-1") == {}
