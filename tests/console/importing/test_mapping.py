"""From rows to envelopes: columns, constants, types of cells, times and ids."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.importing.mapping import BadMapping, Envelopes, Unfit, read_mapping
from console.importing.rows import Row
from console.importing.times import Times
from schemas.catalog import plan_of
from tests.console.importing.plans import catalog

PLAN = plan_of(catalog())
AT = 1_700_000_000_000


def envelope(
    fields: dict[str, Any], *columns: str, constants: tuple[str, ...] = (), text: bool = False, typed: bool = False,
    line: int = 2, label: str = "orders", times: Times | None = None,
) -> dict[str, Any]:  # fmt: skip
    make = Envelopes(PLAN, "shop", label, read_mapping(columns, constants), times or Times())
    made = make(Row(line, fields, text=text, typed=typed))
    read: dict[str, Any] = json.loads(made.value)
    assert made.time == read["time"]
    assert made.key == (read.get("user_id") or read.get("anonymous_id") or "")
    return read


def test_an_event_as_it_would_be_sent_stays_as_it_is() -> None:
    """A JSON line in the native form: only source and time are written anew."""
    sent = {
        "event": "Paid",
        "user_id": "u",
        "event_id": "e",
        "time": AT,
        "properties": {"amount": 5},
        "context": {"a": 1},
    }
    assert envelope({**sent, "source": "evil", "other": 1}) == {**sent, "source": "shop"}


def test_columns_become_members_and_properties() -> None:
    """Mapped columns, columns named as members, and the rest as properties in the types of the plan."""
    cells = {
        "customer": "7", "when": "2023-11-14 22:13:20", "event": "Paid", "amount": "59.90", "items": "3",
        "first": "TRUE", "coupon": "", "due": "1700000000000", "tags": '["a"]', "unknown": "5", "junk": "x",
    }  # fmt: skip
    made = envelope(cells, "customer=user_id", "when=time", "junk=", text=True)
    assert (made["event"], made["user_id"], made["time"]) == ("Paid", "7", AT)
    assert made["properties"] == {
        "amount": 59.9, "items": 3, "first": True, "due": AT, "tags": ["a"], "unknown": "5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cell"), [("amount", "12,5"), ("items", "three"), ("first", "yes"), ("tags", "[1"), ("amount", "nan")]
)
def test_a_cell_that_is_not_of_its_type_stays_text(name: str, cell: str) -> None:
    """Nothing is guessed: the plan says what is wrong with it."""
    made = envelope({"event": "Paid", "user_id": "u", "time": str(AT), name: cell}, text=True)
    assert made["properties"][name] == cell


def test_a_column_may_lie_inside_an_object() -> None:
    """`a.b` names the member b of the object a; a column of that very name comes first."""
    row = {"who": {"id": 5}, "who.id": None, "event_type": "Paid", "ts": AT, "event_properties": {"amount": 1}}
    columns = ("who.id=user_id", "event_type=event", "ts=time", "event_properties=properties")
    assert envelope({**row, "who.id": "flat"}, *columns)["user_id"] == "flat"
    del row["who.id"]
    made = envelope(row, *columns)
    assert (made["user_id"], made["event"], made["properties"]) == ("5", "Paid", {"amount": 1})


def test_constants_hold_for_every_row() -> None:
    """They win over what the row has, and take the types of the plan."""
    made = envelope({"user_id": "u", "time": AT, "event": "X"}, constants=("event=Paid", "properties.amount=5"))
    assert (made["event"], made["properties"]) == ("Paid", {"amount": 5.0})


def test_a_type_in_place_of_a_name() -> None:
    """identify becomes Identified, with the traits in the types of its schema."""
    made = envelope({"type": "identify", "user_id": "u", "time": str(AT), "plan": "7"}, text=True)
    assert (made["type"], made["properties"]) == ("identify", {"plan": "7"})
    assert "event" not in made


@pytest.mark.parametrize(
    ("given_", "what"),
    [("nothing", "of the form column=member"), ("=event", "of the form"), ("a=evnet", "did you mean 'event'"),
     ("a=properties.", "no member"), ("a=source", "no member")],
)  # fmt: skip
def test_a_mapping_that_cannot_be(given_: str, what: str) -> None:
    """It is told with what was expected."""
    with pytest.raises(BadMapping, match=what):
        read_mapping([given_], [])


def test_what_parquet_has_is_written_as_the_plan_reads_it() -> None:
    """Times in UTC, decimals as numbers, dates as text."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    row = {"event": "Paid", "user_id": 5, "time": moment, "amount": Decimal("59.90"),
           "due": moment.replace(tzinfo=None), "day": date(2026, 1, 2), "items": Decimal(3)}  # fmt: skip
    made = envelope(row, typed=True)
    assert made["time"] == int(moment.timestamp() * 1000)
    assert made["user_id"] == "5"
    assert made["properties"] == {
        "amount": 59.9, "due": "2026-01-02T03:04:05.000Z", "day": "2026-01-02", "items": 3,
    }  # fmt: skip


def test_ids_are_made_of_what_is_imported() -> None:
    """The same row of the same import has the same id; another line, content or name has another; given ones stay."""
    row = {"event": "Paid", "user_id": "u", "time": AT, "amount": 1}
    first = envelope(row)["event_id"]
    assert envelope(dict(row))["event_id"] == first
    others = {
        envelope(row, line=3)["event_id"], envelope({**row, "amount": 2})["event_id"],
        envelope(row, label="others")["event_id"],
    }  # fmt: skip
    assert len({first, *others}) == 4
    assert envelope({**row, "event_id": "mine"})["event_id"] == "mine"
    assert envelope({**row, "event_id": 17})["event_id"] == "17"


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-01", True, {}, 10**30, float("nan"), float("inf")])
def test_a_row_without_a_time_is_no_past_event(time: Any) -> None:
    """Told with what came; nothing is made up."""
    with pytest.raises(Unfit, match="time: expected"):
        envelope({"event": "Paid", "user_id": "u", "time": time})


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2023-11-14T22:13:20Z", AT),
        ("2023-11-14 22:13:20", AT - 3_600_000),
        ("2023-11-14 22:13:20.5+02", AT - 7_199_500),
        ("2023-11-14", 1_699_916_400_000),
        ("1700000000", AT),
        ("1700000000.5", AT + 500),
        (1_700_000_000, AT),
    ],
)
def test_times_of_files(text: Any, ms: int) -> None:
    """With an offset, in the zone that was given, or as a number in the unit that was given."""
    assert Times("s", ZoneInfo("Europe/Berlin")).milliseconds(text) == ms


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.datetimes(), st.dates(), st.booleans()))
def test_nothing_in_a_time_raises(value: Any) -> None:
    """Whatever stands there is a time or is none."""
    found = Times().milliseconds(value)
    assert found is None or isinstance(found, int)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["event", "type", "user_id", "time", "properties", "event_id", "amount"]), _JSON)
)
def test_nothing_in_a_row_raises(fields: dict[str, Any]) -> None:
    """A row is an event with an id, or it is told why it is none; whether its id is a text is judged later."""
    make = Envelopes(PLAN, "shop", "x", read_mapping([], []), Times(zone=UTC))
    try:
        made = make(Row(1, fields))
    except Unfit as error:
        told = str(error)
    else:
        told = json.loads(made.value)["event_id"]
    assert told not in (None, "")
