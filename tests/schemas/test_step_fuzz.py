"""Any record there is gets exactly one outcome, the oracle's, and never an exception."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import fastavro
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import plain_times
from schemas.dead_letter import DeadLetter, write_dead_letter
from schemas.step import Emit, Skip
from tests.oracle import model
from tests.oracle.judge import judge
from tests.oracle.wire import decode as decode_letter
from tests.oracle.wire import output_schemas
from tests.oracle.workspace import META, with_meta
from tests.schemas.raw_samples import (
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
from tests.schemas.sloppy import Sloppy, written

STEP, PLAN, LETTER = a_step(), oracle_plan(), output_schemas()[25]
READERS = {(one["name"], one.get("version", 1)): fastavro.parse_schema(plain_times(with_meta(one))) for one in SCHEMAS}

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
fitting |= {
    "lines": st.lists(st.fixed_dictionaries({"sku": st.sampled_from(["a-1", "A"])}, optional={
        "price": st.none() | st.floats(-1, 9), "note": st.sampled_from(["Anna", "anna", 5]), "more": st.none(),
        "for": st.none() | st.fixed_dictionaries({"age": st.integers(-1, 151)}, optional={"name": st.text(max_size=2)}),
    }), max_size=3),
    "either": st.none() | st.integers(-(2**33), 2**33) | st.text(max_size=2) | st.floats(),
    "score": st.floats(width=32),
    "notes": st.dictionaries(st.text(max_size=2), st.none() | st.text(max_size=2), max_size=2),
    "plan": st.sampled_from([None, "pro", "Pro"]), "level": st.integers(2, 4), "key": st.none() | st.text(max_size=2),
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
marks = st.tuples(st.just("of-refused"), st.none() | st.sampled_from(
    [b"", b"{}", b'{"reason": "x", "detail": "y"}', b'{"reason": "x", "detail": "y", "final": true}']))  # fmt: skip
headers = st.lists(
    marks | st.tuples(st.sampled_from(["traceparent", "ce_id", "ce_type", ""]), st.none() | st.binary(max_size=3)),
    max_size=1,
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
    schema = SCHEMAS[int.from_bytes(outcome.value[1:5], "big") - 1000]
    assert (schema["name"], schema.get("version", 1)) == (expected.type, expected.version)
    stream = io.BytesIO(outcome.value[5:])
    read: Any = fastavro.schemaless_reader(stream, READERS[schema["name"], schema.get("version", 1)], None)
    assert stream.read() == b""
    meta = read.pop("meta")
    assert {**read, "extra": texts(read)} == {**expected.properties, "extra": texts(expected.properties)}
    for name in ("event_id", "user_id", "anonymous_id", "time", "received_at", "source", "origin", "lateness"):
        assert meta[name] == getattr(expected, name)


@settings(deadline=None, max_examples=100)
@given(event=events | odd, place=places)
@example(event=envelope(), place={"name": "raw.backend"})
def test_any_event(event: dict[str, Any], place: dict[str, Any]) -> None:
    """JSON objects near and far from an envelope: journal record or dead letter as the oracle judges."""
    check(Raw(dumped(event), **place))


@settings(deadline=None, max_examples=200)
@given(sent=likely(), place=places)
def test_likely_events(sent: tuple[dict[str, Any], str], place: dict[str, Any]) -> None:
    """Events that are right but for one thing at most: the same bytes for the journal as the oracle would have."""
    event, channel = sent
    check(Raw(dumped(event), **{**place, "name": channel, "headers_": ()}))


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=60) | anything.map(dumped), place=places)
def test_any_bytes(data: bytes, place: dict[str, Any]) -> None:
    """Bytes of any kind and JSON of any kind."""
    check(Raw(data, **place))


@settings(deadline=None, max_examples=100)
@given(event=likely().map(lambda sent: sent[0]), at=st.integers(0, 400), byte=st.integers(0, 255), place=places)
def test_damaged_events(event: dict[str, Any], at: int, byte: int, place: dict[str, Any]) -> None:
    """One byte overwritten anywhere."""
    data = dumped(event)
    at %= len(data)
    check(Raw(data[:at] + bytes([byte]) + data[at + 1 :], **place))


@st.composite
def framed(draw: st.DrawFn) -> tuple[bytes, str]:
    """An event record that some writer might make, and the channel it goes to."""
    at = draw(st.integers(0, len(SCHEMAS) - 1))
    sloppy = Sloppy(draw)
    meta = draw(st.fixed_dictionaries({
        "event_id": st.sampled_from(["e1", "", "x" * 512, "ü" * 100]), "received_at": st.integers(-(2**63), 2**63 - 1),
        "user_id": st.sampled_from([(1, "u1"), (1, "u1"), (1, ""), (0, None), (1, "ü"), (1, "x" * 513)]),
        "anonymous_id": st.sampled_from([(0, None), (1, "a1"), (1, "")]),
        "time": st.sampled_from([NOON, NOON, NOON + 300_001, 5, -1, -(2**61)]),
        "source": st.sampled_from([*(source.id for source in SOURCES), "", "nobody"]), "content_hash": st.just(-1),
        "origin": st.sampled_from(["sdk", "integration"]), "lateness": st.sampled_from(["normal", "ignore"]),
    }))  # fmt: skip
    properties = draw(st.fixed_dictionaries({f["name"]: written(f["type"]) for f in SCHEMAS[at]["fields"][1:]}))
    data = sloppy.write({**SCHEMAS[at], "fields": SCHEMAS[at]["fields"][1:]}, properties)
    channel = "raw.backend" if draw(st.booleans()) else draw(st.sampled_from(["raw.own", "raw.sdk"]))
    return b"\0" + (1000 + at).to_bytes(4, "big") + sloppy.write(META_SCHEMA, meta) + data, channel


META_SCHEMA = json.loads(META.read_text())


@settings(deadline=None, max_examples=120)
@given(sent=framed(), place=places)
def test_framed_events(sent: tuple[bytes, str], place: dict[str, Any]) -> None:
    """Avro of every kind that decodes: what the journal carries and the verdict are the oracle's."""
    check(Raw(sent[0], **{**place, "name": sent[1]}))


