"""One raw record, one outcome: every reason in its order, by hand."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest

from consumers.validation.step import Emit, Skip, Step
from offerflow.rules.ids import make_id
from schemas.codec import event_reader
from schemas.dead_letter import DeadLetter
from tests.consumers.validation.samples import NOON, SCHEMAS, TOPIC_ID, Raw, a_step, envelope, raw
from tests.oracle.workspace import with_meta


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
    assert step(raw(screen, "raw.sdk")) == Skip("Screen Viewed")
    assert isinstance(step(raw({**screen, "source": "web", "properties": {}}, "raw.sdk")), Emit)


DEEP = {"a": 1}
for _ in range(16):
    DEEP = {"a": DEEP}  # type: ignore[dict-item]

DEAD: list[tuple[Raw, str, list[str]]] = [
    (Raw(b" " * (1024 * 1024 + 1)), "too_large", ["1048577 bytes", "at most 1048576"]),
    (Raw(None), "undecodable", ["empty value"]),
    (Raw(b""), "undecodable", ["empty value"]),
    (Raw(b"\x00\x00\x00\x03\xe8abc"), "undecodable", ["Avro"]),
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
    (raw(envelope(specversion="1.0")), "undecodable", ["CloudEvents"]),
    (raw(headers_=[("ce_id", b"1")]), "undecodable", ["CloudEvents", "ce_id"]),
    (raw(envelope(source="shopp")), "unknown_source", ["'shopp'", "did you mean 'shop'"]),
    (raw(envelope(source=None), "raw.own"), "unknown_source", ["raw.own has not exactly one"]),
    (raw(envelope(source=None), "raw.integration"), "unknown_source", ["names no source"]),
    (raw(envelope(event="bought")), "unknown_event", ["'bought'", "did you mean 'Bought'"]),
    (raw(envelope(type="group")), "unknown_event", ["Group Joined"]),
    (raw(envelope(source="web")), "origin_forbidden", ["'web' has the origin sdk", "raw.backend is for backend"]),
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
