"""One raw record, one outcome: every reason in its order, by hand."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from offerflow.rules.ids import make_id
from offerflow.runtime.errors import DependencyDown
from schemas.codec import event_reader, plain_times
from schemas.dead_letter import DeadLetter
from schemas.step import Emit, Skip, Step
from tests.oracle.workspace import with_meta
from tests.schemas.raw_samples import NOON, SCHEMAS, TOPIC_ID, Raw, a_step, envelope, raw


@pytest.fixture
def step() -> Step:
    return a_step()


def decoded(outcome: Any) -> dict[str, Any]:
    """The journal value as an outsider reads it: wire format, then fastavro with the schema as it was written."""
    assert isinstance(outcome, Emit), outcome
    assert outcome.value[0] == 0
    schema = SCHEMAS[int.from_bytes(outcome.value[1:5], "big") - 1000]
    stream = io.BytesIO(outcome.value[5:])
    found = fastavro.schemaless_reader(stream, fastavro.parse_schema(with_meta(schema)), None)
    assert stream.read() == b""
    return dict(found)  # type: ignore[arg-type]


def test_a_good_event(step: Step) -> None:
    """Its entity as key, its display name, and every field of meta as the contract says."""
    outcome = step(raw(envelope(event="Ordered", anonymous_id="a1")))
    assert isinstance(outcome, Emit)
    assert (outcome.key, outcome.event) == (b"u:u1", "Bought")
    read = event_reader(SCHEMAS[0], None)(outcome.value)
    meta = read.pop("meta")
    assert read == {"order": "o-1", "amount": 10.0, "code": None, "email": None}
    content = meta.pop("content_hash")
    assert isinstance(content, int)
    assert meta == {
        "event_id": "e1", "user_id": "u1", "anonymous_id": "a1", "time": NOON, "received_at": NOON, "source": "shop",
        "origin": "backend", "lateness": "normal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"user_id": None, "anonymous_id": "c"}, (b"a:c", None, "c")), ({"user_id": "", "anonymous_id": "c"}, (b"a:c",
         None, "c")),
        ({"anonymous_id": ""}, (b"u:u1", "u1", None)), ({"user_id": "ü"}, ("u:ü".encode(), "ü", None)),
        ({"user_id": "x" * 512}, (b"u:" + b"x" * 512, "x" * 512, None)),
    ],
)  # fmt: skip
def test_identity(step: Step, more: dict[str, Any], expected: tuple[bytes, str | None, str | None]) -> None:
    """The user id, else the anonymous id; empty texts are missing; the Kafka key is nobody."""
    outcome = step(raw(envelope(**more)))
    meta = decoded(outcome)["meta"]
    assert isinstance(outcome, Emit)
    assert (outcome.key, meta["user_id"], meta["anonymous_id"]) == expected


def test_defaults(step: Step) -> None:
    """Without time, id and source: append time, a hash of where the record lies, the channel's only source."""
    bare = {"event": "Bought", "user_id": "u1", "properties": {"order": "o", "amount": 1}}
    outcome = step(raw(bare, at=99))
    assert isinstance(outcome, Emit)
    meta = event_reader(SCHEMAS[0], ())(outcome.value)["meta"]
    assert (meta["time"], meta["event_id"], meta["source"]) == (NOON, make_id(TOPIC_ID, "3", "99"), "shop")
    again = step(raw({**bare, "event_id": "", "source": "", "time": None, "type": None}, at=99))
    assert again == outcome


@pytest.mark.parametrize(("time", "expected"), [
    (5, 5), (-5, -5), ("1970-01-01T00:00:00.0059Z", 5), (NOON + 300_000, NOON + 300_000), (-62135596800000,
     -62135596800000),
])  # fmt: skip
def test_times(step: Step, time: Any, expected: int) -> None:
    """Milliseconds or RFC 3339, of any age and up to five minutes ahead of the append time."""
    outcome = step(raw(envelope(time=time)))
    assert isinstance(outcome, Emit)
    assert event_reader(SCHEMAS[0], ())(outcome.value)["meta"]["time"] == expected


