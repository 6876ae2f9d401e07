"""The native adapter: what of a body is taken, what goes to Kafka, and what each refusal says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.ingest.adapters.native import NativeAdapter
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Refusal
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from tests.producers.ingest.edge import PURCHASE, SOURCE

USER = {"event": "A", "user_id": "u-1"}


def read(body: object, limits: Limits | None = None, **headers: str) -> list[RawEvent] | Refusal:
    ids = iter(range(10_000))
    adapter = NativeAdapter(limits or Limits(), mint=lambda: f"minted-{next(ids)}")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    outcome = adapter.read(Request("POST", "/v1/events", b"", names, content), SOURCE)
    return outcome if isinstance(outcome, Refusal) else list(outcome)


def taken(body: object, **headers: str) -> list[RawEvent]:
    outcome = read(body, **headers)
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def refused(body: object, limits: Limits | None = None, **headers: str) -> Refusal:
    outcome = read(body, limits, **headers)
    assert isinstance(outcome, Refusal), outcome
    return outcome


@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: [e], lambda e: {"events": [e]}, lambda e: {"events": [e], "x": 1}]
)
def test_one_event_in_every_form_of_body(wrap: Any) -> None:
    """An event alone, in an array and under `events` is the same event."""
    (event,) = taken(wrap(PURCHASE))
    assert json.loads(event.value) == {**PURCHASE, "source": "shop-backend", "event_id": "minted-0"}
    assert (event.id, event.key) == ("minted-0", "u-1")


def test_the_json_of_an_event_passes_on_as_it_came() -> None:
    """Unknown fields, the spelling of numbers and white space stay; only what the edge sets is added at the end."""
    raw = b'{ "user_id":"u-1",\n "event":"A", "properties":{"amount":59.90, "big": 12345678901234567890}, "x":[1 ,2] }'
    (event,) = taken(raw)
    assert event.value == raw[:-1] + b',"source":"shop-backend","event_id":"minted-0"}'


@pytest.mark.parametrize(
    "given", ['"source":"evil",', '"s\\u006furce":"evil",', '"source":null,', '"source":{"a":[1]},']
)
def test_the_source_is_the_keys_whatever_the_client_says(given: str) -> None:
    """A source in the event, escaped or of any type, is replaced and not repeated."""
    (event,) = taken(f'{{{given}"event":"A","user_id":"u-1"}}'.encode())
    pairs = json.loads(event.value, object_pairs_hook=list)
    assert [value for name, value in pairs if name == "source"] == ["shop-backend"]


@pytest.mark.parametrize("given", [None, ""])
def test_an_empty_event_id_is_replaced(given: str | None) -> None:
    """null and "" are no ids: one is minted, and the event carries it once."""
    (event,) = taken({**USER, "event_id": given})
    pairs = json.loads(event.value, object_pairs_hook=list)
    assert [value for name, value in pairs if name == "event_id"] == ["minted-0"]


def test_an_event_id_of_the_client_is_kept() -> None:
    """The client's own id comes back and wins over Idempotency-Key."""
    (event,) = taken({**USER, "event_id": "mine"}, idempotency_key="other")
    assert event.id == json.loads(event.value)["event_id"] == "mine"


def test_idempotency_key_names_one_event_or_each_of_many() -> None:
    """Alone the event gets the key; of many each without an id gets it with its index."""
    assert [event.id for event in taken(USER, idempotency_key="k")] == ["k"]
    assert [event.id for event in taken([USER], idempotency_key="k")] == ["k"]
    assert [event.id for event in taken([USER, {**USER, "event_id": "x"}, USER], idempotency_key="k")] == [
        "k-0",
        "x",
        "k-2",
    ]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"user_id": "u", "anonymous_id": "a"}, "u"),
        ({"user_id": "", "anonymous_id": "a"}, "a"),
        ({"user_id": None, "anonymous_id": "a"}, "a"),
        ({"user_id": "ü-\U0001f600"}, "ü-\U0001f600"),
    ],
)
def test_the_key_is_the_user_or_else_the_anonymous_id(fields: dict[str, Any], key: str) -> None:
    """Kafka orders by the user id, and by the anonymous id where there is none."""
    assert taken({"event": "A", **fields})[0].key == key


@pytest.mark.parametrize("kind", ["identify", "alias", "page", "screen", "group"])
def test_other_calls_need_no_event_name(kind: str) -> None:
    """Only track names its event."""
    assert len(taken({"type": kind, "user_id": "u"})) == 1
    assert refused({"type": "track", "user_id": "u"}).events[0].field == "event"


