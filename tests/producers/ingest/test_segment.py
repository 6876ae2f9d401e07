"""Segment's calls as envelopes, the answers its clients and RudderStack's need, and the settings they ask for."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from producers.ingest.adapters.segment import SegmentAdapter
from producers.ingest.answers import Answer, BadEvent, Refusal
from producers.ingest.limits import Limits
from tests.producers.ingest.edge import SOURCE
from tests.producers.ingest.exchange import RECEIVED, asked, envelopes, refused, said, taken

ADAPTER = SegmentAdapter(Limits())
AT = "2026-03-05T09:59:59.250Z"
AT_MS = RECEIVED - 750
TRACK = {
    "type": "track", "event": "Order Completed", "userId": "u-1", "anonymousId": "a-1", "messageId": "m-1",
    "timestamp": AT, "properties": {"amount": 5}, "context": {"library": {"name": "x"}},
}  # fmt: skip


def one(item: object, path: str = "/v1/batch", **more: Any) -> dict[str, Any]:
    (envelope,) = envelopes(ADAPTER, asked(path, {"batch": [item], **more}))
    return envelope


def test_a_track_call() -> None:
    """Ids, name, time, properties and context are where the envelope has them; what is left over is kept."""
    sent_at = "2026-03-05T10:00:00.000Z"
    envelope = one({**TRACK, "integrations": {"All": True}, "channel": "server"}, sentAt=sent_at, writeKey="wk_secret")
    assert envelope == {
        "source": "shop-backend", "event": "Order Completed", "type": "track", "user_id": "u-1", "anonymous_id": "a-1",
        "event_id": "m-1", "time": AT_MS, "properties": {"amount": 5}, "context": {"library": {"name": "x"}},
        "via": {"protocol": "segment", "time": AT, "sent_at": sent_at,
                "rest": {"integrations": {"All": True}, "channel": "server"}},
    }  # fmt: skip


def test_properties_are_the_bytes_that_came() -> None:
    """Spelling of numbers, order and blanks included."""
    body = b'{"batch":[{"type":"track","event":"A","userId":"u","properties":{"b": 1.50, "a":12345678901234567890 }}]}'
    (event,) = taken(ADAPTER, asked("/v1/batch", body))
    assert b'"properties":{"b": 1.50, "a":12345678901234567890 }' in event.value


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/track", "track"), ("/v1/t", "track"), ("/v1/identify", "identify"), ("/v1/i", "identify"),
        ("/v1/page", "page"), ("/v1/p", "page"), ("/v1/screen", "screen"), ("/v1/s", "screen"),
        ("/v1/group", "group"), ("/v1/g", "group"), ("/v1/alias", "alias"), ("/v1/a", "alias"),
    ],
)  # fmt: skip
def test_a_path_says_what_an_event_is_that_does_not(path: str, kind: str) -> None:
    """Single calls need no type."""
    (envelope,) = envelopes(ADAPTER, asked(path, {"userId": "u", "event": "A"}))
    assert envelope["type"] == kind


def test_the_context_of_a_batch_is_that_of_events_without_one() -> None:
    """Java's library sends it once."""
    body = {"batch": [{"type": "track", "event": "A"}, {**TRACK, "context": {"ip": "::1"}}], "context": {"app": {}}}
    assert [one["context"] for one in envelopes(ADAPTER, asked("/v1/import", body))] == [{"app": {}}, {"ip": "::1"}]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/v1/track"])
@pytest.mark.parametrize("wrap", [lambda i: {"batch": [i, i]}, lambda i: [i, i]])
def test_batches_wherever_they_come(path: str, wrap: Any) -> None:
    """As an object or as an array, on every path; the event's own type holds."""
    item = {"type": "identify", "userId": "u", "messageId": "m"}
    assert [one["type"] for one in envelopes(ADAPTER, asked(path, wrap(item)))] == ["identify", "identify"]


