"""Schemas drafted from samples."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.plan.drafting import Choices, Draft, draft, draft_next, entry_by_name, written
from schemas.judge import judge
from schemas.plan import parse_event_schema

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2026-03-05T10:00:00Z", "2026-03-05T10:00:00.123456+02:00", "a@b.example", "plus", "pro"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.sampled_from("abcd"), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b", "amount", "email", "created_at", "ExTra", "$browser", "meta", "überall"]) | st.text(
    max_size=6
)
SAMPLES = st.lists(st.dictionaries(NAMES.filter(lambda name: name != "extra"), JSON, max_size=4), max_size=11)


# A busy machine draws slowly, which is no fault of what is drawn.
SLOW = [HealthCheck.too_slow]


def names(made: Draft) -> dict[str, Any]:
    """The drafted fields by name."""
    return {field["name"]: field for field in made.definition["fields"]}


def take(_name: str) -> bool:
    return True


def accepts(definition: dict[str, Any], sample: dict[str, Any]) -> None:
    judge(parse_event_schema(definition, 1000), sample, lambda _: None)


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(SAMPLES, st.booleans(), st.booleans(), st.sampled_from([1, 10]))
def test_a_draft_accepts_every_sample(samples: list[dict[str, Any]], enums: bool, extra: bool, required: int) -> None:
    """Whatever JSON the samples hold, each of them is valid under the schema drafted from them."""
    made = draft("Lesson Paused", samples, take, Choices(enums=enums, extra=extra, required_from=required))
    for sample in samples:
        accepts(made.definition, sample)


@settings(deadline=None, max_examples=60, suppress_health_check=SLOW)
@given(SAMPLES, SAMPLES, st.booleans())
def test_a_next_version_accepts_its_samples(
    first: list[dict[str, Any]], second: list[dict[str, Any]], enums: bool
) -> None:
    """The version that follows an entry by name, or a draft, accepts its samples unless it said that they conflict."""
    entry = parse_event_schema(entry_by_name("Lesson Paused", "LessonPaused", Choices()), 1000)
    typed = draft_next(entry, first, Choices(enums=enums))
    for sample in first:
        accepts(typed.definition, sample)
    later = draft_next(parse_event_schema(typed.definition, 1001), second, Choices())
    if not later.conflicts:
        for sample in second:
            accepts(later.definition, sample)


@settings(deadline=None, max_examples=20, suppress_health_check=SLOW)
@given(SAMPLES)
def test_a_draft_is_deterministic_and_reads_back(samples: list[dict[str, Any]]) -> None:
    """The same samples draft the same text, and the text is the definition."""
    texts = {written(draft("Lesson Paused", copy.deepcopy(samples), take, Choices()).definition) for _ in range(2)}
    assert len(texts) == 1
    assert json.loads(texts.pop()) == draft("Lesson Paused", samples, take, Choices()).definition


TYPES = [
    ([1, 2], "long"),
    ([1, 2.5], "double"),
    ([1.0], "double"),
    ([True], "boolean"),
    (["a"], "string"),
    (["2026-03-05T10:00:00Z"], {"type": "long", "logicalType": "timestamp-millis"}),
    (["2026-03-05T10:00:00Z", "soon"], "string"),
    (["2026-03-05"], "string"),
    ([2**62, 0.5], "double"),
    ([2**62 + 1, 0.5], ["long", "double"]),
    ([2**63], "double"),
    (["a", 1], ["long", "string"]),
    ([[1, 2], []], {"type": "array", "items": "long"}),
    ([[]], {"type": "array", "items": "string"}),
    ([[1, None, "a"]], {"type": "array", "items": ["null", "long", "string"]}),
    ([{}], {"type": "map", "values": "string"}),
    ([{"no name": 1}], {"type": "map", "values": "long"}),
    ([{f"k{at}": at} for at in range(20)], {"type": "map", "values": "long"}),
]


@pytest.mark.parametrize(("values", "expected"), TYPES, ids=[str(values)[:40] for values, _ in TYPES])
def test_types(values: list[Any], expected: object) -> None:
    """The type of a property that every sample has is the one the table says."""
    made = draft("X", [{"p": value} for value in values], take, Choices(required_from=1))
    assert names(made)["p"] == {"name": "p", "type": expected}


def test_what_may_be_absent() -> None:
    """A property is nullable when a sample lacks it or has null, and required only when there were enough samples."""
    samples: list[dict[str, Any]] = [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": None}]
    made = draft("X", samples, take, Choices(required_from=2))
    assert names(made)["a"] == {"name": "a", "type": "long"}
    for name in "bc":
        assert names(made)[name] == {"name": name, "type": ["null", "long"], "default": None}
    few = draft("X", samples, take, Choices(required_from=3))
    assert names(few)["a"]["type"] == ["null", "long"]
    assert "too few" in few.notes[0]


def test_nested_records() -> None:
    """Objects with the same keys become a record whose name begins with the event's, inside arrays as well."""
    samples = [{"items": [{"sku": "a", "at": {"x": 1}}, {"sku": "b", "at": {"x": 2.5}, "gift": True}]}] * 10
    field = names(draft("Cart Viewed", samples, take, Choices()))["items"]
    record = field["type"]["items"]
    assert record["name"] == "CartViewedItemsItem"
    assert [(one["name"], one["type"]) for one in record["fields"]] == [
        ("sku", "string"),
        ("at", {"type": "record", "name": "CartViewedItemsItemAt", "fields": [{"name": "x", "type": "double"}]}),
        ("gift", ["null", "boolean"]),
    ]


