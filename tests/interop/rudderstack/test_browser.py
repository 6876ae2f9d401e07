"""RudderStack's library for browsers in a real Chromium, with the edge as its data plane and its `configUrl`."""

from __future__ import annotations

import pytest

from tests.interop.browser import Browser, bundle
from tests.interop.calls import GROUP, TRAITS, kinds
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker
LESSON = {"lesson_id": "l-1", "level": "a1"}
SCRIPT = """
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled';
window.load = (url, key, more) => new Promise((ready) => {
  const analytics = new RudderAnalytics();
  analytics.load(key, url, { configUrl: url, logLevel: 'ERROR', onLoaded: () => ready(analytics), ...more });
});
"""


@pytest.mark.parametrize("beacon", [False, True])
def test_every_call(edge: Edge, browser: Browser, beacon: bool) -> None:
    """Event by event, and by beacons, whose key is in the query alone."""
    user = somebody()
    with browser.open(bundle(SCRIPT), url=edge.url, key=edge.key("sdk"), user=user, lesson=LESSON, traits=TRAITS,
                      about=GROUP, beacon=beacon) as page:  # fmt: skip
        anonymous = page.run("""
            const more = { useBeacon: beacon, beaconQueueOptions: { flushQueueInterval: 200 } };
            const analytics = await window.load(url, key, more);
            analytics.track('Lesson Started', lesson);
            analytics.identify(user, traits);
            analytics.page('Docs', 'Intro');
            analytics.group(user + '-group', about);
            analytics.alias(user, user + '-old');
            return analytics.getAnonymousId();
        """)
        found = kinds(edge.events(anonymous, 5))
        assert page.failed == []
    lesson = found.pop("LessonStarted")
    assert (lesson.user, lesson.properties["lesson_id"], lesson.properties["level"]) == (None, "l-1", "a1")
    assert {event.user for event in found.values()} == {user}
    who = found["Identified"].properties
    assert (who["plan"], who["country"], who["email"]) == ("pro", "DE", None)
    shown = found["PageViewed"].properties
    assert (shown["name"], shown["category"], shown["path"]) == ("Intro", "Docs", "/shop")
    assert found["GroupJoined"].properties["name"] == "ACME"
    assert found["Aliased"].properties["previous_id"] == f"{user}-old"
    sent = edge.raws(anonymous)[0]
    assert lesson.ms == sent.envelope["time"]
    assert edge.key("sdk").encode() not in sent.text


def test_troubles_on_the_way(edge: Edge, front: Front, browser: Browser) -> None:
    """503, 429 and a lost answer are tried again with the same ids; 400 and 413 drop the one event."""
    user = somebody()
    front.answer(503, mark="l-busy")
    front.answer(429, mark="l-limited", retry_after="1")
    front.lose_answer(mark="l-lost")
    front.answer(400, mark="l-bad")
    front.answer(413, mark="l-large")
    with browser.open(bundle(SCRIPT), url=front.url, key=edge.key("sdk"), user=user) as page:
        page.run("""
            const analytics = await window.load(url, key, { queueOptions: { minRetryDelay: 200 } });
            analytics.identify(user);
            for (const id of ['busy', 'limited', 'lost', 'bad', 'large', 'fine'])
              analytics.track('Lesson Started', { lesson_id: 'l-' + id });
        """)
        found = edge.events(user, 5)
    lessons = {event.properties["lesson_id"]: event.id for event in found if event.kind == "LessonStarted"}
    assert set(lessons) == {"l-busy", "l-limited", "l-lost", "l-fine"}
    for lesson in ("l-busy", "l-limited", "l-lost"):
        assert {seen.json["messageId"] for seen in front.posts(2, mark=lesson)} == {lessons[lesson]}
    for lesson in ("l-bad", "l-large"):
        assert len(front.posts(mark=lesson)) == 1