def test_an_identify() -> None:
    """Traits are the properties, and those that the standard plan names otherwise are there by that name too."""
    traits = {"plan": "pro", "firstName": "Ann", "lastName": "Lee", "createdAt": "2026-01-02T03:04:05Z", "x": 1}
    envelope = one({"type": "identify", "userId": 42, "messageId": "m", "traits": traits})
    assert (envelope["type"], envelope["user_id"]) == ("identify", "42")
    added = {"first_name": "Ann", "last_name": "Lee", "created_at": 1767323045000}
    assert envelope["properties"] == {**traits, **added}


@pytest.mark.parametrize("top", [{}, {"traits": {}}, {"traits": None}])
def test_traits_in_the_context_of_an_identify(top: dict[str, Any]) -> None:
    """Where RudderStack's libraries put them; the context stays what it was."""
    context = {"traits": {"plan": "pro"}, "library": {}}
    envelope = one({"type": "identify", "userId": "u", "messageId": "m", "context": context, **top})
    assert (envelope["properties"], envelope["context"]) == ({"plan": "pro"}, context)


def test_traits_of_an_identify_win_over_those_of_its_context() -> None:
    """The context may hold what was known before."""
    item = {"type": "identify", "userId": "u", "traits": {"plan": "new"}, "context": {"traits": {"plan": "old"}}}
    assert one(item)["properties"] == {"plan": "new"}


def test_a_trait_of_the_plans_name_is_left_alone() -> None:
    """And a time that cannot be read stays what it is."""
    traits = {"first_name": "A", "firstName": "B", "createdAt": "yesterday"}
    assert one({"type": "identify", "userId": "u", "traits": traits})["properties"] == traits


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_name_and_category_of_a_page_join_its_properties(kind: str) -> None:
    """Unless the properties have them, as browsers send them."""
    item = {"type": kind, "userId": "u", "name": "Home", "category": "Shop", "properties": {"path": "/", "name": "H"}}
    envelope = one(item)
    assert envelope["properties"] == {"path": "/", "name": "H", "category": "Shop"}
    assert "event" not in envelope
    assert one({"type": kind, "userId": "u", "name": "Home"})["properties"] == {"name": "Home"}
    assert "properties" not in one({"type": kind, "userId": "u"})


def test_a_group() -> None:
    """Traits are the properties, with the id of the group; traits in the context are the user's and not taken."""
    item = {"type": "group", "userId": "u", "groupId": 7, "traits": {"name": "ACME"}, "context": {"traits": {"a": 1}}}
    assert one(item)["properties"] == {"name": "ACME", "group_id": "7"}


def test_an_alias() -> None:
    """The id used before has a place of its own in the envelope."""
    envelope = one({"type": "alias", "userId": "u", "previousId": "a-9"})
    assert (envelope["type"], envelope["user_id"], envelope["previous_id"]) == ("alias", "u", "a-9")


def test_a_call_that_nobody_knows_is_an_event_of_that_name() -> None:
    """Nothing is refused for it: the plan has the event or not. RudderStack's merge is one."""
    merge = {"type": "merge", "mergeProperties": [{"type": "email", "value": "x"}], "messageId": "m"}
    (envelope,) = envelopes(ADAPTER, asked("/v1/merge", merge))
    assert (envelope["event"], envelope["type"]) == ("merge", "track")
    assert envelope["via"]["rest"] == {"type": "merge", "mergeProperties": [{"type": "email", "value": "x"}]}
    assert one({"type": "odd", "event": "A", "userId": "u"})["event"] == "A"


def test_the_time_of_an_event() -> None:
    """`timestamp` comes before `originalTimestamp`; a clock that is hours wrong is corrected, a retry is not."""
    original = "2026-03-05T09:00:00Z"
    assert one({**TRACK, "originalTimestamp": original})["time"] == AT_MS
    assert one({"type": "track", "event": "A", "originalTimestamp": AT})["time"] == AT_MS
    assert "time" not in one({"type": "track", "event": "A", "userId": "u"})
    fast = one({**TRACK, "timestamp": "2026-03-05T12:59:59Z"}, sentAt="2026-03-05T13:00:00Z")
    assert (fast["time"], fast["via"]["time"]) == (RECEIVED - 1000, "2026-03-05T12:59:59Z")
    assert one(TRACK, sentAt="2026-03-05T09:57:25Z")["time"] == AT_MS