@pytest.mark.parametrize(
    ("event", "field", "words"),
    [
        ({"user_id": "u"}, "event", "missing"),
        ({"event": "", "user_id": "u"}, "event", "missing"),
        ({"event": "A"}, "user_id", "missing"),
        ({"event": "A", "user_id": "", "anonymous_id": ""}, "user_id", "missing"),
        ({"event": 42, "user_id": "u"}, "event", "expected a string, got int"),
        ({"event": "A", "user_id": 7}, "user_id", "expected a string, got int"),
        ({"event": "A", "user_id": "u", "event_id": 7}, "event_id", "expected a string, got int"),
        ({"event": "A", "user_id": "u", "type": "tick"}, "type", "expected one of track, identify"),
        ({"event": "A", "user_id": "u", "time": [1]}, "time", "got array"),
        ({"event": "A", "user_id": "u", "properties": [1]}, "properties", "expected an object"),
        ({"event": "A", "user_id": "u", "context": "x"}, "context", "expected an object"),
        ({"event": "A", "user_id": "u" * 513}, "user_id", "at most 512 characters"),
        ({"event": "A", "user_id": "u", "specversion": "1.0"}, "specversion", "CloudEvent"),
        (5, "", "expected object, got int"),
        (None, "", "expected object, got null"),
    ],
)
def test_a_bad_event_is_named_with_index_field_and_what_was_expected(event: object, field: str, words: str) -> None:
    """400 lists the event's index, the field and what was expected, and takes none of the request."""
    refusal = refused([USER, event])
    assert (refusal.status, refusal.error) == (400, "bad_events")
    (bad,) = refusal.events
    assert (bad.index, bad.field) == (1, field)
    assert words in bad.message


def test_every_bad_event_is_listed() -> None:
    """One request shows everything there is to mend."""
    refusal = refused([{}, USER, {"event": "A"}])
    assert [(bad.index, bad.field) for bad in refusal.events] == [(0, "event"), (0, "user_id"), (2, "user_id")]
    assert "2 of 3" in refusal.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends too early"),
        (b"{", "ends too early"),
        (b'{"event":"A",\n "user_id" "x"}', "line 2, column 12"),
        (b"[1,]", "trailing comma"),
        (b'{"event":"A","user_id":"u"} x', "trailing characters"),
        (b'{"event":"A","user_id":"u","properties":{"a":NaN}}', "byte 45"),
        (b'{"event":"A","user_id":"u","properties":{"a":"\xe9"}}', "not UTF-8 at line 1, column 47"),
        (b'{"event":"A","user_id":"\\ud800"}', "surrogate"),
        (b"event=A&user_id=u", "not JSON"),
    ],
)
def test_malformed_json_is_refused_with_its_position(body: bytes, words: str) -> None:
    """400 says where the JSON stops being JSON, also inside parts the edge does not read."""
    refusal = refused(body)
    assert (refusal.status, refusal.error) == (400, "malformed_json")
    assert words in refusal.message


@pytest.mark.parametrize("body", [b'"x"', b"5", b"null", b'{"events":5}', b'{"events":{"event":"A"}}'])
def test_json_of_another_form_is_refused(body: bytes) -> None:
    """JSON that is neither an event nor a list of events is told the forms."""
    refusal = refused(body)
    assert (refusal.status, refusal.error) == (400, "bad_body")
    assert '{"events": [ … ]}' in refusal.message


@pytest.mark.parametrize("body", [b"[]", b'{"events":[]}'])
def test_no_events_is_refused(body: bytes) -> None:
    """An empty list is a mistake of the client and not a success."""
    assert refused(body).error == "no_events"


def test_an_event_with_a_field_named_events_is_one_event() -> None:
    """`events` beside `event` is a field like any other."""
    assert len(taken({**USER, "events": [1, 2]})) == 1


def test_a_byte_order_mark_is_no_harm() -> None:
    """Some editors and clients put one before the JSON."""
    (event,) = taken(b"\xef\xbb\xbf" + json.dumps(USER).encode())
    assert json.loads(event.value)["user_id"] == "u-1"


def test_too_many_events_name_the_limit() -> None:
    """413 above the number of events, and none below."""
    limits = Limits(events=3)
    assert len(list(read([USER] * 3, limits))) == 3  # type: ignore[arg-type]
    refusal = refused([USER] * 4, limits)
    assert (refusal.status, refusal.error) == (413, "too_many_events")
    assert "limit is 3" in refusal.message


def test_a_large_event_names_the_limit_and_its_index() -> None:
    """413 for one event above its limit, with the index."""
    large = {**USER, "properties": {"note": "x" * 200}}
    refusal = refused([USER, large], Limits(event_bytes=200))
    assert (refusal.status, refusal.error) == (413, "event_too_large")
    assert [bad.index for bad in refusal.events] == [1]
    assert "limit is 200" in refusal.events[0].message


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return {**USER, "properties": value}


def test_depth_counts_from_properties() -> None:
    """16 levels pass and 17 do not, which is where the validation stage draws the line."""
    assert len(taken(nested(16))) == 1
    (bad,) = refused([USER, nested(17)]).events
    assert bad.index == 1
    assert "limit of 16 levels" in bad.message


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"events":[' + b"[" * 100_000])
def test_a_bottomless_body_is_refused(body: bytes) -> None:
    """Nesting deep enough to exhaust a parser is a refusal like any other."""
    assert refused(body).status == 400


@pytest.mark.parametrize("name", ["offerflow.ReverseReward", "offerflow.", "offerflow.Unknown"])
@pytest.mark.parametrize("kind", ["track", "identify"])
def test_requests_are_no_events(name: str, kind: str) -> None:
    """A key that sends events, which may live in an app, makes no requests; nor does a list that holds one."""
    refusal = refused([USER, {"type": kind, "event": name, "user_id": "u-1", "properties": {"reward_id": "w-1"}}])
    assert (refusal.status, refusal.error, [(bad.index, bad.field) for bad in refusal.events]) == (
        400, "bad_events", [(1, "event")],
    )  # fmt: skip
    assert "/rewards/v1/" in refusal.events[0].message
    assert len(taken({**USER, "event": "offerflow"})) == 1