@pytest.mark.parametrize(
    ("kind", "properties", "more", "event"),
    [
        ("identify", {"plan": "pro"}, {}, "Identified"), ("screen", {"name": "Home"}, {"source": "web"},
         "Screen Viewed"),
        ("alias", {}, {"previous_id": "old"}, "Aliased"), ("alias", {"previous_id": "old"}, {}, "Aliased"),
        ("track", {"n": 5}, {"event": "Strict"}, "Strict"),
    ],
)  # fmt: skip
def test_types(step: Step, kind: str, properties: dict[str, Any], more: dict[str, Any], event: str) -> None:
    """Types other than track become planned events, whatever ``event`` says; alias brings its previous id."""
    given = envelope(type=kind, properties=properties, **{"event": "Nonsense", **more})
    outcome = step(raw(given, "raw.sdk" if more.get("source") == "web" else "raw.backend"))
    assert isinstance(outcome, Emit)
    assert outcome.event == event
    assert "old" not in str(properties | more) or decoded(outcome)["previous_id"] == "old"


def test_system_events_switched_off_are_skipped(step: Step) -> None:
    """For the source that switched them off, before anything of the event is judged; others send them."""
    screen = {"event": "Screen Viewed", "user_id": "u1", "source": "app", "properties": {"name": 5}}
    assert step(raw(screen, "raw.sdk")) == Skip("Screen Viewed", "app")
    assert isinstance(step(raw({**screen, "source": "web", "properties": {}}, "raw.sdk")), Emit)


DEEP = {"a": 1}
for _ in range(16):
    DEEP = {"a": DEEP}  # type: ignore[dict-item]

DEAD: list[tuple[Raw, str, list[str]]] = [
    (Raw(b" " * (1024 * 1024 + 1)), "too_large", ["1048577 bytes", "at most 1048576"]),
    (Raw(None), "undecodable", ["empty value"]),
    (Raw(b""), "undecodable", ["empty value"]),
    (Raw(b"\x00\x00\x00\x03\xe8abc"), "undecodable", ["not a 'Bought' of schema id 1000", "meta.event_id"]),
    (Raw(b"\x00\x00\x00\x03"), "undecodable", ["a schema id of 4 bytes, got 4 bytes"]),
    (Raw(b"\x00\x00\x00\x07\xd0abc"), "unknown_schema", ["no event schema has the id 2000"]),
    (Raw(b"\x00\xff\xff\xff\xffabc"), "unknown_schema", ["no event schema has the id 4294967295"]),
    (Raw(b"{"), "undecodable", ["not JSON"]),
    (Raw(b"\xff\xfe{}"), "undecodable", ["not JSON"]),
    (Raw(b'{"event": NaN}'), "undecodable", ["not JSON"]),
    (Raw(b'{"event": "Bought"} x'), "undecodable", ["not JSON"]),
    (Raw(b"[" * 100_000), "undecodable", []),
    (Raw(b'{"context": ' + b"[" * 100_000), "undecodable", ["not JSON"]),
    (raw([envelope()]), "undecodable", ["object"]),
    (raw("Bought"), "undecodable", ["object"]),
    (raw(envelope(event=5)), "undecodable", ["$.event"]),
    (raw(envelope(event=None)), "undecodable", ["the event's name"]),
    (raw(envelope(event="")), "undecodable", ["the event's name"]),
    (raw(envelope(user_id=5)), "undecodable", ["$.user_id"]),
    (raw(envelope(properties=[])), "undecodable", ["$.properties"]),
    (raw(envelope(type="purchase")), "undecodable", ["$.type"]),
    (raw(envelope(time="yesterday")), "undecodable", ["RFC 3339", "yesterday"]),
    (raw(envelope(time=1.5)), "undecodable", ["$.time"]),
    (raw(envelope(time=True)), "undecodable", ["$.time"]),
    (raw(envelope(time=2**63)), "undecodable", ["time"]),
    (raw(envelope(event_id="x" * 513)), "undecodable", ["event_id: expected at most 512 characters, got 513"]),
    (raw(envelope(user_id="x" * 513)), "undecodable", ["user_id: expected at most 512 characters, got 513"]),
    (raw(envelope(anonymous_id="x" * 513)), "undecodable", ["anonymous_id: expected at most 512 characters, got 513"]),
    (raw(envelope(properties=DEEP)), "undecodable", ["deeper than 16"]),
    (raw(envelope(specversion="1.0", time=None)), "undecodable", ["not a CloudEvent: id: expected a string, got"]),
    (raw(envelope(specversion="1.0")), "undecodable", ["not a CloudEvent: Expected `str | null`, got `int`", "$.time"]),
    (raw(headers_=[("ce_id", b"1")]), "undecodable", ["not a CloudEvent: specversion: expected a string, got nothing"]),
    (raw(envelope(source="shopp")), "unknown_source", ["'shopp'", "did you mean 'shop'"]),
    (raw(envelope(source=None), "raw.own"), "unknown_source", ["raw.own has not exactly one"]),
    (raw(envelope(source=None), "raw.integration"), "unknown_source", ["names no source"]),
    (raw(envelope(event="bought")), "unknown_event", ["'bought'", "did you mean 'Bought'"]),
    (raw(envelope(type="group")), "unknown_event", ["Group Joined"]),
    (raw(envelope(source="web")), "origin_forbidden", ["'web' has the origin sdk", "for backend; send it to raw.sdk"]),
    (raw(envelope(source="web"), "raw.sdk"), "origin_forbidden", ["expected from backend", "got it from sdk"]),
    (raw(envelope(user_id=None)), "missing_user", ["neither"]),
    (raw(envelope(user_id="", anonymous_id="")), "missing_user", ["neither"]),
    (
        raw(envelope(time=NOON + 300_001)),
        "clock_skew",
        ["at most 5 minutes after 2026-09-21T14:13:20.000Z", "got 2026-09-21T14:18:20.001Z"],
    ),
    (
        raw(envelope(time="9999-12-31T23:59:59Z")),
        "clock_skew",
        ["when the record was received", "got 9999-12-31T23:59:59.000Z"],
    ),
    (raw(envelope(properties=None)), "schema_violation", ["amount", "required"]),
    (raw(envelope(properties={"order": "o", "amount": "10"})), "schema_violation", ['string "10"']),
    (raw(envelope(event="Strict", properties={"n": 1, "m": 1})), "schema_violation", ["unplanned"]),
    (raw(envelope(properties={"order": "o", "amount": -1})), "rule_of_plan_violation", ["at least 0"]),
    (raw(envelope(properties={"order": "o", "amount": 1, "code": "x"})), "rule_of_plan_violation", ["a match of"]),
    (raw(envelope(properties={"amount": 1})), "rule_of_plan_violation", ["unique key"]),
]


