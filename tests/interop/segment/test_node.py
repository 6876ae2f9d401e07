"""Segment's library for Node.js as people have it, pointed at the edge by its `host`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.interop import node
from tests.interop.calls import AT, AT_MS, GROUP, PAGE, PURCHASE, TRAITS, Person, Troubles, check_calls
from tests.interop.edge import Edge
from tests.interop.front import Front

pytestmark = pytest.mark.broker

CALLS = """
import { Analytics } from '@segment/analytics-node';
const [host, writeKey, given] = process.argv.slice(-3);
const { user, anonymous, old, group, at, purchase, traits, page, about } = JSON.parse(given);
const analytics = new Analytics({ writeKey, host, flushInterval: 50 });
const errors = [];
analytics.on('error', (error) => errors.push(String(error.reason ?? error)));
const sent = await new Promise((done) => {
  analytics.track({ userId: user, event: 'Purchase Completed', properties: purchase, timestamp: at },
                  (error, context) => done(context.event.messageId));
  analytics.identify({ userId: user, anonymousId: anonymous, traits });
  analytics.page({ userId: user, category: 'Docs', name: 'Intro', properties: page });
  analytics.screen({ userId: user, name: 'Start' });
  analytics.group({ userId: user, groupId: group, traits: about });
  analytics.alias({ userId: user, previousId: old });
});
await analytics.closeAndFlush();
console.log(JSON.stringify({ sent, errors }));
"""

TROUBLES = """
import { Analytics } from '@segment/analytics-node';
const [host, writeKey, given] = process.argv.slice(-3);
const { people, purchase } = JSON.parse(given);
const failed = [];
await Promise.all(people.map(async (user) => {
  const analytics = new Analytics({ writeKey, host, flushInterval: 20 });
  analytics.on('error', (error) => failed.push([user, String(error.reason?.message ?? error.reason)]));
  analytics.track({ userId: user, event: 'Purchase Completed', properties: purchase });
  await analytics.closeAndFlush({ timeout: 40000 });
}));
console.log(JSON.stringify(failed));
"""


def run(script: str, url: str, edge: Edge, **given: Any) -> Any:
    done = node.installed().run(script, url, edge.key("backend"), json.dumps(given), seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_call(edge: Edge) -> None:
    """Each is in the journal with the id that the library gave it."""
    person = Person()
    told = run(
        CALLS, edge.url, edge, user=person.user, anonymous=person.anonymous, old=person.old, group=person.group, at=AT,
        purchase=PURCHASE, traits=TRAITS, page=PAGE, about=GROUP,
    )  # fmt: skip
    found = check_calls(edge, person)
    assert told["errors"] == []
    assert (found["PurchaseCompleted"].id, found["PurchaseCompleted"].ms) == (told["sent"], AT_MS)
    assert found["Identified"].anonymous == person.anonymous


def test_troubles_on_the_way(edge: Edge, front: Front) -> None:
    """503, 429 and a lost answer are tried again with the same ids; 400 and 413 drop the batch and are reported."""
    troubles = Troubles(front)
    failed = run(TROUBLES, front.url, edge, people=troubles.people, purchase=PURCHASE)
    troubles.check(edge)
    assert sorted(user for user, _ in failed) == sorted(troubles.dropped)
