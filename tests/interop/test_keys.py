"""Keys on a running edge: what they may send, from which pages, how fast and until when, as their owners change it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.deployment import parse
from tests.interop.browser import Browser
from tests.interop.edge import Edge, somebody
from tests.waiting import until

pytestmark = pytest.mark.broker

SOURCES = "- {id: key-app, origin: sdk, system_events: {Screen Viewed: false}}\n"
PAGE = "https://shop.example"


@pytest.fixture(scope="module")
def keyed(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Edge:
    """The edge, with a source of this module's own that wants no screens."""
    workspace = tmp_path_factory.mktemp("keys")
    (workspace / "sources.yaml").write_text(SOURCES)
    edge.interop.here.apply(workspace)
    return edge


@pytest.fixture(scope="module")
def limited(keyed: Edge) -> Iterator[Mapping[str, Any]]:
    """A key with every kind of term."""
    terms = ("--events", "Lesson Started,Screen Viewed", "--origins", "https://*.example.org", "--rate", "1/h",
             "--burst", "8")  # fmt: skip
    with a_key(keyed, *terms) as made:
        yield made


def keys(edge: Edge, *arguments: str) -> Mapping[str, Any]:
    return parse(edge.interop.here.command("keys", *arguments, "--output", "json"))


@contextmanager
def a_key(edge: Edge, *terms: str) -> Iterator[Mapping[str, Any]]:
    """A key of the source, for a while: it has no more than two."""
    made = keys(edge, "create", "key-app", "--write", *terms)
    try:
        yield made
    finally:
        keys(edge, "revoke", made["id"], "--yes")


def batch(user: str, *events: str) -> bytes:
    """As a Segment client sends it."""
    items = [{"type": "track", "event": name, "userId": user, "messageId": f"{user}-{at}",
              "properties": {"lesson_id": "l-1"}} for at, name in enumerate(events)]  # fmt: skip
    return json.dumps({"batch": items}).encode()


def send(edge: Edge, key: str, body: bytes, path: str = "/v1/batch", **headers: str) -> httpx.Response:
    return httpx.post(edge.url + path, content=body, auth=(key, ""), headers=headers, timeout=30)


def known(edge: Edge, key: str, body: bytes, status: int, **headers: str) -> httpx.Response:
    """The answer, once the edge knows what was done to the key."""

    def look() -> httpx.Response | None:
        answer = send(edge, key, body, **headers)
        return answer if answer.status_code == status else None

    return until(look, f"the answer {status}", 30, edge.program.tail)


def test_terms_hold_on_a_running_edge(keyed: Edge, limited: Mapping[str, Any]) -> None:
    """An event outside the allow-list is a dead letter and the others of its batch are not; a page of another origin is
    told how it may be allowed, and then is; beyond the quota the answer is 429, with when to come again."""
    user, key = somebody(), limited["key"]
    assert known(keyed, key, batch(user, "Lesson Started", "Session Started"), 200).json() == {"success": True}
    (event,) = [one for one in keyed.raws(user, 2) if one.envelope["event"] == "Lesson Started"]
    assert "of-refused" not in event.headers
    letter = keyed.letter(f"{user}-1")
    assert letter["reason"] == "origin_forbidden"
    assert f"key {limited['id']} of source key-app may not send 'Session Started'" in letter["detail"]
    assert keyed.event(f"{user}-0").meta["source"] == "key-app"

    there = somebody()
    refused = send(keyed, key, batch(there, "Lesson Started"), origin=PAGE)
    assert refused.status_code == 403
    assert f"keys change {limited['id']} --add-origin {PAGE}" in refused.text
    assert refused.headers["access-control-allow-origin"] == PAGE
    assert keys(keyed, "change", limited["id"], "--add-origin", PAGE)["origins"][-1] == PAGE
    taken = known(keyed, key, batch(there, "Lesson Started"), 200, origin=PAGE)
    assert taken.headers["access-control-allow-origin"] == PAGE
    assert keyed.event(f"{there}-0").user == there

    many = known(keyed, key, batch(somebody(), *["Lesson Started"] * 4), 429)
    assert int(many.headers["retry-after"]) > 100
    assert keyed.program.metric("offerflow_ingest_quota_refusals_total") >= 1


def test_a_preflight_needs_no_key(keyed: Edge) -> None:
    """On every path where events go, with the headers that clients of browsers ask for."""
    asked = {"origin": PAGE, "access-control-request-method": "POST",
             "access-control-request-headers": "authorization,content-type,anonymousid"}  # fmt: skip
    for path in ("/v1/events", "/v1/batch", "/v1/t", "/2/httpapi", "/batch/", "/i/v0/e/", "/beacon/v1/batch"):
        answer = httpx.options(keyed.url + path, headers=asked, timeout=30)
        assert answer.status_code == 204, path
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
        assert "POST" in answer.headers["access-control-allow-methods"]