@settings(deadline=None, max_examples=120)
@given(sent=framed(), at=st.integers(0, 200), bit=st.integers(0, 7), cut=st.integers(0, 3), place=places)
def test_damaged_avro(sent: tuple[bytes, str], at: int, bit: int, cut: int, place: dict[str, Any]) -> None:
    """A bit turned over anywhere, and some bytes off the end or behind it."""
    data = bytearray(sent[0])
    data[at % len(data)] ^= 1 << bit
    check(Raw({0: bytes(data[:-1]), 1: bytes(data) + b"\0"}.get(cut, bytes(data)), **{**place, "name": sent[1]}))


attributes = st.fixed_dictionaries({}, optional={
    "specversion": st.sampled_from(["1.0", "1.0", "0.3", "", 1]), "id": st.sampled_from(["e1", "e1", "", "x" * 513, 5]),
    "source": st.sampled_from(["shop", "/a/uri", "till", ""]), "subject": st.sampled_from(["u1", "", "x" * 513, None]),
    "type": st.sampled_from(["Bought", "Ordered", "track", "Nobody", ""]), "userid": st.sampled_from(["u2", "", 5]),
    "anonymousid": st.sampled_from(["a1", ""]), "time": times, "traceparent": anything,
    "datacontenttype": st.sampled_from(["application/json; charset=utf-8", "text/json", "a/b+json", "text/xml", ""]),
})  # fmt: skip
needed = {"specversion": "1.0", "id": "e1", "source": "shop", "type": "Bought", "subject": "u1"}
data = st.just({"order": "o", "amount": 1}) | properties | anything | st.none()


@settings(deadline=None, max_examples=80)
@given(said=attributes, content=data, packed=st.integers(0, 5), whole=st.booleans(), place=places)
def test_structured_cloudevents(said: Any, content: Any, packed: int, whole: bool, place: dict[str, Any]) -> None:
    """Attributes right and wrong, data plain, packed or both, with and without the content type."""
    event = {**(needed if whole else {}), **said}
    if packed != 1:
        event["data"] = content
    if packed < 2:
        event["data_base64"] = base64.b64encode(dumped(content)).decode()[packed:]
    check(Raw(dumped(event), **place))
    check(
        Raw(dumped(event), **{**place, "headers_": [("Content-Type", b"application/cloudevents+json; charset=UTF-8")]})
    )


@settings(deadline=None, max_examples=80)
@given(said=attributes, content=data, whole=st.booleans(), more=headers, raw=st.booleans(), place=places)
def test_binary_cloudevents(
    said: dict[str, Any], content: Any, whole: bool, more: Any, raw: bool, place: dict[str, Any]
) -> None:
    """Attributes as headers, some of them no text, some there twice."""
    event = {**(needed if whole else {}), **{name: value for name, value in said.items() if isinstance(value, str)}}
    media = event.pop("datacontenttype", "application/json")
    given = [(f"ce_{name}", value.encode("utf-8", "surrogatepass")) for name, value in event.items()]
    given += [("content-type", media.encode()), *more]
    check(Raw(b"\xff" if raw and more else dumped(content), **{**place, "headers_": given}))


numbers = st.sampled_from([b"5", b"0", b"", b"-1", b"1e3", b"x", None, str(NOON).encode()])


@settings(deadline=None, max_examples=120)
@given(sent=framed() | likely().map(lambda one: (dumped(one[0]), one[1])),
    topic=st.sampled_from(["raw.own", "raw.gone", "journal"]), own=st.booleans(), place=places,
    odd=st.dictionaries(st.sampled_from(["partition", "offset", "timestamp", "topic"]), numbers, max_size=1),
)  # fmt: skip
def test_replays(
    sent: tuple[bytes, str], topic: str, own: bool, odd: dict[str, bytes | None], place: dict[str, Any]
) -> None:
    """Records of every form sent again, from where they were first or from the journal, with a header that is odd."""
    origin = {"topic": b"t." + (sent[1] if own else topic).encode(), "partition": b"2", "offset": b"9"}
    origin |= {"timestamp": str(NOON - 5).encode(), "received-at": str(NOON).encode()}
    if topic == "journal" and not own and sent[0][0]:
        return  # The journal has no JSON.
    said = [*place["headers_"], *((f"of-origin-{name}", value) for name, value in {**origin, **odd}.items())]
    check(Raw(sent[0], **{**place, "name": "raw.replay", "headers_": said}))