@pytest.mark.parametrize(("record", "reason", "words"), DEAD, ids=range(len(DEAD)))
def test_dead_letters(step: Step, record: Raw, reason: str, words: list[str]) -> None:
    """Each reason with a detail that names what was wrong and what was expected."""
    outcome = step(record)
    assert isinstance(outcome, DeadLetter), outcome
    assert outcome.reason == reason
    assert [word for word in words if word not in outcome.detail] == [], outcome.detail


def test_a_violation_is_told_in_parts(step: Step) -> None:
    """Field, expected and got, with the event, its source and its schema, for tools that sort dead letters."""
    outcome = step(raw(envelope(properties={"order": "o", "amount": "10"})))
    assert isinstance(outcome, DeadLetter)
    assert (outcome.field, outcome.got, outcome.event, outcome.source, outcome.schema_id) == (
        "amount", 'string "10"', "Bought", "shop", 1000,
    )  # fmt: skip
    assert outcome.expected == "a number that Avro type double holds without loss"


def test_the_first_reason_wins(step: Step) -> None:
    """A record with everything wrong gets the reasons in the order of the contract as it is mended bit by bit."""
    bad: dict[str, Any] = {
        "event": "?", "source": "?", "time": NOON + 999_999, "type": "?", "properties": {"amount": "x", "code": "x"},
    }  # fmt: skip
    mends: list[tuple[str, dict[str, Any]]] = [
        ("undecodable", {"type": "track"}), ("unknown_source", {"source": "web"}), ("unknown_event",
         {"event": "Bought"}),
        ("origin_forbidden", {"source": "shop"}), ("missing_user", {"user_id": "u"}), ("clock_skew", {"time": NOON}),
        ("schema_violation", {"properties": {"amount": -1, "order": "o"}}),
        ("rule_of_plan_violation", {"properties": {"amount": 1, "order": "o"}}),
    ]  # fmt: skip
    for reason, mend in mends:
        outcome = step(raw(bad))
        assert isinstance(outcome, DeadLetter)
        assert outcome.reason == reason
        bad |= mend
    assert isinstance(step(raw(bad)), Emit)