def test_the_sending_time_of_an_event_comes_before_that_of_its_batch() -> None:
    """RudderStack stamps both; the time of the batch itself is no event's."""
    envelope = one({**TRACK, "sentAt": AT}, sentAt="2020-01-01T00:00:00Z", timestamp="2020-01-01T00:00:00Z")
    assert (envelope["time"], envelope["via"]["sent_at"]) == (AT_MS, AT)


def test_phones_that_keep_requests_for_days_are_not_taken_for_slow_clocks() -> None:
    """Their libraries stamp a request when it is written, and send it when they are online."""
    body = {"batch": [{**TRACK, "timestamp": "2026-03-03T09:00:00Z"}], "sentAt": "2026-03-03T09:00:01Z"}
    (stored,) = envelopes(ADAPTER, asked("/v1/b", body, user_agent="analytics-kotlin/1.19.2"))
    assert stored["time"] == RECEIVED - 49 * 3600 * 1000
    (moved,) = envelopes(ADAPTER, asked("/v1/b", body, user_agent="analytics-python/2.4.0"))
    assert moved["time"] == RECEIVED - 1000


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import"])
def test_events_out_of_an_archive_keep_their_times(path: str) -> None:
    """Storage destinations write when each was received: by that a clock is judged, not by when it is sent in again;
    and their `timestamp` is corrected already."""
    line = {**TRACK, "timestamp": "2023-01-01T00:00:00Z", "originalTimestamp": "2023-01-01T03:00:00Z",
            "sentAt": "2023-01-01T03:00:05Z", "receivedAt": "2023-01-01T00:00:05Z"}  # fmt: skip
    kept = one(line, path)
    assert kept["time"] == 1_672_531_200_000
    assert kept["via"]["rest"]["receivedAt"] == line["receivedAt"]
    del line["timestamp"]
    assert one(line, path)["time"] == 1_672_531_200_000
    assert one({**line, "receivedAt": "soon"}, path)["time"] == RECEIVED - 5000
    assert one({**line, "receivedAt": "2099-01-01T00:00:00Z"}, path)["time"] == RECEIVED - 5000


def test_wrong_clocks_are_corrected_wherever_libraries_send() -> None:
    """Those for Java and older phones post what happens now to `/v1/import`."""
    fast = one({**TRACK, "timestamp": "2026-03-05T12:59:59Z"}, "/v1/import", sentAt="2026-03-05T13:00:00Z")
    assert fast["time"] == RECEIVED - 1000


def test_what_no_envelope_has_goes_in_as_it_is() -> None:
    """A dead letter will say what was wrong; the other events of the batch are not lost for it."""
    items = [
        {**TRACK, "userId": {"id": 1}}, {**TRACK, "timestamp": "soon"}, {**TRACK, "properties": [1]}, "text", None, 5,
    ]  # fmt: skip
    bad = envelopes(ADAPTER, asked("/v1/batch", {"batch": items}))
    assert (bad[0]["user_id"], bad[1]["time"], bad[2]["properties"]) == ({"id": 1}, "soon", [1])
    assert [one["via"]["rest"] for one in bad[3:]] == [{"item": "text"}, {"item": None}, {"item": 5}]
    assert all(one["event_id"] for one in bad)


def test_an_event_without_an_id_gets_one_that_a_retry_gets_too() -> None:
    """From its content if that says when it happened, or is who somebody is; else each time another."""
    timed = {"type": "track", "event": "A", "userId": "u", "timestamp": AT}
    assert one(timed)["event_id"] == one({**timed, "sentAt": AT, "messageId": ""})["event_id"]
    assert one(timed)["event_id"] != one({**timed, "userId": "v"})["event_id"]
    who = {"type": "identify", "userId": "u", "messageId": None}
    assert one(who)["event_id"] == one(who)["event_id"]
    odd = one({**timed, "messageId": [5]})
    assert (odd["event_id"], odd["via"]["rest"]) == (one(timed)["event_id"], {"messageId": [5]})
    untimed = {"type": "track", "event": "A", "userId": "u"}
    assert one(untimed)["event_id"] != one(untimed)["event_id"]


