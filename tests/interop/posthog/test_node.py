"""PostHog's Node SDK in both of its protocols: all that it may meet, each client with a user of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.ingest.answers import Refusal, unavailable
from tests.interop import node
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front
from tests.interop.posthog.faults import said

pytestmark = pytest.mark.broker
AT = 1_772_704_799_250

PROGRAM = """
import { randomUUID } from 'node:crypto';
import { PostHog } from 'posthog-node';
const [mode, url, key, users, at] = process.argv.slice(-5);
process.env.POSTHOG_CAPTURE_MODE = mode;
const names = JSON.parse(users);
const told = {};
setInterval(() => {}, 1000);  // the timers by which the SDK waits keep no process alive
async function client(what, apiKey, send, more = {}) {
  const one = new PostHog(apiKey, { host: url, flushAt: 1000, flushInterval: 3600000, fetchRetryDelay: 50, ...more });
  const errors = [];
  one.on('error', (error) => errors.push(String(error)));
  const ids = await send(one, names[what]);
  await one.shutdown();
  told[what] = { ids: ids || [], errors };
}
const start = (one, user, number, more = {}) => {
  const uuid = randomUUID();
  one.capture({ distinctId: user, event: 'Lesson Started', uuid, timestamp: new Date(Number(at) + number),
    properties: { lesson_id: `l-${number}`, ...more } });
  return uuid;
};
const two = (one, user) => [start(one, user, 1), start(one, user, 2)];
await Promise.all([
  client('good', key, (one, user) => {
    one.identify({ distinctId: user, properties: { $set: { plan: 'pro' }, $set_once: { country: 'DE' },
      $anon_distinct_id: `${user}-before` } });
    one.alias({ distinctId: user, alias: `${user}-other` });
    one.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { plan: 'gold' }, distinctId: user });
    return [start(one, user, 1)];
  }),
  client('flags', key, async (one, user) => { told.all = await one.getAllFlags(user); }),
  client('wrong', 'wk_wrong', (one, user) => [start(one, user, 1)]),
  client('large', key, (one, user) => [start(one, user, 1), start(one, user, 2, { note: 'x'.repeat(70000) })]),
  ...['away', 'quota', 'lost'].map((what) => client(what, key, two)),
]);
console.log(JSON.stringify(told));
process.exit(0);
"""


@pytest.mark.parametrize("mode", ["v0", "v1"])
def test_everything_that_may_happen(edge: Edge, front: Front, mode: str) -> None:
    """Taken events are in the journal with the right id, user, time and properties; what was not taken at first comes
    again with the id it had; an event over the limit is dropped alone, in the older protocol by halving its batch."""
    users = {name: somebody() for name in ("good", "flags", "wrong", "large", "away", "quota", "lost")}
    front.answer(503, mark=users["away"], body=said(unavailable("Kafka is away", 1)), retry_after="1")
    front.answer(429, mark=users["quota"], body=said(Refusal(429, "quota", "slowly")), retry_after="1")
    front.lose_answer(mark=users["lost"])
    done = node.installed().run(PROGRAM, mode, front.url, edge.key("sdk"), json.dumps(users), str(AT))
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    found = {event.kind: event for event in edge.events(users["good"], 4)}
    assert set(found) == {"Identified", "Aliased", "GroupJoined", "LessonStarted"}
    lesson, identified = found["LessonStarted"], found["Identified"]
    assert (lesson.id, lesson.user, lesson.ms) == (told["good"]["ids"][0], users["good"], AT + 1)
    assert lesson.properties["lesson_id"] == "l-1"
    assert (identified.user, identified.anonymous) == (users["good"], f"{users['good']}-before")
    assert (identified.properties["plan"], identified.properties["country"]) == ("pro", "DE")
    assert found["Aliased"].properties["previous_id"] == f"{users['good']}-other"
    assert (found["GroupJoined"].properties["group_id"], found["GroupJoined"].properties["plan"]) == ("acme", "gold")

    assert told["all"] == {}
    assert told["wrong"]["errors"]
    assert [seen.status for seen in front.posts(mark=users["wrong"])] == [401]
    assert [event.id for event in edge.events(users["large"])] == told["large"]["ids"][:1]
    assert told["large"]["errors"]
    for name in ("away", "quota", "lost"):
        assert [event.id for event in edge.events(users[name], 2)] == told[name]["ids"], name
        assert told[name]["errors"] == [], name
        assert len(front.posts(2, mark=users[name])) == 2, name
