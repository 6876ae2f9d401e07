"""What was sent beside what was stored: every way in which they may differ has its name."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cli.events_table import comparison, line
from console.dead_letters.masking import HIDDEN
from console.events.arrivals import Arrivals
from console.events.comparing import Compared, Line, compare
from console.events.sent import ABSENT
from console.events.stored import read_letter
from console.events.telling import as_json, row_of
from console.events.verdicts import VALID, Verdict
from console.events.world import World
from schemas.dead_letter import DeadLetter, StoredLetter, write_dead_letter
from schemas.step import Emit
from tests.console.dead_letters.letters import letter
from tests.console.events.events import BACKEND, RECEIVED, Raw, anything, envelope, judged, world


def compared(record: Raw, known: World | None = None) -> Compared:
    """A valid event on both sides."""
    of = known or world()
    arrival, stored = judged(record, of=of)
    return compare(of, Verdict(VALID, arrival, stored))


def lines(of: list[Line]) -> dict[str, tuple[Any, Any, str]]:
    return {line.path: (line.sent, line.stored, line.change) for line in of}


def test_every_difference_is_named() -> None:
    """Stripped, converted, defaulted, personal: each property says what became of it, the unchanged say nothing."""
    properties = {"amount": 59, "paid_at": "2026-03-05T10:00:00Z", "email": "a@b.c", "coupon": {"code": ["X"]},
                  "home": {"city": "Rome", "street": "Via 1", "floor": 2}}  # fmt: skip
    found = lines(compared(Raw(envelope("Order Completed", properties=properties))).properties)
    assert found == {
        "amount": (59, 59.0, ""),
        "paid_at": ("2026-03-05T10:00:00Z", 1_772_704_800_000, "converted"),
        "email": (HIDDEN, None, "pii, not stored"),
        "coupon.code[0]": ("X", ABSENT, "stripped"),
        "home.city": ("Rome", "Rome", ""),
        "home.street": (HIDDEN, None, "pii, not stored"),
        "home.floor": (HIDDEN, ABSENT, "stripped"),  # no plan says that it is not personal
        "currency": (ABSENT, "EUR", "default"),
    }


def test_who_and_when() -> None:
    """Another name of the type, an id that was made, a clock that was corrected, a source that the topic gave."""
    via = {"protocol": "segment", "time": "2026-03-05T09:00:00Z"}
    sent = Raw(envelope("Order Completed", time=1_772_704_800_000, via=via, properties={"amount": 1}))
    found = lines(compared(sent).meta)
    assert found["event"] == ("Order Completed", "Bought", "renamed")
    assert found["time"] == ("2026-03-05T09:00:00Z", "2026-03-05T10:00:00.000Z", "clock corrected")
    assert found["event_id"][0] is ABSENT
    assert found["event_id"][2] == "made"
    assert found["source"] == (ABSENT, "shop", "given")
    assert found["user_id"] == ("u-1", "u-1", "")
    page = Raw(envelope("", None, type="page", anonymous_id="v-1", source="app", event_id="e"), "offerflow.raw.sdk")
    typed = lines(compared(page).meta)
    assert typed["event"] == ("(page)", "Page Viewed", "renamed")
    assert typed["time"] == (ABSENT, "2026-03-05T10:00:00.000Z", "time of arrival")


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("2026-03-05T10:00:00.123456789Z", ""), ("2026-03-05T10:00:00.123", ""), (1_772_704_800_123, ""),
        (1_772_704_800.123, ""), ("soon", ""), ("2026-03-05T10:05:00Z", "clock corrected"),
        (1_772_704_000, "clock corrected"), (True, "clock corrected"),
    ],
)  # fmt: skip
def test_times_in_the_forms_that_clients_write(said: Any, change: str) -> None:
    """The same moment in another form is no correction."""
    sent = envelope(time=1_772_704_800_123, via={"protocol": "p", "time": said}, properties={"amount": 1})
    assert lines(compared(Raw(sent)).meta)["time"][2] == change


def test_unplanned_properties_that_are_kept() -> None:
    """Under `allow` they are in the field for them."""
    found = lines(compared(Raw(envelope("Noted", properties={"a": 1, "b": {"c": 2}}))).properties)
    assert found == {"a": (1, ABSENT, "kept in extra"), "b.c": (2, ABSENT, "kept in extra")}


def test_a_terminal_gets_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON on a terminal is ASCII without control characters; elsewhere it is as it was sent."""
    row = {"event": "\x9b31m\x7fü"}
    assert as_json(row) == '{"event":"\x9b31m\x7fü"}'
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert as_json(row) == '{"event":"\\u009b31m\\u007f\\u00fc"}'