def test_made_ids_tell_apart_what_differs() -> None:
    """The kind that only the path says, what a batch says for its events, and equal calls of one body."""
    body = {"userId": "u", "timestamp": AT}
    made = [envelopes(ADAPTER, asked(path, body))[0]["event_id"] for path in ("/v1/page", "/v1/screen", "/v1/group")]
    traits = [{"traits": {"plan": plan}} for plan in ("free", "pro")]
    made += [one({"type": "identify", **body}, context=context)["event_id"] for context in traits]
    twice = {"batch": [{"type": "track", "event": "A", **body}] * 2}
    ids = [[one["event_id"] for one in envelopes(ADAPTER, asked("/v1/batch", twice))] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len({*made, *ids[0]}) == 7


def test_a_return_to_old_traits_is_no_repeat() -> None:
    """Without a time the hour tells two equal calls apart; a retry comes sooner."""
    request = asked("/v1/identify", {"userId": "u", "traits": {"plan": "free"}})
    later = replace(request, received_at=request.received_at + 3_600_000)
    first, again, third = (taken(ADAPTER, one)[0].id for one in (request, request, later))
    assert first == again != third


@pytest.mark.parametrize(
    ("context", "events", "error"),
    [
        ({"a": "x" * 70_000}, 1, "event_too_large"),
        ({"a": "x" * 60_000}, 2000, "body_too_large"),
        (json.loads('{"a":' * 20 + "1" + "}" * 20), 1, "too_deep"),
    ],
)
def test_what_is_said_for_all_events_is_held_against_the_limits(context: object, events: int, error: str) -> None:
    """It is copied into each: a small request would become gigabytes."""
    body = {"batch": [{"type": "track", "event": "A"}] * events, "context": context, "sentAt": "x" * 70_000}
    assert refused(ADAPTER, asked("/v1/batch", body)).error == error
    (envelope,) = envelopes(ADAPTER, asked("/v1/batch", {**body, "batch": [TRACK], "context": {}}))
    assert "sent_at" not in envelope["via"]


def test_keys_are_never_kept() -> None:
    """Not the batch's, not an event's, not one under a name that nobody expects."""
    item = {**TRACK, "writeKey": "abc", "other": "wk_" + "1" * 49}
    (event,) = taken(ADAPTER, asked("/v1/batch", {"batch": [item], "writeKey": "abc"}))
    assert b"abc" not in event.value
    assert b"wk_" not in event.value


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("body", "query", "headers"),
    [
        ({"batch": []}, b"", {"authorization": basic("wk_1")}),
        ({"batch": []}, b"", {"authorization": "Bearer wk_1"}),
        ({"batch": [{"writeKey": 5}], "writeKey": "wk_1"}, b"", {}),
        ({"batch": [{"a": 1}, {"writeKey": "wk_1"}]}, b"", {}),
        ({"batch": [TRACK], "writeKey": "wk_1"}, b"", {"authorization": basic("")}),
        ({"event": "A", "batch": 5, "writeKey": "wk_1"}, b"", {}),
        ({"batch": []}, b"writeKey=wk_1", {}),
        (b"not json", b"writeKey=wk_1", {}),
        (b'{"batch":[{"a":NaN}],"writeKey" : "wk_1"}', b"", {}),
    ],
)
def test_the_key_is_found(body: object, query: bytes, headers: dict[str, str]) -> None:
    """Basic, Bearer, the body, an event of its batch, the query: in this order."""
    assert ADAPTER.key(asked("/v1/batch", body, query=query, **headers)) == "wk_1"


def test_no_key_says_where_it_is_expected() -> None:
    """401 in the words of this protocol."""
    refusal = ADAPTER.key(asked("/v1/batch", {"batch": [TRACK]}))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, "writeKey" in refusal.message) == (401, True)