def test_sizes_at_the_limit(step: Step) -> None:
    """Exactly 1 MiB is judged, one byte more is too large."""
    text = raw(envelope(context="x")).value()
    assert text is not None
    padded = text[:-1] + b" " * (1024 * 1024 - len(text)) + b"}"
    assert isinstance(step(Raw(padded)), Emit)
    outcome = step(Raw(padded[:-1] + b" }"))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == "too_large"


def test_the_same_content_has_the_same_hash(step: Step) -> None:
    """Whatever its id, user, time or spelling; other content and other types have another."""

    def content(**more: Any) -> int:
        outcome = step(raw(envelope(**more)))
        assert isinstance(outcome, Emit)
        schema = SCHEMAS[int.from_bytes(outcome.value[1:5], "big") - 1000]
        return int(event_reader(schema, ())(outcome.value)["meta"]["content_hash"])

    same = content()
    assert content(event_id="e2", user_id="u2", time=5, event="Ordered") == same
    assert content(properties={"amount": 10.0, "order": "o-1", "unplanned": 1, "email": "x"}) == same
    assert content(properties={"amount": 11, "order": "o-1"}) != same
    assert content(event="Strict", properties={}) != content(event="Aliased", properties={"previous_id": "\x02"})


CLOUD: dict[str, Any] = {
    "specversion": "1.0", "id": "e9", "source": "/shop/checkout", "type": "Ordered", "subject": "u9",
    "time": "2026-09-21T14:13:15Z", "data": {"order": "o", "amount": 5},
}  # fmt: skip


def binary(data: Any = None, **more: bytes | None) -> Raw:
    """The same event in binary mode, changed by ``more``."""
    said = {name: str(CLOUD[name]).encode() for name in CLOUD if name != "data"}
    headers = [(f"ce_{name}", value) for name, value in {**said, **more}.items()]
    return raw(json.dumps(CLOUD["data"] if data is None else data).encode(), headers_=headers)


def test_cloudevents(step: Step) -> None:
    """Both modes come to the event that the envelope would, sent by the channel's only source unless one is named."""
    sent = envelope(event="Ordered", user_id="u9", event_id="e9", time=CLOUD["time"], properties=CLOUD["data"])
    expected = step(raw(sent))
    assert isinstance(expected, Emit)
    assert step(raw(CLOUD)) == step(binary()) == expected
    assert step(raw({**CLOUD, "data": None, "data_base64": "eyJvcmRlciI6Im8iLCJhbW91bnQiOjV9"})) == expected
    media = [("Content-Type", b"application/cloudevents+json; charset=utf-8"), ("ce_id", b"another")]
    assert step(raw(CLOUD, headers_=media)) == expected
    other = decoded(step(raw({**CLOUD, "source": "till", "userid": "u8", "anonymousid": "a8"}, "raw.own")))["meta"]
    assert (other["source"], other["user_id"], other["anonymous_id"]) == ("till", "u8", "a8")
    assert reason(step(raw(CLOUD, "raw.own"))) == ("unknown_source", None)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        *((raw({**CLOUD, name: None}), name) for name in ("id", "source", "type")), (raw({**CLOUD, "id": ""}), "id"),
        (raw({**CLOUD, "specversion": "0.3"}), "specversion"), (raw({**CLOUD, "data": []}), "data"),
        (raw({**CLOUD, "data": "{}"}), "data"), (raw({**CLOUD, "data_base64": "e30="}), "data_base64"),
        (raw({**CLOUD, "data": None, "data_base64": "e3"}), "data_base64"), (raw({**CLOUD, "subject": 5}), "subject"),
        (raw({**CLOUD, "data": None, "data_base64": "W10="}), "data_base64"), (raw({**CLOUD, "time": "soon"}), "time"),
        (raw({**CLOUD, "datacontenttype": "text/xml"}), "datacontenttype"), (raw({**CLOUD, "data": DEEP}), "data"),
        (raw({**CLOUD, "userid": "x" * 513}), "userid"), (binary(id=None), "id"), (binary(id=b"\xff"), "id"),
        (binary(data=[]), "data"), (binary(data=DEEP), "data"), (binary(time=b"5"), "time"),
        (raw(CLOUD, headers_=[("content-type", b"application/cloudevents-batch+json")]), "content-type"),
    ],
)  # fmt: skip
def test_what_is_no_cloudevent(step: Step, record: Raw, field: str) -> None:
    """The attribute is named, with what was expected of it."""
    outcome = step(record)
    assert isinstance(outcome, DeadLetter), outcome
    assert (outcome.reason, outcome.field) == ("undecodable", field)


