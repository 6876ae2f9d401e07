"""Amplitude's Node SDK: all that it may meet, in one process, each of its clients with a user of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.interop import node
from tests.interop.amplitude.faults import AWAY, OVER_QUOTA, TOO_MANY
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker
AT = 1_772_704_799_250

PROGRAM = """
import { createInstance, Identify, Revenue } from '@amplitude/analytics-node';
const [url, key, users, at] = process.argv.slice(-4);
const names = JSON.parse(users);
const told = {};
async function client(what, key, send) {
  const one = createInstance();
  await one.init(key, { serverUrl: url, flushIntervalMillis: 20, logLevel: 0 }).promise;
  // Half a minute of waiting, shortened.
  await one.add({ name: 'hurry', type: 'enrichment', execute: async (event) => event, setup: async (_, core) => {
    core.timeline.plugins.find((plugin) => plugin.type === 'destination').throttleTimeout = 50; } }).promise;
  const sent = send(one, names[what]);
  const results = await Promise.all(sent.map((one) => one.promise));
  told[what] = results.map((result) => [result.event.insert_id, result.code]);
}
const track = (one, user, number, more = {}) => one.track('Lesson Started', { lesson_id: `l-${number}`, ...more },
  { user_id: user, insert_id: `${user}-${number}`, time: Number(at) + number });
const two = (one, user) => [track(one, user, 1), track(one, user, 2)];
await Promise.all([
  client('good', key, (one, user) => {
    const who = { user_id: user, device_id: `${user}-phone`, insert_id: `${user}-0`, time: Number(at) };
    const change = new Identify().set('plan', 'pro').setOnce('country', 'DE').add('logins', 1);
    return [one.identify(change, who), track(one, user, 1)];
  }),
  client('group', key, (one, user) => [
    one.setGroup('company', 'acme', { user_id: user, insert_id: `${user}-0`, time: Number(at) }),
    one.groupIdentify('company', 'acme', new Identify().set('plan', 'pro'),
      { user_id: user, insert_id: `${user}-1`, time: Number(at) + 2 }),
  ]),
  client('revenue', key, (one, user) => [
    one.revenue(new Revenue().setProductId('p').setPrice(9.5).setQuantity(2),
      { user_id: user, insert_id: `${user}-0`, time: Number(at) })]),
  client('wrong', 'wk_wrong', (one, user) => [track(one, user, 1)]),
  client('large', key, (one, user) => [track(one, user, 1), track(one, user, 2, { note: 'x'.repeat(70000) })]),
  ...['away', 'halved', 'quota', 'lost'].map((what) => client(what, key, two)),
]);
console.log(JSON.stringify(told));
"""


def test_everything_that_may_happen(edge: Edge, front: Front) -> None:
    """Taken events are in the journal with the right id, user, time and properties; what was not taken at first comes
    again with the id it had, and only what can never be taken is dropped."""
    names = ("good", "group", "revenue", "wrong", "large", "away", "halved", "quota", "lost")
    users = {name: somebody() for name in names}
    front.answer(503, mark=users["away"], body=AWAY, retry_after="1")
    front.answer(413, mark=users["halved"], body=TOO_MANY)
    front.answer(429, mark=users["quota"], body=OVER_QUOTA, retry_after="1")
    front.lose_answer(mark=users["lost"])
    arguments = (f"{front.url}/2/httpapi", edge.key("sdk"), json.dumps(users), str(AT))
    done = node.installed().run(PROGRAM, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)

    identified, lesson = edge.events(users["good"], 2)
    assert (identified.kind, identified.id, identified.anonymous, identified.ms) == (
        "Identified", f"{users['good']}-0", f"{users['good']}-phone", AT,
    )  # fmt: skip
    assert (identified.properties["plan"], identified.properties["country"]) == ("pro", "DE")
    assert (lesson.kind, lesson.id, lesson.user, lesson.ms) == (
        "LessonStarted", f"{users['good']}-1", users["good"], AT + 1,
    )  # fmt: skip
    assert lesson.properties["lesson_id"] == "l-1"

    groups = [event for event in edge.events(users["group"], 3) if event.kind == "GroupJoined"]
    assert [(event.properties["group_id"], event.properties["group_type"]) for event in groups] == [
        ("acme", "company"), ("acme", "company"),
    ]  # fmt: skip
    assert groups[1].properties["plan"] == "pro"

    (revenue,) = edge.letters(users["revenue"])
    assert (revenue["reason"], revenue["event"]) == ("unknown_event", "revenue_amount")
    sent = json.loads(revenue["value"])["properties"]
    assert (sent["price"], sent["quantity"], sent["product_id"]) == (9.5, 2, "p")

    assert [code for _, code in told["wrong"]] == [400]
    assert len(front.posts(mark=users["wrong"])) == 1
    assert dict(told["large"]) == {f"{users['large']}-1": 200, f"{users['large']}-2": 400}
    for name in ("away", "halved", "quota", "lost"):
        ids = [f"{users[name]}-{number}" for number in (1, 2)]
        # This SDK sends nothing again whose connection ended without an answer: what was taken must be in the journal.
        assert dict(told[name]) == dict.fromkeys(ids, 0 if name == "lost" else 200), name
        assert [event.id for event in edge.events(users[name], 2)] == ids, name
        assert len(front.posts(mark=users[name])) >= (1 if name == "lost" else 2), name
