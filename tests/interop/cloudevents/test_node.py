"""The Node.js package of CloudEvents with its own HTTP transport, which sends in chunks and knows no retries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.interop.edge import Edge, somebody
from tests.interop.front import Front
from tests.interop.node import installed

pytestmark = pytest.mark.broker

SEND = """
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from 'cloudevents';
import http from 'node:http';
const { url, key, user, modes, times } = JSON.parse(process.argv[1] === '--' ? process.argv[2] : process.argv[1]);
const headers = { authorization: `Bearer ${key}` };
const made = (mode) => new CloudEvent({
  id: `${user}-${mode}`, type: 'Purchase Completed', source: '/shop', subject: user, time: '2026-03-05T10:00:00.250Z',
  tier: 'Café 100%', data: { order_id: `o-${mode}`, amount: 59.9, currency: 'EUR' },
});
const batch = (events) => new Promise((resolve, reject) => {
  const body = JSON.stringify(events);
  const sent = { method: 'POST', headers: { ...headers, 'content-type': 'application/cloudevents-batch+json' } };
  const request = http.request(url, sent, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('end', () => resolve({ body: text, headers: answer.headers }));
  });
  request.on('error', reject);
  request.write(body);
  request.end();
});
const answers = [];
for (const mode of modes) {
  const event = made(mode);
  for (let time = 0; time < (times || 1); time += 1) {
    const emit = emitterFor(httpTransport(url), { binding: HTTP, mode: Mode[mode.toUpperCase()] });
    answers.push(mode === 'batch' ? await batch([event, made('second')]) : await emit(event, { headers }));
  }
}
console.log(JSON.stringify(answers));
"""


def send(url: str, edge: Edge, user: str, *modes: str, times: int = 1) -> list[dict[str, Any]]:
    """What the transport made of each answer: it has headers and a body, and no status."""
    said = {"url": f"{url}/cloudevents", "key": edge.key(), "user": user, "modes": modes, "times": times}
    done = installed().run(SEND, json.dumps(said))
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_every_mode(edge: Edge) -> None:
    """Binary with headers in Latin-1, structured, and a batch are the events that were made."""
    user = somebody()
    answers = send(edge.url, edge, user, "binary", "structured", "batch")
    assert [json.loads(answer["body"])["accepted"] for answer in answers] == [1, 1, 2]
    events = {event.id.removeprefix(f"{user}-"): event for event in edge.events(user, 4)}
    assert set(events) == {"binary", "structured", "batch", "second"}
    for mode, event in events.items():
        assert (event.kind, event.user, event.ms) == ("PurchaseCompleted", user, 1_772_704_800_250)
        assert (event.properties["order_id"], event.properties["amount"]) == (f"o-{mode}", 59.9)
    assert {raw.envelope["via"]["rest"]["tier"] for raw in edge.raws(user, 4)} == {"Café 100%"}


def test_the_transport_sends_once(edge: Edge, front: Front) -> None:
    """In chunks, and whatever is answered, it does not try again; what a program sends again has the same id."""
    user = somebody()
    for status in (400, 413, 429, 503):
        front.answer(status, retry_after="1", body={"error": "busy"})
    answers = send(front.url, edge, user, "structured", times=5)
    assert [answer["headers"].get("retry-after") for answer in answers] == ["1"] * 4 + [None]
    assert [seen.status for seen in front.posts(5)] == [400, 413, 429, 503, 202]
    assert {seen.json["id"] for seen in front.posts(5)} == {f"{user}-structured"}
    assert {seen.headers.get("transfer-encoding") for seen in front.posts(5)} == {"chunked"}
    assert [event.id for event in edge.events(user)] == [f"{user}-structured"]
