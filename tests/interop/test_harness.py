"""The harness of these tests itself: what it shows is what happened."""

from __future__ import annotations

import httpx
import pytest

from tests.interop.browser import Browser, bundle
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker


def post(url: str, edge: Edge, user: str, event_id: str, **more: object) -> httpx.Response:
    event = {"event": "Lesson Started", "user_id": user, "event_id": event_id, **more}
    key = {"authorization": f"Bearer {edge.key('sdk')}"}
    return httpx.post(f"{url}/v1/events", json=event, headers=key, timeout=30)


def test_what_was_taken_is_read_back(edge: Edge) -> None:
    """An event is found raw, in the journal or among the dead letters, by its user and by its id."""
    good, bad = somebody(), somebody()
    answer = post(edge.url, edge, good, f"{good}-1", time=1_700_000_000_000, properties={"lesson_id": "l-1"})
    assert answer.status_code == 202, edge.program.tail()
    assert post(edge.url, edge, bad, f"{bad}-1", properties={"lesson_id": 5}).status_code == 202
    (event,) = edge.events(good)
    assert (event.kind, event.id, event.user, event.ms) == ("LessonStarted", f"{good}-1", good, 1_700_000_000_000)
    assert event == edge.event(f"{good}-1")
    assert event.properties["lesson_id"] == "l-1"
    assert edge.letters(bad) == [edge.letter(f"{bad}-1")]
    assert edge.raws(good)[0].envelope["source"] == "web-app"


def test_the_front_answers_first_and_passes_on_then(edge: Edge, front: Front) -> None:
    """A status that was asked for comes with its headers and stops there; a lost answer does not lose the event."""
    user = somebody()
    front.answer(503, retry_after="7")
    front.lose_answer()
    first = post(front.url, edge, user, "front-1")
    assert (first.status_code, first.headers["retry-after"]) == (503, "7")
    with pytest.raises(httpx.RemoteProtocolError):
        post(front.url, edge, user, f"{user}-2", properties={"lesson_id": "l"})
    assert [event.id for event in edge.events(user)] == [f"{user}-2"]
    assert [seen.status for seen in front.posts(2)] == [503, 0]


def test_a_page_runs_a_bundle(browser: Browser) -> None:
    """What was given is there for the script, and what it says is heard."""
    script = bundle("import { v4 } from '@lukeed/uuid'; window.made = v4().length + window.more; console.log('done');")
    with browser.open(script, more=1) as opened:
        assert opened.run("return window.made") == 37
        assert (opened.said, opened.failed) == (["done"], [])
