"""Amplitude's Python SDK: what it sends is in the journal, and no answer makes it lose what could be taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify

from tests.interop.amplitude.faults import AWAY, OVER_QUOTA, TOO_MANY
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front
from tests.waiting import until

pytestmark = pytest.mark.broker
Told = list[tuple[Any, int, str]]
AT = 1_772_704_799_250
LARGE = {f"note{number}": "x" * 1000 for number in range(80)}
"""More than an event may hold; the SDK itself cuts longer texts."""


@contextmanager
def client(url: str, key: str, **more: Any) -> Iterator[tuple[Amplitude, Told]]:
    """A client, and what it told of each event: the event, the code and a message."""
    told: Told = []
    config = Config(server_url=url, flush_interval_millis=50, callback=lambda *said: told.append(said), **more)
    amplitude = Amplitude(key, config)
    try:
        yield amplitude, told
    finally:
        amplitude.shutdown()


def started(user: str, number: int = 1, **properties: object) -> BaseEvent:
    return BaseEvent(
        "Lesson Started", user_id=user, insert_id=f"{user}-{number}", time=AT + number,
        event_properties={"lesson_id": f"l-{number}", **properties},
    )  # fmt: skip


def heard(told: Told, count: int) -> Told:
    return until(lambda: told if len(told) >= count else None, f"{count} callbacks", 60, lambda: told) or []


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_events_are_in_the_journal(edge: Edge, path: str) -> None:
    """A track and an identify with the right id, user, device, time and properties, by both paths."""
    user = somebody()
    options = EventOptions(user_id=user, device_id=f"{user}-phone", insert_id=f"{user}-0", time=AT)
    with client(edge.url + path, edge.key("sdk")) as (amplitude, told):
        amplitude.identify(Identify().set("plan", "pro").set_once("country", "DE").add("logins", 1), options)
        amplitude.track(started(user, 1))
        heard(told, 2)
    identified, lesson = edge.events(user, 2)
    assert {code for _, code, _ in told} == {200}
    assert (identified.kind, identified.id, identified.anonymous, identified.ms) == (
        "Identified", f"{user}-0", f"{user}-phone", AT,
    )  # fmt: skip
    assert (identified.properties["plan"], identified.properties["country"]) == ("pro", "DE")
    assert (lesson.kind, lesson.id, lesson.user, lesson.ms) == ("LessonStarted", f"{user}-1", user, AT + 1)
    assert (lesson.properties["lesson_id"], lesson.meta["source"]) == ("l-1", "web-app")


def test_user_properties_of_an_event_are_traits(edge: Edge) -> None:
    """They are an Identified of their own, and the events that the client counts are its own."""
    user = somebody()
    event = started(user)
    event.user_properties = {"plan": "pro"}
    with client(f"{edge.url}/2/httpapi", edge.key("sdk")) as (amplitude, told):
        amplitude.track(event)
        heard(told, 1)
    found = {event.kind: event for event in edge.events(user, 2)}
    assert found["Identified"].properties["plan"] == "pro"
    assert found["LessonStarted"].id == f"{user}-1"


def test_a_wrong_key_ends_it(edge: Edge, front: Front) -> None:
    """400 in the words that the SDK knows: it does not try for ever."""
    user = somebody()
    with client(f"{front.url}/2/httpapi", "wk_wrong") as (amplitude, _):
        amplitude.track(started(user))
        front.posts(mark=user)
    (seen,) = front.posts(mark=user)
    assert seen.status == 400
    assert b"Invalid API key" in seen.answer


def test_an_event_over_the_limit_is_dropped_alone(edge: Edge, front: Front) -> None:
    """400 with its index: the SDK tells of that one and sends the others again."""
    user = somebody()
    with client(f"{front.url}/2/httpapi", edge.key("sdk"), flush_queue_size=3) as (amplitude, told):
        for number in (1, 2, 3):
            amplitude.track(started(user, number, **(LARGE if number == 2 else {})))
        heard(told, 3)
    assert {event.insert_id: code for event, code, _ in told} == {
        f"{user}-1": 200, f"{user}-2": 400, f"{user}-3": 200,
    }  # fmt: skip
    assert [event.id for event in edge.events(user, 2)] == [f"{user}-1", f"{user}-3"]


FAULTS: dict[str, Callable[[Front, str], None]] = {
    "503": lambda front, user: front.answer(503, mark=user, body=AWAY, retry_after="1"),
    "413": lambda front, user: front.answer(413, mark=user, body=TOO_MANY),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_not_taken_comes_again(edge: Edge, front: Front, fault: str) -> None:
    """With the ids it had, so that it counts once: after an outage, and in halves."""
    user = somebody()
    FAULTS[fault](front, user)
    with client(f"{front.url}/2/httpapi", edge.key("sdk"), flush_queue_size=2) as (amplitude, told):
        amplitude.track(started(user, 1))
        amplitude.track(started(user, 2))
        heard(told, 2)
    assert [code for _, code, _ in told] == [200, 200]
    assert [event.id for event in edge.events(user, 2)] == [f"{user}-1", f"{user}-2"]
    assert len(front.posts(2, mark=user)) >= 2


def test_what_was_taken_stays_taken_when_the_answer_is_lost(edge: Edge, front: Front) -> None:
    """This SDK sends nothing again whose connection ended without an answer: what was taken must be in the journal."""
    user = somebody()
    front.lose_answer(mark=user)
    with client(f"{front.url}/2/httpapi", edge.key("sdk")) as (amplitude, told):
        amplitude.track(started(user))
        assert [event.id for event in edge.events(user)] == [f"{user}-1"]
    assert told == []


def test_over_a_quota_events_wait(edge: Edge, front: Front) -> None:
    """429 lists them, and the SDK keeps them for half a minute, or until it is told to flush."""
    user = somebody()
    front.answer(429, mark=user, body=OVER_QUOTA, retry_after="1")
    with client(f"{front.url}/2/httpapi", edge.key("sdk")) as (amplitude, told):
        amplitude.track(started(user))
        front.posts(mark=user)

        def flushed() -> bool:
            amplitude.flush()
            return bool(told)

        until(flushed, "the callback", 60)
    assert [code for _, code, _ in told] == [200]
    assert edge.events(user)[0].id == f"{user}-1"
