"""PostHog's events as envelopes, the answers its SDKs go by, and what they ask for before they send."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from offerflow.runtime.keys import WRITE, new_key
from producers.ingest.adapters.posthog import PostHogAdapter, PostHogV1Adapter
from producers.ingest.adapters.posthog_settings import PostHogSettings
from producers.ingest.answers import Answer, Refusal, unauthorized, unavailable
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from schemas.envelope import Envelope, decode
from tests.producers.ingest.edge import KEY, SOURCE, Edge
from tests.producers.ingest.exchange import RECEIVED, asked, envelopes, refused, said, taken

ADAPTER = PostHogAdapter(Limits())
V1 = PostHogV1Adapter(Limits())
SETTINGS = PostHogSettings(Limits())
AT = "2026-03-05T09:59:59.250000+00:00"
AT_MS = RECEIVED - 750
UUID = "243d3328-0c94-43bb-8970-dcddbe77a574"
EVENT = {"event": "Order Completed", "distinct_id": "u1", "uuid": "e-1", "timestamp": AT, "properties": {"amount": 5}}


def batch(*items: object, path: str = "/batch", **more: Any) -> Request:
    return asked(path, {"api_key": "wk_a", "batch": list(items), **more})


def one(**more: Any) -> Envelope:
    """The envelope of an event that has `more` members than EVENT."""
    (event,) = taken(ADAPTER, batch({**EVENT, **more}))
    return decode(event.value)


def test_an_event_of_a_server() -> None:
    """What PostHog knows of the device is context; properties are what the application said."""
    item = {**EVENT, "properties": {"amount": 5.0, "$lib": "posthog-node", "$os": "Linux"}, "library": "x"}
    (envelope,) = envelopes(ADAPTER, batch(item, sent_at="2026-03-05T10:00:00Z"))
    assert envelope == {
        "source": SOURCE.id, "event": "Order Completed", "user_id": "u1", "event_id": "e-1", "time": AT_MS,
        "properties": {"amount": 5.0}, "context": {"$os": "Linux"},
        "via": {"protocol": "posthog", "time": AT, "sent_at": "2026-03-05T10:00:00Z", "library": "posthog-node",
                "rest": {"library": "x"}},
    }  # fmt: skip


def test_keys_are_not_kept() -> None:
    """Browsers say the key in each event."""
    (event,) = taken(ADAPTER, asked("/e", {**EVENT, "api_key": "wk_a", "properties": {"token": "wk_a", "a": 1}}))
    assert b"wk_a" not in event.value


def test_a_clock_that_is_hours_wrong() -> None:
    """The time of sending puts it right, unless the client says that it must not."""
    late = {**EVENT, "timestamp": "2026-03-05T06:59:59.250Z"}
    assert envelopes(ADAPTER, batch(late, sent_at="2026-03-05T07:00:00Z"))[0]["time"] == AT_MS
    told = {**late, "properties": {"$ignore_sent_at": True}}
    assert envelopes(ADAPTER, batch(told, sent_at="2026-03-05T07:00:00Z"))[0]["time"] == AT_MS - 3 * 3600 * 1000


def test_a_time_said_as_an_offset() -> None:
    """Browsers say how long ago it was."""
    (envelope,) = envelopes(ADAPTER, asked("/e", {"event": "A", "distinct_id": "u", "offset": 750}))
    assert (envelope["time"], envelope["via"]["rest"]) == (AT_MS, {"offset": 750})


@pytest.mark.parametrize(
    ("distinct", "properties", "user", "anonymous"),
    [
        ("u1", {}, "u1", None),
        ("u1", {"$device_id": "d-1"}, "u1", "d-1"),
        ("d-1", {"$device_id": "d-1"}, None, "d-1"),
        ("u1", {"$is_identified": False}, None, "u1"),
        (UUID, {"$process_person_profile": False}, None, UUID),
        ("u1", {"$process_person_profile": False}, "u1", None),
        (42, {}, "42", None),
        (None, {"distinct_id": "u2"}, "u2", None),
        (None, {"$distinct_id": "u3"}, "u3", None),
        (None, {}, None, None),
    ],
)
def test_who_it_was(distinct: object, properties: dict[str, Any], user: str | None, anonymous: str | None) -> None:
    """One id stands for known and unknown people; what else the event says tells them apart."""
    envelope = one(distinct_id=distinct, properties=properties)
    assert (envelope.user_id, envelope.anonymous_id) == (user, anonymous)


def test_an_identify_links_and_sets_traits() -> None:
    """The id from before is the anonymous one; what is set once yields to what is set, and is kept."""
    said_of = {"$set": {"plan": "pro"}, "$set_once": {"plan": "free", "country": "DE"}, "$anon_distinct_id": "d-1"}
    (event,) = taken(ADAPTER, batch({**EVENT, "event": "$identify", "properties": said_of}))
    envelope = decode(event.value)
    assert (event.name, envelope.type) == ("Identified", "identify")
    assert (envelope.user_id, envelope.anonymous_id) == ("u1", "d-1")
    assert envelope.properties == {"plan": "pro", "country": "DE"}
    assert json.loads(event.value)["via"]["rest"] == {"$set_once": said_of["$set_once"]}


@pytest.mark.parametrize("name", ["$set", "$set_once"])
def test_traits_beside_the_event(name: str) -> None:
    """The Python SDK says them beside the event, which has no properties."""
    item = {"event": name, "distinct_id": "u1", "uuid": "e-1", name: {"plan": "pro"}}
    (event,) = taken(ADAPTER, batch(item))
    assert (event.name, decode(event.value).properties) == ("Identified", {"plan": "pro"})


def test_traits_within_an_event_are_an_event_before_it() -> None:
    """Its id comes from that of the event; PostHog's own names are no traits."""
    properties = {"amount": 5, "$set": {"plan": "pro"}, "$set_once": {"$initial_os": "Linux"}}
    before, event = taken(ADAPTER, batch({**EVENT, "properties": properties}))
    assert (before.id, before.name, event.id) == ("e-1.identified", "Identified", "e-1")
    assert decode(before.value).properties == {"plan": "pro"}
    assert decode(event.value).properties == {"amount": 5}
    assert len(taken(ADAPTER, batch({**EVENT, "$set_once": {"$initial_os": "Linux"}}))) == 1


