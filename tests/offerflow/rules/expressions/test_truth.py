"""What expressions are true of, by hand and by comparison with an independent evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.rules.events import Event
from offerflow.rules.expressions import check, compile_test, parse, render
from offerflow.rules.expressions.syntax import Node
from tests.offerflow.rules.expressions import strategies
from tests.offerflow.rules.expressions.samples import PLANNED, an_event
from tests.oracle.expression import holds

EVENT = an_event(
    x=59.9, n=3, s='say "hi"\n\\', b=True, plan="plus", key=None, any="5",
    home={"city": "Bonn", "geo": {"zip": 53111}}, tags=["a"], at=1,
)  # fmt: skip

TRUE = [
    "x >= 50", "x > 59", "x < 60 && x <= 59.9", "x == 59.9", "59.9 == x", "60 > x", "50 <= x", "60 != x", "60 >= x",
    "n == 3", "n == 3.0", "n < 3.5", "3 >= n", "n > -1", "-1 < n", "n < 1e3", "n == 3e0", "n != 4", "n < x", "x != n",
    "b", "b == true", "!(b == false)", "b != false", "true == b", "true", "!false", "!!b",
    'plan == "plus"', "plan == 'plus'", 'plan >= "plus"', 'plan < "pro"', 'plan != "pro"',
    r's == "say \"hi\"\n\\"', r"s == 'say \"hi\"\n\\'", r's == "say \u0022hi\u0022\u000a\\"', r's != "say"',
    'n in [1, 2, 3]', 'n in [3.0]', 'x in [59.9]', 'plan in ["plus", "pro",]', 'b in [true]', '!(plan in ["free"])',
    "!(plan in [])", "n in [-3, 3]",
    "is_set(x)", "!is_set(key)", "is_set((x))", "is_set(home.city)", "!is_set(home.street)", "is_set(meta.user_id)",
    "!is_set(meta.anonymous_id)", "is_set(tags)", "is_set(at)", "is_set(home)",
    'home.city == "Bonn"', "home.geo.zip == 53111", 'meta.source == "shop"', 'meta.origin == "backend"',
    'meta.event_id == "e7"', 'meta.user_id == "ann"', 'meta.user_id != key || meta.source == "shop"',
    "!(key == 'k')", "!(key != 'k')", "!(key < 'k')", "!(key in ['k'])",
    "any == '5'", "!(any == 5)", "!(any != 5)", "!(any < 9)", "!(any in [5])", "!(any == x)", "!(any != x)", "!any",
    "(b || b) && b", "!b || b", "b && (x > 100 || n == 3)", "! (x > 100)", " x>50&&n==3 ", "x\n>\n50",
    "is_set(any) && !is_set(key) || x > 100", "any != key || true",
]  # fmt: skip
FALSE = [
    "x > 59.9", "n > 3", "n == 4", "!b", "b == false", "false", "!true", "x < 1 || n < 1", "b && n == 4",
    'key == "k"', 'key != "k"', 'key in ["k"]', "is_set(key)", "key == plan", "key != plan", "any == 5", "any != 5",
    "any > 4", "any", "any == true", "any in [5, true]", "any != x", 'plan in ["free"]', "plan in []",
    'meta.anonymous_id == "x"', 'meta.anonymous_id != "x"', 'home.street == "x" || home.city == "x"',
    "false && true || false", "true && (false || false)", "!b || !b", "!(b || b)",
]  # fmt: skip


def truth(text: str, event: Event) -> bool:
    """Through the whole of what ``apply`` and the fold do; properties that the plan lacks are left to the check."""
    tree = parse(text)
    if "street" not in text:
        check(tree, PLANNED)
    return compile_test(tree)(event)


@pytest.mark.parametrize("text", TRUE)
def test_true_of_the_event(text: str) -> None:
    """Each of these is written as the contract allows it, passes the check, and is true of the event."""
    assert truth(text, EVENT) is True


@pytest.mark.parametrize("text", FALSE)
def test_false_of_the_event(text: str) -> None:
    """Each of these is false of it: a missing property or another type makes any comparison false, ``!=`` too."""
    assert truth(text, EVENT) is False


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (True, "any == 1", False), (1, "any == true", False), (1, "any == 1.0", True), (1.0, "any == 1", True),
        (True, "any in [1]", False), (1, "any in [true]", False), (0, "any == false", False), (0.0, "any == -0.0",
         True),
        ("1", "any == 1", False), (1, 'any == "1"', False), (True, "any != 1", False), (False, "any == false", True),
        (2**53 + 1, "any == 9007199254740993", True), (2**53 + 1, "any == 9007199254740992.0", False),
        (True, "any", True), (1, "any", False), ("true", "any", False), ([1], "any == 1", False), ({}, "any == 1",
         False),
        ("", 'any == ""', True), ("", "is_set(any)", True), (False, "is_set(any)", True), (None, "is_set(any)", False),
        ("Ä", 'any > "Z"', True), ("b", 'any > "a"', True), ("B", 'any > "a"', False),
    ],
)  # fmt: skip
def test_nothing_is_coerced(value: Any, text: str, expected: bool) -> None:
    """Booleans are no numbers, texts are no numbers, and integers and doubles are both numbers, compared exactly."""
    assert truth(text, an_event(any=value)) is expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(1, 1.0, True), (1, True, False), (True, True, True), ("a", "a", True), ("1", 1, False), (None, None, False),
     ([1], [1], False), ({}, {}, False), ("a", None, False)],
)  # fmt: skip
def test_two_properties(left: Any, right: Any, expected: bool) -> None:
    """Two properties are equal only if both are there, of one kind, and of a kind that can be compared."""
    assert truth("x == any", an_event(x=left, any=right)) is expected


def test_order_needs_numbers_or_texts() -> None:
    """Two untyped properties that turn out to be booleans have no order, as the check says of typed ones."""
    assert not truth("any > any", an_event(any=True))
    assert not truth("any >= any", an_event(any=True))
    assert truth("any >= any", an_event(any=1))


@settings(deadline=None)
@given(tree=strategies.trees(strategies.own_properties, strategies.own_literals), event=strategies.events())
def test_agrees_with_the_oracle(tree: Node, event: Event) -> None:
    """An evaluator that cuts the text instead of walking a tree finds every random expression as true as ours."""
    meta = {"source": event.source, "origin": event.origin, "user_id": event.user_id}
    assert compile_test(tree)(event) == holds(render(tree), event.properties, meta)


@settings(deadline=None)
@given(tree=strategies.trees(strategies.own_properties, strategies.own_literals), event=strategies.events())
def test_text_and_tree_mean_the_same(tree: Node, event: Event) -> None:
    """The canonical text of a tree, parsed again, has the tree's truth."""
    assert compile_test(parse(render(tree)))(event) is compile_test(tree)(event)


@given(value=st.text(max_size=8))
def test_texts_survive_their_escapes(value: str) -> None:
    """A literal written by the canonical text equals the value it was written from, control characters included."""
    assert truth(f"s == {render(strategies.Literal(value, 0))}", an_event(s=value))
