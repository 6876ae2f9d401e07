"""Any record there is gets exactly one outcome, the oracle's, and never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.validation.step import Emit, Skip
from schemas.codec import event_reader
from schemas.dead_letter import DeadLetter, write_dead_letter
from tests.consumers.validation.samples import (
    CHANNELS,
    NOON,
    SCHEMAS,
    SOURCES,
    TOPIC_ID,
    Raw,
    a_step,
    envelope,
    oracle_plan,
)
from tests.consumers.validation.test_step import decoded
from tests.oracle import model
from tests.oracle.judge import judge
from tests.oracle.wire import decode as decode_letter
from tests.oracle.wire import output_schemas

STEP, PLAN, LETTER = a_step(), oracle_plan(), output_schemas()[25]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6),
    st.sampled_from(["2026-03-05T10:00:00Z", "2026-03-05T10:00:00+02", "EUR", "ABC", "FAST", "\ud800", "\x00", 1e39,
        0.1]),
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_names = sorted({field["name"] for one in SCHEMAS for field in one["fields"][1:]})
fitting: dict[str, st.SearchStrategy[Any]] = {
    "order": st.text(max_size=3), "amount": st.floats(0, 1000) | st.integers(0, 1000), "code": st.sampled_from(["A",
        "a", None]),
    "email": st.text(max_size=3), "name": st.none() | st.text(max_size=3), "previous_id": st.text(max_size=3),
    "to": st.fixed_dictionaries({"city": st.text(max_size=3)}, optional={"street": scalars}),
    "at": st.integers(-(2**64), 2**64) | st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "tags": st.lists(st.none() | st.integers(-(2**64), 2**64), max_size=3),
    "scores": st.dictionaries(st.text(max_size=2), st.floats(width=32), max_size=2), "kind": st.sampled_from(["FAST",
        "x"]),
    "count": st.integers(-(2**32), 2**32), "sure": st.booleans() | st.text(max_size=2),
    "n": st.integers() | st.floats(),
    "extra": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
}  # fmt: skip
assert sorted(fitting) == _names
properties = st.fixed_dictionaries({}, optional={**fitting, "unplanned": anything}) | st.dictionaries(
    st.sampled_from([*_names, "unplanned"]), anything, max_size=5
)
times = st.one_of(
    st.just(NOON),
    st.integers(NOON - 10, NOON + 300_010),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    scalars,
)
events = st.fixed_dictionaries(
    {"event": st.sampled_from([name for one in SCHEMAS for name in one["event"]] + ["Nobody"])},
    optional={
        "user_id": st.sampled_from(["u1", "", None, "ü", "x" * 513]), "anonymous_id": st.sampled_from(["a1", "", None]),
        "event_id": st.sampled_from(["e1", "", None, "x" * 512]), "time": times,
        "source": st.sampled_from([*(source.id for source in SOURCES), "", None, "nobody"]),
        "type": st.sampled_from(["track", "identify", "alias", "page", "screen", None]), "properties": properties,
        "previous_id": st.none() | st.text(max_size=3), "context": anything,
    },
)  # fmt: skip
odd = st.dictionaries(
    st.sampled_from(["event", "user_id", "event_id", "time", "source", "type", "properties", "specversion", "x"]),
    anything,
)
headers = st.lists(
    st.tuples(st.sampled_from(["traceparent", "ce_id", "ce_type", ""]), st.none() | st.binary(max_size=3)), max_size=1
)
places = st.builds(
    lambda name, at, time, key, given: {"name": name, "at": at, "time": time, "key_": key, "headers_": given},
    st.sampled_from(sorted(CHANNELS)), st.integers(0, 2**62), st.sampled_from([NOON, 0, NOON - 300_000]),
    st.none() | st.binary(max_size=4), st.just(()) | headers,
)  # fmt: skip


@st.composite
def likely(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """An event that its channel and source may send, with fitting properties, and at most one thing changed."""
    schema = draw(st.sampled_from(SCHEMAS))
    pairs = [("raw.backend", "shop"), ("raw.own", "till"), ("raw.sdk", "web"), ("raw.sdk", "app")]
    channel, source = draw(st.sampled_from(pairs[:2] if schema["name"] == "Bought" else pairs))
    names = [field["name"] for field in schema["fields"][1:]]
    required = [field["name"] for field in schema["fields"][1:] if "default" not in field or field["name"] == "order"]
    given = draw(st.fixed_dictionaries({name: fitting[name] for name in required}, optional={
        name: fitting[name] for name in names if name not in required
    }))  # fmt: skip
    event = {"event": schema["event"][0], "user_id": "u1", "source": source, "properties": given}
    if draw(st.integers(0, 2)) == 2:
        event |= draw(events.map(lambda other: dict(list(other.items())[-1:])))
    return event, channel


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def check(record: Raw) -> None:
    """One outcome; an event can be read by fastavro, a dead letter can be written; the oracle says the same."""
    outcome = STEP(record)
    expected = judge(
        model.Record(record.topic(), TOPIC_ID, 3, record.at, record.time, record.key_, record.data,
            tuple(record.headers_)),
        PLAN, "t.",
    )  # fmt: skip
    if isinstance(outcome, DeadLetter):
        assert isinstance(expected, model.Dead), (outcome, expected)
        assert outcome.reason == expected.reason, (outcome, expected)
        assert outcome.detail
        written = write_dead_letter("t.dead-letter", record, outcome, "validation", 1)
        assert written.value is not None
        read = decode_letter(written.value[5:], LETTER, "here")
        assert (read["value"], read["key"], read["reason"]) == (record.data, record.key_, outcome.reason)
    elif isinstance(outcome, Skip):
        assert isinstance(expected, model.Dropped)
    else:
        assert isinstance(expected, model.Event), (outcome, expected)
        agree(outcome, expected)


def texts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """The kept texts of unplanned properties, numbers read: 1e16 and 1e+16 are one number."""
    return [(name, parsed(text)) for name, text in (found.get("extra") or {}).items()]


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def agree(outcome: Emit, expected: model.Event) -> None:
    assert outcome.key == expected.entity.encode()
    if "at" not in expected.properties:  # which may be a time that no datetime holds
        decoded(outcome)
    read = event_reader(next(one for one in SCHEMAS if one["name"] == expected.type), None)(outcome.value)
    meta = read.pop("meta")
    assert {**read, "extra": texts(read)} == {**expected.properties, "extra": texts(expected.properties)}
    for name in ("event_id", "user_id", "anonymous_id", "time", "received_at", "source", "origin"):
        assert meta[name] == getattr(expected, name)


@settings(deadline=None, max_examples=150)
@given(event=events | odd, place=places)
@example(event=envelope(), place={"name": "raw.backend"})
def test_any_event(event: dict[str, Any], place: dict[str, Any]) -> None:
    """JSON objects near and far from an envelope: journal record or dead letter as the oracle judges."""
    check(Raw(dumped(event), **place))


@settings(deadline=None, max_examples=300)
@given(sent=likely(), place=places)
def test_likely_events(sent: tuple[dict[str, Any], str], place: dict[str, Any]) -> None:
    """Events that are right but for one thing at most: the same bytes for the journal as the oracle would have."""
    event, channel = sent
    check(Raw(dumped(event), **{**place, "name": channel, "headers_": ()}))


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=60) | anything.map(dumped), place=places)
def test_any_bytes(data: bytes, place: dict[str, Any]) -> None:
    """Bytes of any kind and JSON of any kind."""
    check(Raw(data, **place))


@settings(deadline=None, max_examples=150)
@given(event=likely().map(lambda sent: sent[0]), at=st.integers(0, 400), byte=st.integers(0, 255), place=places)
def test_damaged_events(event: dict[str, Any], at: int, byte: int, place: dict[str, Any]) -> None:
    """One byte overwritten anywhere."""
    data = dumped(event)
    at %= len(data)
    check(Raw(data[:at] + bytes([byte]) + data[at + 1 :], **place))