@pytest.mark.parametrize(
    ("library", "user", "previous"), [("posthog-python", "new", "old"), ("web", "new", "old"), ("x", "old", "new")]
)
def test_an_alias_in_the_order_of_each_library(library: str, user: str, previous: str) -> None:
    """Some call the new id the alias and some the old one."""
    envelope = one(
        event="$create_alias", distinct_id="old", properties={"distinct_id": "old", "alias": "new", "$lib": library}
    )
    assert (envelope.type, envelope.user_id, envelope.previous_id) == ("alias", user, previous)
    assert envelope.properties == {}


def test_a_group_with_its_properties() -> None:
    """The id that SDKs make up where nobody is named is no user."""
    said_of = {"$group_type": "company", "$group_key": "acme", "$group_set": {"name": "Acme"}}
    envelope = one(event="$groupidentify", properties=said_of)
    assert (envelope.type, envelope.user_id) == ("group", "u1")
    assert envelope.properties == {"group_id": "acme", "group_type": "company", "name": "Acme"}
    nobody = one(event="$groupidentify", distinct_id="$company_acme", properties=said_of)
    assert (nobody.user_id, nobody.anonymous_id) == (None, "$company_acme")


def test_pages_and_screens_have_the_names_of_the_plan() -> None:
    """PostHog's own names stay in the context."""
    page = {"$current_url": "https://a/b?c", "$pathname": "/b", "title": "T"}
    (envelope,) = envelopes(ADAPTER, batch({**EVENT, "event": "$pageview", "properties": page}))
    assert (envelope["type"], envelope["event"]) == ("page", "$pageview")
    assert envelope["properties"] == {"title": "T", "url": "https://a/b?c", "path": "/b"}
    assert envelope["context"] == {"$current_url": "https://a/b?c", "$pathname": "/b"}
    screen = one(event="$screen", properties={"$screen_name": "Home"})
    assert (screen.type, screen.properties) == ("screen", {"name": "Home"})
    assert one(event="Application Opened", properties={"build": 7}).properties == {"build": "7"}


@pytest.mark.parametrize("path", ["/batch", "/capture", "/e", "/i/v0/e", "/i/v0/ai/batch"])
@pytest.mark.parametrize("wrap", [lambda e: {"api_key": "wk_a", "batch": [e]}, lambda e: {**e, "token": "wk_a"},
                                  lambda e: [{**e, "properties": {"token": "wk_a"}}]])  # fmt: skip
def test_every_form_of_a_body_on_every_path(path: str, wrap: Any) -> None:
    """Batches, single events and arrays of them, with the key where each has it."""
    request = asked(path, wrap(EVENT))
    assert (ADAPTER.key(request), len(taken(ADAPTER, request))) == ("wk_a", 1)