def framed(schema_id: int = 1000, source: str = "shop", **more: Any) -> bytes:
    """A good purchase as a producer with Avro writes it, changed by ``more``."""
    meta = {
        "event_id": "e1", "user_id": "u1", "anonymous_id": None, "time": NOON, "received_at": 0, "source": source,
        "origin": "integration", "lateness": "ignore", "content_hash": 1,
    }  # fmt: skip
    written = fastavro.parse_schema(plain_times(with_meta(SCHEMAS[schema_id - 1000])))
    good = {"order": "o-1", "amount": 10.0, "code": None, "email": None}
    record = {"meta": {**meta, **more.pop("meta", {})}, **(good if schema_id == 1000 else {}), **more}
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, written, record)
    return b"\0" + schema_id.to_bytes(4, "big") + stream.getvalue()


def reason(outcome: Any) -> tuple[str, str | None]:
    assert isinstance(outcome, DeadLetter), outcome
    return outcome.reason, outcome.field


def test_avro_from_outside(step: Step) -> None:
    """The journal has what the envelope would have brought, whatever the sender claims about who and when."""
    assert step(raw(framed())) == step(raw(envelope()))
    assert step(raw(framed(source="nobody"))) == step(raw(envelope()))
    assert step(raw(framed(email="anna@example.org"))) == step(raw(envelope()))
    named = step(raw(framed(source="till", meta={"event_id": ""}), "raw.own", at=9))
    assert decoded(named)["meta"]["event_id"] == make_id(TOPIC_ID, "3", "9")
    assert isinstance(named, Emit)
    assert named.source == "till"
    for record, expected in (
        (raw(framed(source=""), "raw.own"), ("unknown_source", None)),
        (raw(framed(source="web"), "raw.sdk"), ("origin_forbidden", None)),
        (raw(framed(meta={"user_id": None})), ("missing_user", None)),
        (raw(framed(meta={"time": NOON + 300_001})), ("clock_skew", "time")),
        (raw(framed(amount=float("inf"))), ("schema_violation", "amount")),
        (raw(framed(amount=-1.0)), ("rule_of_plan_violation", "amount")),
        (raw(framed(order=None)), ("rule_of_plan_violation", "order")),
        (raw(framed()[:-1]), ("undecodable", "email")),
    ):
        assert reason(step(record)) == expected
    screen = framed(1001, "app", name="Home")
    assert step(raw(screen, "raw.sdk", headers_=[("ce_id", b"x")])) == step(raw(screen, "raw.sdk"))


def test_versions(step: Step) -> None:
    """An older version judges what was written under it and keeps its id; the newest says who may send it."""
    old, new = 1000 + len(SCHEMAS) - 2, 1000 + len(SCHEMAS) - 1
    rich = {"lines": [], "either": (None), "notes": {}, "plan": "pro", "level": 3, "at": None, "score": 0.0}
    outcome = step(raw(framed(old, **rich)))
    assert isinstance(outcome, Emit)
    assert (outcome.event, outcome.value[1:5]) == ("Rich Two", old.to_bytes(4, "big"))
    from_app = step(raw(framed(old, "web", **rich), "raw.sdk"))
    assert reason(from_app) == ("rule_of_plan_violation", "plan")
    assert isinstance(step(raw(framed(old, "web", **{**rich, "plan": None}), "raw.sdk")), Emit)
    assert reason(step(raw(framed(old, "web", **{**rich, "plan": None, "level": 4}), "raw.sdk")))[1] == "level"
    assert reason(step(raw(framed(new, lines=[], either=None, key=None)))) == ("rule_of_plan_violation", "key")
    gone = step(raw(b"\0" + (new + 1).to_bytes(4, "big") + b"\0" * 9))
    assert isinstance(gone, DeadLetter)
    assert (gone.reason, gone.event, gone.schema_id) == ("unknown_schema", "Gone by", new + 1)
    assert "was Gone version 1" in gone.detail


