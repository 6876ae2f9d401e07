"""Amplitude's browser SDK in Chromium, from a page of another origin than the edge's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.amplitude.faults import AWAY, OVER_QUOTA, TOO_MANY
from tests.interop.browser import Browser, bundle
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker

SCRIPT = """
import { createInstance, Identify } from '@amplitude/analytics-browser';
// A store of its own for each client: clients of one page with one key would find each other's events.
const store = () => {
  const kept = new Map();
  return { isEnabled: async () => true, get: async (name) => kept.get(name), getRaw: async (name) => kept.get(name),
    set: async (name, value) => { kept.set(name, value); }, remove: async (name) => { kept.delete(name); },
    reset: async () => { kept.clear(); } };
};
window.client = async (user, key, more = {}) => {
  const one = createInstance();
  await one.init(key, user, { serverUrl: window.url, flushIntervalMillis: 20, logLevel: 0, fetchRemoteConfig: false,
    autocapture: false, identityStorage: 'none', deviceId: `${user}-device`, storageProvider: store(),
    instanceName: user, ...more }).promise;
  // Half a minute of waiting, shortened.
  await one.add({ name: 'hurry', type: 'enrichment', execute: async (event) => event, setup: async (_, core) => {
    core.timeline.plugins.find((plugin) => plugin.type === 'destination').throttleTimeout = 50; } }).promise;
  return one;
};
window.track = (one, number, more = {}) => one.track('Lesson Started', { lesson_id: `l-${number}`, ...more },
  { insert_id: `${one.getUserId()}-${number}` });
window.codes = async (sent) => Object.fromEntries((await Promise.all(sent.map((one) => one.promise)))
  .map((result) => [result.event.insert_id, result.code]));
window.Identify = Identify;
"""


def test_events_and_what_the_sdk_tracks_by_itself(edge: Edge, browser: Browser) -> None:
    """A track and an identify, and pages and sessions as the standard plan knows them."""
    user = somebody()
    with browser.open(bundle(SCRIPT), url=f"{edge.url}/2/httpapi", user=user, key=edge.key("sdk")) as page:
        codes = page.run("""
            const one = await client(user, key, { autocapture: { attribution: false, pageViews: true, sessions: true,
              formInteractions: false, fileDownloads: false, elementInteractions: false } });
            return await codes([one.identify(new Identify().set('plan', 'pro'), { insert_id: `${user}-0` }),
              track(one, 1)]);""")
        assert (codes, page.failed) == ({f"{user}-0": 200, f"{user}-1": 200}, [])
        found = {event.kind: event for event in edge.events(user, 4)}
    assert set(found) == {"Identified", "LessonStarted", "PageViewed", "SessionStarted"}
    lesson, shop = found["LessonStarted"], found["PageViewed"].properties
    assert (lesson.id, lesson.user, lesson.anonymous) == (f"{user}-1", user, f"{user}-device")
    assert lesson.properties["lesson_id"] == "l-1"
    assert abs(lesson.ms - lesson.meta["received_at"].timestamp() * 1000) < 60_000
    assert found["Identified"].properties["plan"] == "pro"
    assert (shop["path"], shop["title"]) == ("/shop", "Shop")
    assert shop["url"].endswith("/shop?utm_source=test")
    assert str(found["SessionStarted"].properties["session_id"]).isdigit()


def test_answers_that_are_not_200(edge: Edge, front: Front, browser: Browser) -> None:
    """What was not taken comes again with its id; a wrong key ends it, and a large event is dropped alone."""
    names = ("wrong", "large", "away", "halved", "quota", "lost")
    users = {name: somebody() for name in names}
    front.answer(503, mark=users["away"], body=AWAY, retry_after="1")
    front.answer(413, mark=users["halved"], body=TOO_MANY)
    front.answer(429, mark=users["quota"], body=OVER_QUOTA, retry_after="1")
    front.lose_answer(mark=users["lost"])
    with browser.open(bundle(SCRIPT), url=f"{front.url}/2/httpapi", users=users, key=edge.key("sdk")) as page:
        told: dict[str, Any] = page.run("""
            const run = async (name) => {
              const one = await client(users[name], name === 'wrong' ? 'wk_wrong' : key);
              const more = name === 'large' ? { note: 'x'.repeat(70000) } : {};
              return [name, await codes([track(one, 1), track(one, 2, more)])];
            };
            return Object.fromEntries(await Promise.all(Object.keys(users).map(run)));""")
        assert page.failed == []
    ids = {name: [f"{user}-1", f"{user}-2"] for name, user in users.items()}
    assert told.pop("wrong") == dict.fromkeys(ids["wrong"], 400)
    assert len(front.posts(mark=users["wrong"])) == 1
    assert told.pop("large") == dict(zip(ids["large"], (200, 400), strict=True))
    for name, codes in told.items():
        assert codes == dict.fromkeys(ids[name], 200), name
        assert {event.id for event in edge.events(users[name], 2)} == {*ids[name]}, name
        assert len(front.posts(2, mark=users[name])) >= 2, name