def test_bodies_as_browsers_pack_them() -> None:
    """gzip that no header speaks of, and base64 in a form."""
    plain = json.dumps({**EVENT, "api_key": "wk_a"}).encode()
    for body in (gzip.compress(plain), b"data=" + base64.b64encode(plain)):
        assert ADAPTER.key(asked("/e", body)) == "wk_a"
        assert len(taken(ADAPTER, asked("/e", body))) == 1


def v1(*items: object) -> Request:
    return asked(
        "/i/v1/analytics/events", {"created_at": AT, "batch": list(items)}, authorization="Bearer wk_a",
        posthog_sdk_info="posthog-python/7.91.1", posthog_request_timestamp="2026-03-05T10:00:00Z",
    )  # fmt: skip


def test_an_event_of_the_newer_protocol() -> None:
    """Key and library are in headers, and what has a type of its own is in options."""
    item = {**EVENT, "options": {"process_person_profile": False}, "session_id": "s", "distinct_id": UUID}
    (envelope,) = envelopes(V1, v1(item))
    assert V1.key(v1(item)) == "wk_a"
    assert envelope["anonymous_id"] == UUID
    assert envelope["context"] == {"$process_person_profile": False}
    assert envelope["via"]["library"] == "posthog-python/7.91.1"
    assert envelope["via"]["rest"] == {"session_id": "s"}


def test_the_newer_protocol_is_told_of_every_event() -> None:
    """An event over a limit is dropped by itself; of those that carry others only they are named."""
    adapter = PostHogV1Adapter(Limits(event_bytes=250))
    large = {**EVENT, "uuid": "e-2", "properties": {"note": "x" * 250}}
    events = taken(adapter, v1({**EVENT, "properties": {"$set": {"plan": "pro"}}}, large))
    assert [event.id for event in events] == ["e-1.identified", "e-1"]
    results = said(adapter.accepted(events))["results"]
    assert results["e-1"] == {"result": "ok"}
    assert results["e-2"]["result"] == "drop"
    assert "limit is 250" in results["e-2"]["details"]
    alone = adapter.read(v1(large), SOURCE)
    assert isinstance(alone, Answer)
    assert (alone.status, list(said(alone)["results"])) == (200, ["e-2"])


def test_taken_is_exactly_200() -> None:
    """Its SDKs take nothing else for success."""
    answer = ADAPTER.accepted(taken(ADAPTER, batch(EVENT)))
    assert (answer.status, said(answer)) == (200, {"status": "Ok"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"batch":[]}', b'{"batch":5}', b"[]", b'"x"', b"\xff", pytest.param(b"[" * 99_999, id="deep")]
)
def test_what_cannot_be_read_is_said_in_the_words_of_the_protocol(body: bytes) -> None:
    """`detail` is what its SDKs show."""
    refusal = refused(ADAPTER, asked("/batch", body))
    answer = said(ADAPTER.refused(refusal))
    assert (refusal.status, answer["type"], answer["detail"]) == (400, "validation_error", refusal.message)
    key = ADAPTER.key(asked("/batch", body))
    assert isinstance(key, Refusal)


def test_refusals_by_status() -> None:
    """Wrong keys and outages keep their status; outages say when to come back."""
    wrong = ADAPTER.refused(unauthorized("not known"))
    assert (wrong.status, said(wrong)["type"]) == (401, "authentication_error")
    away = V1.refused(unavailable("Kafka is away", 2))
    assert (away.status, said(away)["error_description"]) == (503, "Kafka is away")
    assert (b"retry-after", b"2") in away.headers


def test_what_is_no_event_is_left_to_validation() -> None:
    """The rest of its batch is taken with it, and the dead letter shows what came."""
    _, number = envelopes(ADAPTER, batch(EVENT, 5))
    assert number["via"] == {"protocol": "posthog", "rest": {"item": 5}}


def test_a_large_event_is_told_by_index() -> None:
    """413, at which some SDKs halve the batch until it is alone."""
    adapter = PostHogAdapter(Limits(event_bytes=200))
    answer = adapter.refused(refused(adapter, batch(EVENT, {**EVENT, "properties": {"note": "x" * 200}})))
    assert (answer.status, [event["index"] for event in said(answer)["events"]]) == (413, [1])


