"""The mark that the edge puts on an event which its key may not send, and what validation makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import DeadLetter
from schemas.refused import REFUSED, RefusedEvent, refused_header, refused_of
from schemas.replay import replay_headers
from schemas.step import Emit, Skip
from tests.schemas.raw_samples import a_step, envelope, raw
from tests.schemas.test_step import framed, replayed

MARK = (REFUSED, refused_header("key abc may not", final=False))
FINAL = (REFUSED, refused_header("reserved", final=True))


def test_what_was_written_is_read() -> None:
    """Reason, detail and whether it is for good; other headers say nothing."""
    assert refused_of([("traceparent", b"x"), MARK]) == RefusedEvent("origin_forbidden", "key abc may not", final=False)
    assert refused_of([FINAL]) == RefusedEvent("origin_forbidden", "reserved", final=True)
    assert refused_of([("traceparent", b"x"), ("of-refuse", None)]) is None
    assert refused_of([MARK], replayed=True) is None
    assert refused_of([FINAL], replayed=True) is not None


@given(st.none() | st.binary(max_size=60) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")))
def test_whoever_sets_the_header_refuses(value: bytes | None) -> None:
    """Even if nobody can read why."""
    found = refused_of([(REFUSED, value)])
    assert found is not None
    assert (found.reason, bool(found.detail)) == ("origin_forbidden", True)


def test_a_mark_without_words_is_a_dead_letter_with_some() -> None:
    """A dead letter always says something."""
    found = refused_of([(REFUSED, b'{"reason": "origin_forbidden", "detail": ""}')])
    assert found is not None
    assert "does not say why" in found.detail


def test_a_marked_event_is_dead_where_it_would_have_been_valid() -> None:
    """With its name, source and schema, in JSON and in Avro; without the mark it is valid."""
    step = a_step()
    assert isinstance(step(raw(envelope())), Emit)
    for value in (envelope(), framed()):
        outcome = step(raw(value, headers_=[("traceparent", b"t"), MARK]))
        assert isinstance(outcome, DeadLetter)
        assert (outcome.reason, outcome.detail) == ("origin_forbidden", "key abc may not")
        assert (outcome.event, outcome.source, outcome.schema_id) == ("Bought", "shop", 1000)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (envelope(event="Nothing"), "unknown_event"),
        (envelope(source="nobody"), "unknown_source"),
        (b"{", "undecodable"),
        (envelope(properties={}), "origin_forbidden"),
        (envelope(user_id=None), "origin_forbidden"),
    ],
)
def test_the_mark_has_its_place_in_the_order_of_reasons(sent: object, reason: str) -> None:
    """What cannot be read or named comes before it, what is wrong with the content after it."""
    outcome = a_step()(raw(sent, headers_=[MARK]))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == reason


def test_to_replay_a_refused_event_is_to_permit_it() -> None:
    """But not a reserved name, and an import is no replay."""
    step = a_step()
    own = [("traceparent", b"t"), MARK, ("of-origin-topic", b"evil")]
    again = replay_headers(own, ("t.raw.backend", 2, 17), 1789999999000, 1, "3/4", trusted=False)
    assert isinstance(step(raw(envelope(), "raw.replay", headers_=again)), Emit)
    for_good = replay_headers([FINAL], ("t.raw.backend", 2, 17), 1789999999000, 1, "3/4", trusted=False)
    assert isinstance(step(raw(envelope(), "raw.replay", headers_=for_good)), DeadLetter)
    imported = [*replayed("raw.backend"), MARK]
    assert isinstance(step(raw(envelope(), "raw.import", headers_=imported)), DeadLetter)


def test_what_is_switched_off_and_not_permitted_is_told() -> None:
    """A key that may not send a system event hears of it although nobody wants the event."""
    plain = a_step()(raw(envelope(event="Screen Viewed", source="app", properties={}), "raw.sdk"))
    marked = a_step()(raw(envelope(event="Screen Viewed", source="app", properties={}), "raw.sdk", headers_=[MARK]))
    assert isinstance(plain, Skip)
    assert isinstance(marked, DeadLetter)
    assert (marked.reason, marked.schema_id) == ("origin_forbidden", None)