@pytest.mark.parametrize(
    "sample",
    [{"email": "x"}, {"userEmail": "x"}, {"contact": "a@b.example"}, {"phone_number": 491711234567},
     {"reach": "+49 171 1234567"}, {"first_name": "Ann"}, {"person": {"dateOfBirth": "1990-01-01"}}],
    ids=str,
)  # fmt: skip
def test_personal_data_is_marked(sample: dict[str, Any]) -> None:
    """What looks personal by its name or value is pii, nullable though all have it, explained, and never shown."""
    made = draft("X", [sample] * 20, take, Choices())
    (drafted,) = made.properties
    assert drafted.field is not None
    assert drafted.field["pii"] is True
    assert drafted.field["type"][0] == "null"
    assert drafted.example is None
    assert any("pii" in note for note in drafted.notes)


@pytest.mark.parametrize(
    "sample", [{"email_opened": True}, {"mailCount": 3}, {"name": "shoe"}, {"cardinality": 3}, {"id": "+a"}], ids=str
)
def test_what_is_not_personal(sample: dict[str, Any]) -> None:
    """A flag about e-mail or a product's name is no personal data."""
    (drafted,) = draft("X", [sample] * 20, take, Choices()).properties
    assert drafted.field is not None
    assert "pii" not in drafted.field


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("$browser", "x", "Avro name"), ("meta", 1, "first field"), ("extra", 1, "unplanned"), ("a", None, "only null"),
     ("a", 2**70 + 1, "without loss")],
)  # fmt: skip
def test_what_is_left_out(name: str, value: object, why: str) -> None:
    """A property that cannot be planned is left to `unplanned`, with the reason."""
    (drafted,) = draft("X", [{name: value}], take, Choices()).properties
    assert drafted.field is None
    assert why in drafted.notes[0]


def test_enums_only_when_asked() -> None:
    """A few words that come again and again are an enum with --enums and a string without."""
    samples = [{"plan": ("plus", "pro")[at % 2]} for at in range(12)]
    assert names(draft("X", samples, take, Choices()))["plan"]["type"] == "string"
    enum = names(draft("X", samples, take, Choices(enums=True)))["plan"]["type"]
    assert enum == {"type": "enum", "name": "XPlan", "symbols": ["plus", "pro"]}


def test_a_conflict_is_explained() -> None:
    """A sample that a planned property does not fit is a conflict with what was planned and what came; pii stays
    hidden."""
    first = draft("X", [{"amount": 1.5, "email": "a@b.example"}], take, Choices())
    base = parse_event_schema(first.definition, 1000)
    made = draft_next(base, [{"amount": "12", "email": 5}, {"amount": 3.5}], Choices())
    assert not made.changes
    amount, email = made.conflicts
    assert amount.startswith("amount: planned as a number that Avro type double holds without loss, which 1 of 2")
    assert 'string "12"' in amount
    assert "not shown" in email


def test_many_properties_are_bounded() -> None:
    """A sample with thousands of properties drafts a schema of bounded size and says what it left out."""
    made = draft("X", [{f"p{at}": at for at in range(5000)}], take, Choices())
    assert len(made.definition["fields"]) == 201
    assert "at most 200" in made.properties[-1].notes[0]