def test_a_real_browser_and_the_origins_of_a_key(keyed: Edge, browser: Browser) -> None:
    """Chromium lets the page read why it was refused, and once its origin is allowed delivers a request with headers of
    its own and a beacon, which comes with credentials."""
    user, beacon = somebody(), somebody()
    bodies = {"body": batch(user, "Lesson Started").decode(), "sent": batch(beacon, "Lesson Started").decode()}
    with (
        a_key(keyed, "--origins", PAGE) as made,
        browser.open("/* nothing */", url=keyed.url, key=made["key"], **bodies) as page,
    ):
        fetched = """
            const headers = { authorization: 'Basic ' + btoa(key + ':'), 'content-type': 'application/json', x: '1' };
            const answer = await fetch(url + '/v1/batch', { method: 'POST', headers, body });
            return [answer.status, await answer.text()];
        """

        def told(status: int) -> str | None:
            said = page.run(fetched)
            return said[1] if said[0] == status else None

        refused = until(lambda: told(403), "the edge to know the key", 30, keyed.program.tail)
        assert f"--add-origin {browser.origin}" in refused
        keys(keyed, "change", made["id"], "--add-origin", browser.origin)
        until(lambda: told(200), "the page to be allowed", 30, keyed.program.tail)
        assert page.run("""
            const path = '/beacon/v1/batch?writeKey=' + key;
            return navigator.sendBeacon(url + path, new Blob([sent], { type: 'application/json' }));
        """)
        assert keyed.event(f"{beacon}-0").user == beacon
    assert keyed.event(f"{user}-0").user == user


def test_a_key_is_replaced_while_senders_change_over(keyed: Edge) -> None:
    """Old and new work side by side; a second rotation without grace ends the first at once; the list tells when they
    were used."""
    old = keys(keyed, "create", "key-app", "--write", "--label", "rotated")
    first, second, third = somebody(), somebody(), somebody()
    known(keyed, old["key"], batch(first, "Lesson Started"), 200)
    new = keys(keyed, "rotate", old["id"], "--grace", "0s", "--yes")
    known(keyed, new["key"], batch(second, "Lesson Started"), 200)
    ended = known(keyed, old["key"], batch(third, "Lesson Started"), 401)
    assert "ended at" in ended.text
    assert [keyed.event(f"{user}-0").user for user in (first, second)] == [first, second]

    def used() -> bool:
        done = keyed.interop.here.command("keys", "list", "--source", "key-app", "--output", "json")
        return {one["id"]: one["last_used_at"] for one in json.loads(done.stdout)}.get(new["id"]) is not None

    until(used, "the list to tell when the new key was used", 60, keyed.program.tail)
    assert keys(keyed, "revoke", new["id"], "--yes")["source"] == "key-app"
    assert "revoked" in known(keyed, new["key"], batch(third, "Lesson Started"), 401).text


def test_a_system_event_is_dropped_for_the_source_that_switched_it_off(keyed: Edge) -> None:
    """Counted by validation under its name, and neither in the journal nor a dead letter, although what came after it
    is; another source has it."""
    user, other = somebody(), somebody()
    screen = {"type": "screen", "name": "Home", "properties": {"name": "Home"}}
    told = json.dumps({**screen, "userId": other, "messageId": f"{other}-0"}).encode()
    assert send(keyed, keyed.key("sdk"), told, "/v1/screen").status_code == 200
    assert keyed.event(f"{other}-0").kind == "ScreenViewed"
    before = dropped(keyed)
    both = {"batch": [{**screen, "userId": user, "messageId": f"{user}-screen"},
                      *json.loads(batch(user, "Lesson Started"))["batch"]]}  # fmt: skip
    with a_key(keyed) as made:
        known(keyed, made["key"], json.dumps(both).encode(), 200)
    assert [event.id for event in keyed.events(user)] == [f"{user}-0"]
    until(lambda: dropped(keyed) > before, "the dropped event to be counted", 30)


def dropped(edge: Edge) -> float:
    """How many screens validation dropped."""
    (validation,) = [one for one in edge.interop.here.programs if one.name.startswith("validation")]
    lines = httpx.get(f"{validation.url}/metrics", timeout=5).text.splitlines()
    marks = ("offerflow_events_total{", 'event="Screen Viewed"', 'outcome="dropped"')
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(mark in line for mark in marks))