def test_over_http() -> None:
    """Path, slash and key, through the application; the batch path is shared with Amplitude."""
    edge = Edge()
    for path in ("/batch/", "/i/v0/e/", "/capture/"):
        assert edge.post({"api_key": KEY, "batch": [EVENT]}, path, key=None).status_code == 200
    answer = edge.post({"batch": [EVENT]}, "/i/v1/analytics/events")
    assert answer.json() == {"results": {"e-1": {"result": "ok"}}}
    assert [record.key for record in edge.publisher.records] == [b"u1"] * 4


@pytest.mark.parametrize("path", ["/flags/", "/decide/"])
def test_there_are_no_flags(path: str) -> None:
    """The SDKs of every version find what they look for, and nothing in it."""
    answer = Edge().request("POST", path, params={"v": "4"}, json={"token": KEY, "distinct_id": "u1"})
    assert answer.status_code == 200
    assert (answer.json()["flags"], answer.json()["featureFlags"], answer.json()["errorsWhileComputingFlags"]) == (
        {}, {}, False,
    )  # fmt: skip


def test_flag_definitions_are_none() -> None:
    """Servers that evaluate flags by themselves get an empty list."""
    answer = Edge().request("GET", "/flags/definitions", params={"token": KEY})
    assert (answer.status_code, answer.json()["flags"]) == (200, [])


def test_a_browser_is_told_to_record_nothing() -> None:
    """The settings come as JSON and as a script for the same key."""
    answer = Edge().request("GET", f"/array/{KEY}/config")
    assert (answer.json()["sessionRecording"], answer.json()["autocapture_opt_out"]) == (False, True)
    script = Edge().request("GET", f"/array/{KEY}/config.js")
    assert script.headers["content-type"] == "application/javascript"
    assert f'window._POSTHOG_REMOTE_CONFIG["{KEY}"] = {{ config: {{' in script.text
    assert Edge().request("GET", "/array/nothing/config.js").status_code == 401


def test_a_key_cannot_break_out_of_the_script() -> None:
    """What stands in the path is data there, whatever it holds."""
    answer = SETTINGS.read(asked('/array/a"]<script/config.js', method="GET"), SOURCE)
    assert rb'"a\"]\u003cscript"' in answer.body


def test_keys_in_other_places() -> None:
    """Wherever the key is looked for, it is not kept; nor is any text that is a key, and the rest stays."""
    key = new_key(WRITE)
    said = {"token": "wk_a", "api_key": "wk_a", "a": [key, "wk_a"], "$set": {"token": key}, "$b": {"c": key}}
    (*_, event) = taken(ADAPTER, batch({**EVENT, "properties": said, "other": {"key": key}}))
    envelope = json.loads(event.value)
    assert key.encode() not in event.value
    assert envelope["properties"] == {"a": ["(key, hidden)", "wk_a"]}
    assert envelope["context"]["$b"] == {"c": "(key, hidden)"}
    assert envelope["via"]["rest"]["other"] == {"key": "(key, hidden)"}


def test_what_is_said_of_a_request_is_not_multiplied() -> None:
    """A time of sending that is none is dropped, and the name of a library is cut."""
    items = [{**EVENT, "uuid": f"e-{number}"} for number in range(20)]
    events = taken(ADAPTER, batch(*items, sent_at="x" * 100_000))
    assert max(len(event.value) for event in events) < 1000
    request = asked("/i/v1/analytics/events", {"batch": items}, posthog_sdk_info="x" * 10_000)
    assert max(len(event.value) for event in taken(V1, request)) < 1000


def test_every_event_that_was_sent_is_told_of() -> None:
    """By its own id, however that ends, and nothing of what it carried."""
    items = [{**EVENT, "uuid": "e-1.identified"}, {**EVENT, "uuid": "e-2", "$set": {"plan": "pro"}}]
    answer = V1.accepted(taken(V1, asked("/i/v1/analytics/events", {"batch": items})))
    assert said(answer) == {"results": {"e-1.identified": {"result": "ok"}, "e-2": {"result": "ok"}}}


@pytest.mark.parametrize("first", [{"api_key": "wk_a"}, {"properties": {"token": "wk_a"}}])
def test_the_key_is_found_without_a_look_at_the_other_events(first: dict[str, Any]) -> None:
    """Whoever has no key may send anything behind the first event, and costs next to nothing."""
    for body in ([first, *[1] * 5000], {"batch": [first, *[1] * 5000]}, {"api_key": "wk_a", "batch": [1] * 5000}):
        assert ADAPTER.key(asked("/batch", body)) == "wk_a"
    for nothing in ([1, first], [[first]], b"[", b'{"batch": 7}', [{"properties": 1}]):
        assert isinstance(ADAPTER.key(asked("/batch", nothing)), Refusal)
