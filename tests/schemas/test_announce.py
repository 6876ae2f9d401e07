"""Outputs and dead letters on the wire, read as an outsider would."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from offerflow.rules.outcomes import Evidence, OfferEntered, OfferExited, Output, RewardSatisfied
from offerflow.runtime.settings import Settings
from schemas.announce import Announcer, rfc3339
from schemas.codec import load_schema
from schemas.dead_letter import DeadLetter, write_dead_letter
from tests.schemas.raw_samples import Raw

EVIDENCE = [Evidence("e1", "Bought", 1000, 3, 77)]
ENTERED = OfferEntered(
    id="i1", user_id="ann", anonymous_id=None, offer="o", offer_version="v", instance="x", variant="default",
    attributes={"a": "b"}, entered_at=1500, ruleset="r", evidence=EVIDENCE,
)  # fmt: skip
SATISFIED = RewardSatisfied(
    id="i2", user_id="ann", reward="w", value=Decimal("7.5"), currency="EUR", offer="o", variant="default",
    attributes={},
    instance="x", satisfied_at=1500, ruleset="r", evidence=EVIDENCE, evidence_count=1,
)  # fmt: skip
EXITED = OfferExited(
    id="i3", user_id=None, anonymous_id="cookie", offer="o", instance="x", variant="default", exited_at=1500
)


def read(value: Any, name: str, number: int) -> dict[str, Any]:
    assert value[:5] == b"\0" + number.to_bytes(4, "big")
    stream = io.BytesIO(value[5:])
    found = fastavro.schemaless_reader(stream, fastavro.parse_schema(load_schema("outputs", name)), None)
    assert stream.read() == b""
    return dict(found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "topic", "key", "number"),
    [
        (ENTERED, "offer-entry", "ann", 20),
        (EXITED, "offer-exit", "a:cookie", 21),
        (SATISFIED, "reward-satisfied", "ann", 22),
    ],
)
def test_outputs(output: Output, topic: str, key: str, number: int) -> None:
    """Topic, key, schema, every field, and the CloudEvents headers with the record's own id and time."""
    made = Announcer(Settings(topic_prefix="mine."))(output)
    assert (made.topic, made.key) == (f"mine.{topic}", key.encode())
    name = type(output).__name__
    found = read(made.value, name, number)
    for field in output.__struct_fields__:
        if field not in ("evidence", "entered_at", "satisfied_at", "exited_at"):
            assert found[field] == getattr(output, field), field
    assert dict(made.headers or ()) == {
        "ce_specversion": b"1.0", "ce_id": output.id.encode(), "ce_type": f"offerflow.{name}".encode(),
        "ce_source": b"/mine/rules", "ce_time": b"1970-01-01T00:00:01.500Z", "ce_subject": key.encode(),
    }  # fmt: skip
    if not isinstance(output, OfferExited):
        (item,) = found["evidence"]
        assert (item["event_id"], item["event"], item["journal_partition"], item["journal_offset"]) == (
            "e1",
            "Bought",
            3,
            77,
        )


@pytest.mark.parametrize("value", [None, Decimal(0), Decimal("0.0001"), Decimal("99999999999999.9999"), Decimal(10)])
def test_values_are_exact(value: Decimal | None) -> None:
    """Every amount a definition can have comes back as it was written."""
    fields = {name: getattr(SATISFIED, name) for name in SATISFIED.__struct_fields__}
    made = Announcer(Settings())(RewardSatisfied(**{**fields, "value": value}))
    assert read(made.value, "RewardSatisfied", 22)["value"] == value


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (1772704800250, "2026-03-05T10:00:00.250Z"),
     (2**63 - 1, "9999-12-31T23:59:59.999Z"), (-(2**63), "0001-01-01T00:00:00.000Z")],
)  # fmt: skip
def test_header_times(milliseconds: int, text: str) -> None:
    """RFC 3339, held at the ends of the calendar: an event may claim any time."""
    assert rfc3339(milliseconds) == text


def test_a_dead_letter() -> None:
    """The original byte for byte with where it lay, the reason, and Kafka Connect's headers."""
    record = Raw(b"\x00\xffraw", headers_=[("a", None), ("a", b"\xff"), ("b", b"")], at=17, key_=b"k")
    letter = DeadLetter("schema_violation", "détail", "amount", "a number", "null", "Bought", "shop", 1000)
    made = write_dead_letter("t.dead-letter", record, letter, "validation", 5)
    assert (made.topic, made.key) == ("t.dead-letter", b"k")
    found = read(made.value, "DeadLetter", 25)
    assert (found["topic"], found["partition"], found["offset"]) == ("t.raw.backend", 3, 17)
    assert (found["key"], found["value"]) == (b"k", b"\x00\xffraw")
    assert found["headers"] == [{"key": "a", "value": None}, {"key": "a", "value": b"\xff"}, {"key": "b", "value": b""}]
    for name in letter.__struct_fields__:
        assert found[name] == getattr(letter, name)
    assert (found["attempts"], found["component"]) == (1, "validation")
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in made.headers or ()}
    assert headers == {
        "__connect.errors.topic": "t.raw.backend", "__connect.errors.partition": "3", "__connect.errors.offset": "17",
        "__connect.errors.stage": "validation", "__connect.errors.class.name": "schema_violation",
        "__connect.errors.exception.message": "détail",
    }  # fmt: skip


def test_a_dead_letter_of_nothing() -> None:
    """No key, no value, no headers are kept as such."""
    made = write_dead_letter("t", Raw(None, key_=None), DeadLetter("undecodable", "x"), "validation", 5)
    found = read(made.value, "DeadLetter", 25)
    assert (made.key, found["key"], found["value"], found["headers"], found["field"]) == (None, None, None, [], None)
