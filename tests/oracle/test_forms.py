"""The oracle's verdict on the forms beside the native one, and on records that were sent again."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from io import BytesIO
from typing import Any

import fastavro
import pytest

from tests.oracle import wire
from tests.oracle.identity import identifier
from tests.oracle.judge import judge
from tests.oracle.model import Dead, Event, Record, Verdict
from tests.oracle.samples import NOON, PREFIX, bought, event_type, plan, record
from tests.oracle.workspace import Workspace

DATA = {"order": "o-1", "amount": 10}
CARRIED = {"order": "o-1", "amount": 10.0, "code": None, "email": None}
GOOD = Event("Bought", 1, "e1", "u1", None, NOON, NOON, "shop", "backend", CARRIED)
TIME = "2026-09-21T14:13:20Z"  # NOON
ATTRIBUTES = {"specversion": "1.0", "id": "e1", "type": "Bought", "source": "shop", "subject": "u1", "time": TIME}


def _structured(headers: tuple[Any, ...] = (), **changed: Any) -> Record:
    return record({**ATTRIBUTES, "data": DATA, **changed}, headers=headers)


def _binary(value: Any = DATA, *more: tuple[str, bytes | None], **changed: bytes | None) -> Record:
    attributes = {name: one.encode() for name, one in ATTRIBUTES.items()} | changed
    return record(value, headers=(*((f"ce_{name}", one) for name, one in attributes.items()), *more))


def _plan() -> Workspace:
    made = plan()
    second = event_type("Bought", "Bought", origins=("backend",), fields=[
        {"name": "order", "type": "string"}, {"name": "lines", "type": {"type": "array", "items": {
            "type": "record", "name": "Line", "fields": [
                {"name": "n", "type": "int", "minimum": 1},
                {"name": "note", "type": ["null", "string"], "pii": True},
            ]}}, "default": []},
        {"name": "by", "type": "string", "default": "", "origins": ["integration"]},
    ])  # fmt: skip
    made.add(replace(second, version=2))
    made.ids = {1000: made.versions["Bought", 1], 1001: made.versions["Bought", 2]}
    made.topic_ids = {PREFIX + "raw.backend": "AAAA"}
    return made


def _framed(schema_id: int = 1000, meta: dict[str, Any] | None = None, **changed: Any) -> bytes:
    schema = _plan().ids[schema_id]
    who = {"event_id": "e1", "user_id": "u1", "anonymous_id": None, "time": NOON, "received_at": 1, "source": "?"}
    rest = {"origin": "sdk", "lateness": "ignore", "content_hash": 0}
    fields = {"order": "o-1", "amount": 10.0, "code": None, "email": "a@b", "lines": [], "by": ""}
    body = BytesIO()
    value = {"meta": {**who, **rest, **(meta or {})}, **fields, **changed}
    fastavro.schemaless_writer(body, fastavro.parse_schema(wire.plain(schema.whole)), value)
    return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()


def _again(value: Any, **changed: bytes | None) -> Record:
    told = {"topic": (PREFIX + "raw.backend").encode(), "partition": b"3", "offset": b"9", "timestamp": b"%d" % NOON}
    told |= {"received-at": b"%d" % (NOON + 5)} | {name.replace("_", "-"): one for name, one in changed.items()}
    headers = tuple((f"of-origin-{name}", one) for name, one in told.items() if one is not None)
    return record(value, "raw.replay", headers=headers, timestamp=NOON * 2)


def _reason(verdict: Verdict) -> str:
    return verdict.reason if isinstance(verdict, Dead) else type(verdict).__name__


@pytest.mark.parametrize(
    "one",
    [
        _structured(),
        _structured((("Content-Type", b"application/cloudevents+json; charset=utf-8"),)),
        _structured(subject="u2", userid="u1", dataschema=5, datacontenttype="application/x+json"),
        _structured(data=None, data_base64=base64.b64encode(json.dumps(DATA).encode()).decode()),
        _structured(source="//shop.example/checkout"),
        _binary(),
        _binary(DATA, ("content-type", b"text/json; charset=utf-8"), ("ce_anonymousid", None)),
        _binary(DATA, ("ce_extra", b"\xff"), userid=b""),
        record(_framed()),
        record(_framed(), headers=(("ce_id", b"e9"), ("content-type", b"application/cloudevents+json"))),
    ],
)
def test_one_event_in_every_form(one: Record) -> None:
    """The same purchase, whatever it came in, is the same event."""
    first = plan()
    first.ids = {1000: first.versions["Bought", 1]}
    assert judge(one, first, PREFIX) == GOOD


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (_structured(specversion="0.3"), "undecodable"),
        (_structured(specversion=1.0), "undecodable"),
        (_structured(id=None), "undecodable"),
        (_structured(type=""), "undecodable"),
        (_structured(data=[1]), "undecodable"),
        (_structured(data_base64="e30="), "undecodable"),
        (_structured(time=TIME[:-1]), "undecodable"),
        (_structured(datacontenttype="text/plain"), "undecodable"),
        (_structured((("content-type", b"application/cloudevents-batch+json"),)), "undecodable"),
        (_structured(anonymousid="x" * 513), "undecodable"),
        (_structured(subject=None), "missing_user"),
        (_structured(type="Bouht"), "unknown_event"),
        (_structured(data={"order": 1}), "schema_violation"),
        (_binary(id=None), "undecodable"),
        (_binary(type=b"\xff"), "undecodable"),
        (_binary(DATA, ("content-type", b"text/plain")), "undecodable"),
        (_binary(b"[]"), "undecodable"),
        (_binary(b""), "schema_violation"),
        (record(_framed()[:-1]), "undecodable"),
        (record(_framed() + b"\x00"), "undecodable"),
        (record(b"\x00\x00\x00\x03\xea"), "unknown_schema"),
        (record(_framed(meta={"time": 2**60})), "undecodable"),
        (record(_framed(meta={"time": NOON + 300_001})), "clock_skew"),
        (record(_framed(meta={"user_id": ""})), "missing_user"),
        (record(_framed(amount=float("nan"))), "schema_violation"),
        (record(_framed(amount=-1.0)), "rule_of_plan_violation"),
        (record(_framed(order=None)), "rule_of_plan_violation"),
        (record(_framed(1001, lines=[{"n": 1, "note": None}, {"n": 0, "note": None}])), "rule_of_plan_violation"),
        (record(_framed(1001, by="me")), "rule_of_plan_violation"),
        (record(_framed(), "raw.sdk"), "unknown_source"),
        (record(_framed(meta={"source": "web"}), "raw.sdk"), "origin_forbidden"),
        (_again(bought(), topic=None), "undecodable"),
        (_again(bought(), offset=b"-1"), "undecodable"),
        (_again(bought(), topic=(PREFIX + "raw.gone").encode()), "unknown_source"),
        (_again(bought(), topic=b"raw.backend"), "unknown_source"),
        (_again(bought(time=NOON + 300_001)), "clock_skew"),
    ],
)
def test_dead(one: Record, reason: str) -> None:
    """What is wrong in one of these forms, by the first reason that holds."""
    assert _reason(judge(one, _plan(), PREFIX)) == reason


def test_avro_is_judged_by_its_own_version() -> None:
    """Under the second version nested pii is taken out, and what the first demands is not asked."""
    verdict = judge(record(_framed(1001, lines=[{"n": 2, "note": "call me"}])), _plan(), PREFIX)
    assert isinstance(verdict, Event)
    assert verdict.version == 2
    assert verdict.properties == {"order": "o-1", "lines": [{"n": 2, "note": None}], "by": ""}


def test_a_record_sent_again_is_judged_as_if_it_lay_where_it_was() -> None:
    """Place, time and source are those of its origin, and it is never too late."""
    value = {"event": "Moved", "user_id": "u1"}
    verdict = judge(_again(value), _plan(), PREFIX)
    expected = Event(
        "Moved", 1, identifier("AAAA", "3", "9"), "u1", None, NOON, NOON + 5, "shop", "backend", {"extra": {}}, "ignore"
    )
    assert verdict == expected


def test_headers_of_an_origin_count_nowhere_else() -> None:
    """On an ordinary topic they are headers like any other."""
    told = _again(bought()).headers
    verdict = judge(record(bought(), headers=told), plan(), PREFIX)
    assert verdict == GOOD


def test_a_journal_record_sent_again_keeps_what_validation_said_of_it() -> None:
    """Source, origin and the time it was received stay as they are in its meta."""
    value = _framed(meta={"source": "gone", "origin": "backend", "received_at": 77})
    verdict = judge(_again(value, topic=(PREFIX + "journal").encode()), _plan(), PREFIX)
    assert isinstance(verdict, Event)
    assert (verdict.source, verdict.origin, verdict.received_at) == ("gone", "backend", 77)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"event": "Moved", "user_id": "u", "context": "\\ud800"}', "undecodable"),
        ('{"event": "Moved", "user_id": "u", "context": "\\ud800", "context": 1}', "undecodable"),
        ('{"event": "Moved", "user_id": 5, "user_id": "u"}', "undecodable"),
        ('{"event": "Moved", "user_id": "u", "properties": {"a": 1e999}, "properties": {}}', "undecodable"),
        ('{"event": "Moved", "user_id": "u", "context": 1e999}', "Event"),
        ('{"event": "Bought", "event": "Moved", "user_id": "u"}', "Event"),
    ],
)
def test_what_is_overwritten_or_never_read(text: str, reason: str) -> None:
    """A member must have its type each time it is there; the last one counts."""
    assert _reason(judge(record(text.encode()), plan(), PREFIX)) == reason