def test_answers() -> None:
    """200 with success; errors have the code and the message that clients look for, and the indexes."""
    assert (ADAPTER.accepted([]).status, said(ADAPTER.accepted([]))) == (200, {"success": True})
    answer = ADAPTER.refused(Refusal(413, "event_too_large", "too large", [BadEvent(2, "", "big")], ((b"a", b"b"),)))
    assert (answer.status, (b"a", b"b") in answer.headers) == (413, True)
    assert said(answer) == {
        "success": False, "code": "event_too_large", "message": "too large",
        "events": [{"index": 2, "field": "", "message": "big"}],
    }  # fmt: skip


def test_an_empty_batch_is_a_success() -> None:
    """There is nothing to be sent again."""
    outcome = ADAPTER.read(asked("/v1/batch", {"batch": []}), SOURCE)
    assert isinstance(outcome, Answer)
    assert said(outcome) == {"success": True}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "malformed_json"), (b"{", 400, "malformed_json"), (b"5", 400, "bad_body"),
        (b'{"batch":{}}', 400, "bad_body"), (b'{"batch":"x"}', 400, "bad_body"), (b"[" * 100_000, 400, "too_deep"),
        (b'{"batch":[' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"]}", 400, "too_deep"),
        (b'{"batch":[' + b",".join([b"{}"] * 2001) + b"]}", 413, "too_many_events"),
        (b'{"type":"track","x":"' + b"x" * 70_000 + b'"}', 413, "event_too_large"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(body: bytes, status: int, error: str) -> None:
    """Only what is no JSON, of another form, or over a limit."""
    refusal = refused(ADAPTER, asked("/v1/batch", body))
    assert (refusal.status, refusal.error) == (status, error)


def test_half_a_surrogate_pair_and_nan_do_not_lose_a_batch() -> None:
    """JavaScript and Python write them."""
    body = b'{"batch":[{"type":"track","event":"A","userId":"u\\ud83d","properties":{"a":NaN,"b":"x\\ude00"}}]}'
    (envelope,) = envelopes(ADAPTER, asked("/v1/batch", body))
    assert (envelope["user_id"], envelope["properties"]) == ("u\ufffd", {"a": None, "b": "x\ufffd"})


@pytest.mark.parametrize(
    ("headers", "protocol"),
    [
        ({}, "http"), ({"x_forwarded_proto": "https, http"}, "https"), ({"origin": "https://shop.example"}, "https"),
        ({"origin": "https://shop.example", "x_forwarded_proto": "http"}, "http"),
    ],
)  # fmt: skip
def test_settings_of_analytics_js(headers: dict[str, str], protocol: str) -> None:
    """They lead back to this server by the address it was asked at, and to nowhere else."""
    request = asked("/v1/projects/wk_1/settings", method="GET", host="in.example:8080", **headers)
    assert ADAPTER.key(request) == "wk_1"
    outcome = ADAPTER.read(request, SOURCE)
    assert isinstance(outcome, Answer)
    ((name, settings),) = said(outcome)["integrations"].items()
    assert name == "Segment.io"
    assert (settings["apiKey"], settings["apiHost"], settings["protocol"]) == ("wk_1", "in.example:8080/v1", protocol)


def test_the_configuration_of_rudderstack() -> None:
    """Its clients start only with a source that has an id, a key, a config and destinations."""
    request = asked("/sourceConfig", method="GET", query=b"p=npm&writeKey=wk_1")
    assert ADAPTER.key(request) == "wk_1"
    outcome = ADAPTER.read(request, SOURCE)
    assert isinstance(outcome, Answer)
    source = said(outcome)["source"]
    assert (source["id"], source["enabled"], source["destinations"]) == ("shop-backend", True, [])
    assert (source["writeKey"], source["config"]["statsCollection"]["errors"]) == ("wk_1", {"enabled": False})
    assert json.loads(outcome.body)["isHosted"] is False
