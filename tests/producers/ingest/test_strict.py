"""`?validate=strict`: events are judged before any of the request is taken, by the step that validation has."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.catalog.view import Catalog
from producers.ingest.adapters.native import NativeAdapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source, Terms
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from producers.ingest.strict import Strict
from tests.producers.ingest.edge import SOURCE

NOW = 1_700_000_000_000
PAID = {
    "type": "record", "namespace": "events", "name": "Paid", "version": 1, "event": ["Paid"], "origins": ["backend"],
    "fields": [
        {"name": "meta", "type": "events.Meta"},
        {"name": "amount", "type": "double", "minimum": 0},
        {"name": "email", "type": ["null", "string"], "default": None, "pii": True},
    ],
}  # fmt: skip
OPENED = {
    "type": "record", "namespace": "events", "name": "Opened", "version": 1, "event": ["Opened"], "system": True,
    "fields": [{"name": "meta", "type": "events.Meta"}],
}  # fmt: skip
GOOD = {"event": "Paid", "user_id": "u-1", "event_id": "e-1", "properties": {"amount": 5}}


def catalog(**source: object) -> Catalog:
    return Catalog({
        "head": {"definitions": ["event/Paid@1", "event/Opened@1"], "serial": 1},
        "event/Paid@1": {"schema": PAID, "schema_id": 1000},
        "event/Opened@1": {"schema": OPENED, "schema_id": 1001},
        f"source/{SOURCE.id}": {"id": SOURCE.id, "origin": SOURCE.origin, **source},
    })  # fmt: skip


def judged(
    events: object, known: Catalog, query: bytes = b"validate=strict", source: Source = SOURCE, path: str = "/v1/events"
) -> Answer | Refusal | None:
    request = Request("POST", path, query, {}, json.dumps(events).encode(), NOW)
    read = NativeAdapter(Limits()).read(request, source)
    assert isinstance(read, list)
    strict = Strict()
    strict.replace(known)
    found = asyncio.run(strict.judged(request, source, read))
    if isinstance(found, Answer | Refusal):
        return found
    assert [event._replace(stripped=()) for event in found] == read
    return None


def verdicts(answer: Answer | Refusal | None) -> list[dict[str, Any]]:
    assert isinstance(answer, Answer)
    assert answer.status == 422
    told = json.loads(answer.body)
    assert told["error"] == "not_valid"
    return list(told["events"])


def test_good_events_are_let_through() -> None:
    """Nothing is answered for events that validation would take."""
    assert judged([GOOD, {**GOOD, "time": NOW}], catalog()) is None


@pytest.mark.parametrize("query", [b"", b"other=1"])
def test_only_who_asks_is_judged(query: bytes) -> None:
    """Without the parameter an event of no plan goes on to be judged later."""
    assert judged({**GOOD, "event": "Pade"}, catalog(), query) is None


def test_a_route_that_does_not_judge_says_so() -> None:
    """Who asks for a verdict where there is none is told, and nothing is taken; other values may mean something to the
    clients of that protocol."""
    refusal = judged(GOOD, catalog(), path="/v1/batch")
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error) == (400, "bad_query")
    assert "only /v1/events and /v1/events/import know validate=strict" in refusal.message
    assert judged(GOOD, catalog(), b"validate=1", path="/v1/batch") is None


@pytest.mark.parametrize("query", [b"validate=", b"validate=loose", b"validate=strict&validate=strict"])
def test_another_value_is_refused(query: bytes) -> None:
    """A mistyped value does not silently mean that nothing is judged."""
    refusal = judged(GOOD, catalog(), query)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error, refusal.count) == (400, "bad_query", 1)
    assert "validate=strict" in refusal.message


def test_one_bad_event_and_none_is_taken() -> None:
    """Every event gets its verdict, the bad ones with the reason, the field, what was expected and what came."""
    first, second, third, fourth = verdicts(
        judged(
            [GOOD, {**GOOD, "event": "Piad"}, {**GOOD, "properties": {"amount": "5"}},
             {**GOOD, "properties": {"amount": -1}}],
            catalog(),
        )
    )  # fmt: skip
    assert first == {"index": 0, "id": "e-1", "verdict": "valid", "event": "Paid"}
    assert (second["verdict"], second["reason"]) == ("dead", "unknown_event")
    assert "did you mean 'Paid'?" in second["message"]
    assert (third["reason"], third["field"], third["got"]) == ("schema_violation", "amount", 'string "5"')
    assert (fourth["index"], fourth["reason"], fourth["field"]) == (3, "rule_of_plan_violation", "amount")


def test_what_is_left_out_is_told_of_each_event() -> None:
    """By name, whether all are taken or none, and of nothing but events that go on without it."""
    more = {**GOOD, "event_id": "e-2", "properties": {"amount": 5, "colour": "red", "bulk": [1]}}
    request = Request("POST", "/v1/events", b"validate=strict", {}, json.dumps([GOOD, more]).encode(), NOW)
    adapter, strict = NativeAdapter(Limits()), Strict()
    strict.replace(catalog())
    read = adapter.read(request, SOURCE)
    assert isinstance(read, list)
    taken = asyncio.run(strict.judged(request, SOURCE, read))
    assert isinstance(taken, list)
    assert json.loads(adapter.accepted(taken).body) == {
        "accepted": 2, "ids": ["e-1", "e-2"],
        "stripped": [{"index": 1, "id": "e-2", "properties": ["bulk", "colour"]}],
    }  # fmt: skip
    told = verdicts(judged([GOOD, more, {**more, "properties": {"amount": "x", "colour": "red"}}], catalog()))
    assert [verdict.get("stripped") for verdict in told] == [None, ["bulk", "colour"], None]


def test_personal_data_is_not_told() -> None:
    """What is wrong with a pii field is told without its value."""
    (verdict,) = verdicts(judged({**GOOD, "properties": {"amount": 1, "email": 4711}}, catalog()))
    assert verdict["field"] == "email"
    assert "4711" not in json.dumps(verdict)


def test_a_time_to_come_is_dead() -> None:
    """Clock skew counts from when the request came."""
    (verdict,) = verdicts(judged({**GOOD, "time": NOW + 3_600_000}, catalog()))
    assert verdict["reason"] == "clock_skew"
    assert judged({**GOOD, "time": NOW + 200_000}, catalog()) is None


def test_what_is_switched_off_is_told_beside_what_is_dead() -> None:
    """A system event that the source does not track is dropped, which is no reason to refuse."""
    opened = {"event": "Opened", "user_id": "u-1", "event_id": "o-1"}
    off = catalog(system_events={"Opened": False})
    assert judged(opened, off) is None
    told = verdicts(judged([opened, {**GOOD, "event": "Piad"}], off))
    assert [verdict["verdict"] for verdict in told] == ["dropped", "dead"]


def test_what_the_key_may_not_send_is_dead() -> None:
    """The allow-list of the key counts as it will for validation."""
    narrow = SOURCE._replace(terms=Terms("k-1", frozenset(["Opened"])))
    (verdict,) = verdicts(judged(GOOD, catalog(), source=narrow))
    assert verdict["reason"] == "origin_forbidden"
    assert "'Paid'" in verdict["message"]


def test_imports_can_be_judged_too() -> None:
    """The parameter means the same for past events."""
    (verdict,) = verdicts(judged({**GOOD, "event": "Piad"}, catalog(), path="/v1/events/import"))
    assert verdict["reason"] == "unknown_event"


def test_a_new_plan_counts_at_once() -> None:
    """What was applied since is known to the next request."""
    strict = Strict()
    request = Request("POST", "/v1/events", b"validate=strict", {}, json.dumps(GOOD).encode(), NOW)
    events = NativeAdapter(Limits()).read(request, SOURCE)
    assert isinstance(events, list)

    async def both() -> tuple[object, object]:
        before = await strict.judged(request, SOURCE, events)
        strict.replace(catalog())
        return before, await strict.judged(request, SOURCE, events)

    before, after = asyncio.run(both())
    assert isinstance(before, Answer)
    assert verdicts(before)[0]["reason"] == "unknown_source"
    assert after == events


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6,
)  # fmt: skip


@settings(max_examples=60)
@given(
    st.sampled_from(["Paid", "Opened", "Piad", "offerflow.X", ""]), st.dictionaries(st.text(max_size=8), _JSON),
    st.one_of(st.just(b"validate=strict"), st.binary(max_size=40)), _JSON,
)  # fmt: skip
def test_nothing_that_is_asked_raises(name: str, properties: dict[str, Any], query: bytes, time: Any) -> None:
    """Whatever the query and the event hold, there is a verdict, a precise refusal, or the event goes on."""
    event = {"event": name, "user_id": "u", "properties": {"amount": 1, **properties}, "time": time}
    request = Request("POST", "/v1/events", query, {}, json.dumps(event).encode(), NOW)
    read = NativeAdapter(Limits()).read(request, SOURCE)
    if isinstance(read, Refusal):
        assert read.status == 400
        return
    strict = Strict()
    strict.replace(catalog())
    answer = asyncio.run(strict.judged(request, SOURCE, read))
    if isinstance(answer, Answer | Refusal):
        assert answer.status in (400, 422)
    else:
        assert [event._replace(stripped=()) for event in answer] == read