def test_show_pii() -> None:
    """Who asks for it sees what was sent, and the change all the same."""
    found = lines(compared(Raw(envelope(properties={"amount": 1, "email": "a@b.c"})), world(show_pii=True)).properties)
    assert found["email"] == ("a@b.c", None, "pii, not stored")


def test_every_form_has_two_sides() -> None:
    """CloudEvents and Avro compare as the native form does."""
    event = {"specversion": "1.0", "id": "c", "source": "/x", "type": "Bought", "subject": "u", "data": {"amount": 1}}
    structured = compared(Raw(json.dumps(event).encode()))
    assert lines(structured.properties)["amount"] == (1, 1.0, "")
    framed = compared(Raw(judged(Raw(envelope(properties={"amount": 2})))[1].value))
    assert lines(framed.properties)["amount"] == (2.0, 2.0, "")
    assert framed.unread is None


def dead(known: World, one: StoredLetter) -> Verdict:
    return Verdict(one.reason, Arrivals(known).of_letter(one), None, one)


def test_a_dead_letter_says_what_was_expected_where() -> None:
    """At the property to blame; at a line of its own if there is nothing there."""
    known = world()
    one = letter(topic=BACKEND, value=envelope(properties={"amount": "12", "email": "a@b"}))
    found = lines(compare(known, dead(known, one)).properties)
    assert found == {"amount": ("12", ABSENT, 'expected a number, got "12"'), "email": (HIDDEN, ABSENT, "")}
    missing = letter(topic=BACKEND, value=envelope(properties={}), expected="a value", got="nothing")
    assert lines(compare(known, dead(known, missing)).properties)["amount"] == (
        ABSENT, ABSENT, "expected a value, got nothing",
    )  # fmt: skip


def test_what_cannot_be_read_shows_no_byte() -> None:
    """Personal data may be anywhere in it."""
    known = world()
    one = letter(topic=BACKEND, value=b"secret", reason="undecodable", field=None, expected=None, got=None)
    row = row_of(known, dead(known, one), whole=True)
    assert "secret" not in json.dumps(row)
    assert row["unread"].startswith("the raw record is not JSON")


def test_a_row_for_programs() -> None:
    """Everything a script needs: verdict, who, where each record lies, both documents, and the differences."""
    known = world()
    arrival, stored = judged(Raw(envelope(event_id="e", properties={"amount": 1, "email": "x"}), offset=4), of=known)
    row = row_of(known, Verdict(VALID, arrival, stored), whole=True)
    assert (row["verdict"], row["event"], row["user_id"], row["event_id"]) == ("valid", "Bought", "u-1", "e")
    assert row["raw"] == {"topic": BACKEND, "partition": 3, "offset": 4}
    assert (row["journal"], row["dead_letter"]) == ("1/0", None)
    assert row["sent"]["properties"] == {"amount": 1, "email": HIDDEN}
    assert row["stored"]["email"] is None
    assert {"path": "email", "change": "pii, not stored", "sent": HIDDEN, "stored": None} in row["differences"]
    assert set(row) - set(row_of(known, Verdict(VALID, arrival, stored), whole=False)) == {
        "sent", "stored", "unread", "differences",
    }  # fmt: skip


@given(record=anything(), show_pii=st.booleans())
def test_nothing_anybody_sends_raises(record: Raw, show_pii: bool) -> None:
    """Whatever lies in a raw topic is told, with its verdict, as text and as JSON."""
    known = world(show_pii=show_pii)
    outcome = known.step(record)
    if isinstance(outcome, Emit):
        verdict = Verdict(VALID, *judged(record, of=known))
    else:
        assert isinstance(outcome, DeadLetter)
        written = write_dead_letter("offerflow.dead-letter", record, outcome, "validation", RECEIVED)
        stored = read_letter(known, Raw(written.value, "offerflow.dead-letter"))
        assert stored is not None
        verdict = dead(known, stored)
    told = as_json(row_of(known, verdict, whole=True))
    assert json.loads(told)["verdict"] == verdict.verdict
    assert line(verdict)
    assert all(list(comparison(compare(known, verdict))))