def test_an_external_registry_has_ids_of_its_own() -> None:
    """They lead to ours, which the journal carries; one that it does not know is unknown; away is not a verdict."""
    ids = {77: 1000}
    step = a_step(ids.get)
    foreign = b"\0" + (77).to_bytes(4, "big") + framed()[5:]
    assert step(raw(foreign)) == a_step()(raw(framed()))
    assert reason(step(raw(framed())))[0] == "unknown_schema"

    def away(schema_id: int) -> int | None:
        raise DependencyDown(f"the registry does not answer for {schema_id}")

    with pytest.raises(DependencyDown):
        a_step(away)(raw(framed()))
    origin = replayed("journal")
    again = framed(meta={"origin": "backend"})
    assert isinstance(a_step(away)(raw(again, "raw.replay", headers_=origin)), Emit)


def replayed(topic: str, /, **more: bytes | None) -> list[tuple[str, bytes | None]]:
    """The headers of a record that was somewhere else first."""
    said = {"topic": f"t.{topic}".encode(), "partition": b"2", "offset": b"17", "timestamp": b"1789999999000"}
    said |= {"received-at": b"1789999998000"}
    return [(f"of-origin-{name.replace('_', '-')}", value) for name, value in {**said, **more}.items()]


def test_replays_are_judged_where_they_were(step: Step) -> None:
    """Default id, time and source are those of the first place; on other topics the headers mean nothing."""
    bare = {"event": "Bought", "user_id": "u1", "properties": {"order": "o", "amount": 1}}
    for topic in ("raw.replay", "raw.import"):
        meta = event_reader(SCHEMAS[0], ())(emitted(step(raw(bare, topic, headers_=replayed("raw.backend")))))["meta"]
        assert (meta["event_id"], meta["source"]) == (make_id(TOPIC_ID, "2", "17"), "shop")
        assert (meta["time"], meta["received_at"], meta["lateness"]) == (1789999999000, 1789999998000, "ignore")
    assert reason(step(raw(bare, "raw.replay", headers_=replayed("raw.sdk"))))[0] == "origin_forbidden"
    assert step(raw(bare, headers_=replayed("raw.sdk"))) == step(raw(bare))
    late = raw(envelope(time=1789999999000 + 300_001), "raw.replay", headers_=replayed("raw.backend"))
    assert reason(step(late))[0] == "clock_skew"
    twice = [*replayed("raw.sdk"), *replayed("raw.backend")]
    assert isinstance(step(raw(bare, "raw.replay", headers_=twice)), Emit)
    gone = step(raw(bare, "raw.replay", headers_=replayed("raw.gone")))
    assert isinstance(gone, DeadLetter)
    assert (gone.reason, "t.raw.gone" in gone.detail) == ("unknown_source", True)
    assert reason(step(raw(b"{", "raw.replay", headers_=replayed("raw.gone"))))[0] == "undecodable"


@pytest.mark.parametrize("name", ["topic", "partition", "offset", "timestamp", "received-at"])
@pytest.mark.parametrize("value", [None, b"", b"-1", b"\xff", b"1e3", b"9" * 19])
def test_replays_without_an_origin(step: Step, name: str, value: bytes | None) -> None:
    """Every header is needed and must be what it should; the detail says whose topic it is."""
    if name == "topic" and value not in (None, b"", b"\xff"):
        value = b""
    outcome = step(raw(envelope(), "raw.replay", headers_=replayed("raw.backend", **{name.replace("-", "_"): value})))
    assert isinstance(outcome, DeadLetter)
    assert (outcome.reason, outcome.field) == ("undecodable", f"of-origin-{name}")
    assert "only offerflow's own tools may write to this topic" in outcome.detail


def test_replays_of_the_journal(step: Step) -> None:
    """What the fold refused comes back as it was: its source need not exist any more, its times are those it had."""
    value = framed(source="closed-shop", meta={"origin": "backend", "received_at": NOON - 7})
    again = emitted(step(raw(value, "raw.replay", headers_=replayed("journal"))))
    meta = event_reader(SCHEMAS[0], ())(again)["meta"]
    assert (meta["source"], meta["origin"], meta["received_at"]) == ("closed-shop", "backend", NOON - 7)
    assert meta["lateness"] == "ignore"
    outcome = step(raw(envelope(), "raw.replay", headers_=replayed("journal")))
    assert isinstance(outcome, DeadLetter)
    assert (outcome.reason, "Avro" in outcome.detail) == ("undecodable", True)


def emitted(outcome: Any) -> bytes:
    assert isinstance(outcome, Emit), outcome
    return outcome.value
