"""Our expressions beside those of an independent implementation of the Common Expression Language, cel-python.

Compared is what both define. On purpose we differ from CEL here, and nowhere else:

- what is missing, of another type, or without result makes a comparison false, where CEL has an error;
- integers and doubles compare and mix, where CEL wants both sides of one type; a division of doubles by zero has no
  result, where CEL has an infinity;
- ``is_set(x)`` is what CEL writes ``has(m.x)``; ``lowerAscii`` belongs to an extension that cel-python lacks.
"""

from __future__ import annotations

import functools
import sys
from datetime import UTC, datetime
from typing import Any

import celpy
import pytest
from celpy.evaluation import CELEvalError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from offerflow.rules.expressions import ExpressionError, check, compile_test, parse, render
from tests.offerflow.rules.expressions.samples import PLANNED, an_event

LIMIT = sys.getrecursionlimit()
ENVIRONMENT = celpy.Environment()
sys.setrecursionlimit(LIMIT)  # which it raises for everybody: other tests look for the stack's end


@functools.cache
def program(text: str) -> Any:
    return ENVIRONMENT.program(ENVIRONMENT.compile(text))


def by_cel(text: str, values: dict[str, Any]) -> bool | None:
    """What cel-python says, None where it has an error."""
    made = {name: _cel(value) for name, value in values.items()}
    try:
        return bool(program(text).evaluate(made))
    except CELEvalError:
        return None


def _cel(value: Any) -> Any:
    if isinstance(value, datetime):
        return celpy.celtypes.TimestampType(value)
    return celpy.json_to_cel(value)


def by_us(text: str, values: dict[str, Any]) -> bool:
    given_values = {name: int(value.timestamp() * 1000) if isinstance(value, datetime) else value
                    for name, value in values.items()}  # fmt: skip
    tree = parse(text)
    check(tree, PLANNED)
    found = compile_test(tree)(an_event(**given_values))
    assert compile_test(parse(render(tree)))(an_event(**given_values)) is found
    return found


def may_hold(text: str) -> bool:
    """Whether the check finds nothing in it that could never be true. A part that never has a result is one too:
    refused even where CEL would not look at it, as in ``b || n / 0 == 1``."""
    try:
        check(parse(text), PLANNED)
    except ExpressionError as error:
        return not any(said in str(error) for said in ("is never true", "never has a result"))
    return True


whole = st.integers(-6, 6)
halves = st.integers(-8, 8).map(lambda n: n / 2)
letters = st.text("abAB", max_size=3)
quoted = letters.map(lambda text: f'"{text}"')
signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])

integers = st.recursive(
    st.one_of(st.just("n"), st.just("size(s)"), st.just("size(tags)"), whole.map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
        inner.map(lambda one: f"-({one})"),
    ),
    max_leaves=4,
)
doubles = st.recursive(
    st.one_of(st.just("x"), halves.map(str)),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
    max_leaves=3,
)
strings = st.sampled_from(["s", "key"])
times = st.sampled_from(["at", 'timestamp("2026-03-01T00:00:00Z")', 'at + duration("36h")', 'at - duration("90m")'])
spans = st.sampled_from(['duration("1h")', 'duration("-1h30m")', "at - at", 'at - timestamp("2026-02-28T12:00:00Z")'])
comparisons = st.one_of(
    st.tuples(st.just("n"), signs, integers), st.tuples(integers, signs, st.just("n")),
    st.tuples(st.just("x"), signs, doubles), st.tuples(strings, signs, strings | quoted),
    st.tuples(st.just("b"), st.sampled_from(["==", "!="]), st.sampled_from(["true", "false", "b"])),
    st.tuples(st.just("at"), signs, times), st.tuples(st.just("at - at"), signs,
     spans),
).map(" ".join)  # fmt: skip
calls = st.one_of(
    st.tuples(strings, st.sampled_from(["startsWith", "endsWith", "contains"]), strings | quoted).map(
        lambda one: f"{one[0]}.{one[1]}({one[2]})"
    ),
    st.tuples(strings, st.sampled_from(["a", "^a", "b$", "a.b", "[^a]", "(ab)+", "A|b", "^$"])).map(
        lambda one: f'{one[0]}.matches("{one[1]}")'
    ),
)
members = st.tuples(strings, st.lists(quoted, max_size=3)).map(
    lambda one: f"{one[0]} in [{', '.join(one[1])}]"
) | st.lists(whole.map(str), min_size=1, max_size=3).map(lambda one: f"n in [{', '.join(one)}]")
expressions = st.recursive(
    comparisons | calls | members | st.just("b"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda one: f"({' '.join(one)})"),
        inner.map(lambda one: f"!({one})"),
    ),
    max_leaves=4,
)
events = st.fixed_dictionaries(
    {"n": whole, "x": halves, "s": letters, "key": letters, "b": st.booleans(), "tags": st.lists(letters, max_size=3),
     "at": st.sampled_from([datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 28, 12, 30, tzinfo=UTC)])}
)  # fmt: skip


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(text=expressions, values=events)
def test_agrees_with_an_independent_cel(text: str, values: dict[str, Any]) -> None:
    """Whatever both define, and the check lets pass, is as true for us as for cel-python."""
    expected = by_cel(text, values)
    assume(expected is not None)
    assume(may_hold(text))
    assert by_us(text, values) is expected, text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("-7 / 2 == n", {"n": -3}), ("-7 % 2 == n", {"n": -1}), ("7 / -2 == n", {"n": -3}), ("7 % -2 == n", {"n": 1}),
        ("n - 1 - 1 == 1", {"n": 3}), ("n * 2 + 1 == 7", {"n": 3}), ("n / 2 * 2 == 2", {"n": 3}),
        ("size(s) == 2", {"s": "ä€"}), ('s < "b"', {"s": "a€"}), ('s.contains("")', {"s": "a"}),
        ('s.matches("b")', {"s": "abc"}), ('at - duration("24h") < timestamp("2026-03-01T00:00:00Z")',
         {"at": datetime(2026, 3, 1, 12, tzinfo=UTC)}),
        ("n / 2 > 1 || b", {"n": 3, "b": True}),
    ],
)  # fmt: skip
def test_both_find_it_true(text: str, values: dict[str, Any]) -> None:
    """Signs of quotients, order from the left, code points, the middle of a text."""
    assert (by_cel(text, values), by_us(text, values)) == (True, True)


@pytest.mark.parametrize("text", ["b || n / 0 == 1", "!b && 0 == n % 0", "n > 1 || (n + 1) / 0 > n"])
def test_a_division_by_zero_is_refused_wherever_it_stands(text: str) -> None:
    """CEL lets it pass as long as the other side decides: nobody means to write it."""
    with pytest.raises(ExpressionError, match="divides by zero, so it never has a result"):
        check(parse(text), PLANNED)
    assert not may_hold(text)


@pytest.mark.parametrize(
    ("text", "values", "ours"),
    [
        ("n > 1", {}, False), ("n != 1", {}, False), ("!(n > 1)", {}, True), ("n / (n - n) > 0", {"n": 3}, False),
        ("9223372036854775807 + n > 0", {"n": 3}, False), ("!(9223372036854775807 + n > 0)", {"n": 3}, True),
        ('any == "5"', {"any": 5}, False), ("x / 0.5 > n", {"x": 4.0, "n": 3}, True),
    ],
)  # fmt: skip
def test_where_cel_has_an_error(text: str, values: dict[str, Any], ours: bool) -> None:
    """We have false in the place of a comparison, and go on."""
    assert by_us(text, values) is ours
    assert by_cel(text, values) in (None, ours)
