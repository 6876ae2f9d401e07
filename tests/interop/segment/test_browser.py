"""Segment's analytics.js in a real Chromium, which gets the edge's address from the settings that the edge serves."""

from __future__ import annotations

import pytest

from tests.interop.browser import Browser, bundle
from tests.interop.calls import GROUP, TRAITS
from tests.interop.calls import kinds as of_kinds
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker
LESSON = {"lesson_id": "l-1", "level": "a1"}
SCRIPT = """
import { AnalyticsBrowser } from '@segment/analytics-next';
window.load = (url, writeKey, more) => AnalyticsBrowser.load({ writeKey, cdnURL: url }, more)
"""


def test_every_call(edge: Edge, browser: Browser) -> None:
    """Only the address of the settings is given; text/plain, CORS and anonymous ids are as in life."""
    user = somebody()
    with browser.open(bundle(SCRIPT), url=edge.url, key=edge.key("sdk"), user=user, lesson=LESSON, traits=TRAITS,
                      about=GROUP) as page:  # fmt: skip
        told = page.run("""
            const analytics = window.load(url, key);
            const first = await analytics.track('Lesson Started', lesson);
            const anonymous = (await analytics.user()).anonymousId();
            await analytics.identify(user, traits);
            await analytics.page('Docs', 'Intro');
            await analytics.screen('App', 'Start');
            await analytics.group(user + '-group', about);
            await analytics.alias(user, user + '-old');
            return { anonymous, id: first.event.messageId, at: +new Date(first.event.timestamp) };
        """)
        assert page.failed == []
    found = of_kinds(edge.events(told["anonymous"], 6))
    lesson = found.pop("LessonStarted")
    assert (lesson.id, lesson.ms, lesson.user) == (told["id"], told["at"], None)
    assert (lesson.properties["lesson_id"], lesson.properties["level"]) == ("l-1", "a1")
    assert {event.user for event in found.values()} == {user}
    assert found["Identified"].properties["plan"] == "pro"
    shown = found["PageViewed"].properties
    assert (shown["name"], shown["category"], shown["path"], shown["title"]) == ("Intro", "Docs", "/shop", "Shop")
    assert shown["url"] == f"{browser.origin}/shop?utm_source=test"
    assert found["GroupJoined"].properties["group_id"] == f"{user}-group"
    assert found["Aliased"].properties["previous_id"] == f"{user}-old"
    assert found["ScreenViewed"].properties["name"] == "Start"
    assert {event.meta["source"] for event in (lesson, *found.values())} == {"web-app"}


def test_batches(edge: Edge, browser: Browser) -> None:
    """As configured for batching: one request to `/v1/b` with all events."""
    user = somebody()
    with browser.open(bundle(SCRIPT), url=edge.url, key=edge.key("sdk"), user=user, lesson=LESSON) as page:
        page.run("""
            const strategy = { strategy: 'batching', config: { size: 3, timeout: 200 } };
            const analytics = window.load(url, key, { integrations: { 'Segment.io': { deliveryStrategy: strategy } } });
            await analytics.identify(user);
            await analytics.track('Lesson Started', lesson);
            await analytics.track('Lesson Started', { ...lesson, level: 'b2' });
        """)
        found = edge.events(user, 3)
        assert page.failed == []
    assert sorted(event.properties["level"] for event in found if event.kind == "LessonStarted") == ["a1", "b2"]


def test_troubles_on_the_way(edge: Edge, front: Front, browser: Browser) -> None:
    """503 and 429 are tried again with the same ids, a lost answer too; 400 and 413 drop the one event."""
    user = somebody()
    front.answer(503, mark="l-busy")
    front.answer(429, mark="l-limited", retry_after="1")
    front.lose_answer(mark="l-lost")
    front.answer(400, mark="l-bad")
    front.answer(413, mark="l-large")
    with browser.open(bundle(SCRIPT), url=front.url, key=edge.key("sdk"), user=user) as page:
        page.run("""
            const analytics = window.load(url, key);
            await analytics.identify(user);
            for (const id of ['busy', 'limited', 'lost', 'bad', 'large', 'fine'])
              await analytics.track('Lesson Started', { lesson_id: 'l-' + id });
        """)
        found = edge.events(user, 5)
    lessons = {event.properties["lesson_id"]: event.id for event in found if event.kind == "LessonStarted"}
    assert set(lessons) == {"l-busy", "l-limited", "l-lost", "l-fine"}
    for lesson in ("l-busy", "l-limited", "l-lost"):
        assert {seen.json["messageId"] for seen in front.posts(2, mark=lesson)} == {lessons[lesson]}
    for lesson in ("l-bad", "l-large"):
        assert len(front.posts(mark=lesson)) == 1
