"""Random expression trees and random events to ask them of."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from offerflow.rules.events import Event
from offerflow.rules.expressions.syntax import (
    ON_STRINGS,
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
    IsSet,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Property,
    Value,
)
from tests.offerflow.rules.expressions.samples import an_event

RESERVED = {"true", "false", "null", "in"}

integers = st.integers(-(2**63) + 1, 2**63 - 1)
texts = st.text(max_size=6)
literals = st.builds(
    Literal,
    st.one_of(st.booleans(), integers, st.floats(allow_nan=False, allow_infinity=False), texts),
    st.just(0),
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda name: name not in RESERVED)
any_property = st.builds(Property, st.lists(names, min_size=1, max_size=3).map(tuple), st.just(0))


def trees(
    properties: st.SearchStrategy[Property] = any_property, values: st.SearchStrategy[Literal] = literals
) -> st.SearchStrategy[Node]:
    """Trees as ``parse`` can give them. A comparison has a property on one side at least, as the check demands."""
    computed = _computed(properties, values)
    operands = st.tuples(computed, computed | values) | st.tuples(values, computed)
    operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    leaves: st.SearchStrategy[Node] = st.one_of(
        st.builds(Literal, st.booleans(), st.just(0)),
        properties,
        st.builds(lambda op, pair: Compare(op, pair[0], pair[1], 0), operators, operands),
        st.builds(Member, computed, st.lists(values, max_size=3).map(tuple), st.just(0)),
        st.builds(IsSet, properties, st.just(0)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner, st.just(0)),
            st.builds(Both, inner, inner, st.just(0)),
            st.builds(Either, inner, inner, st.just(0)),
        ),
        max_leaves=8,
    )


def _computed(properties: st.SearchStrategy[Property], values: st.SearchStrategy[Literal]) -> st.SearchStrategy[Value]:
    """Properties, and what arithmetic and functions make of them."""
    texts_only = values.filter(lambda one: isinstance(one.value, str))
    return st.recursive(
        properties,
        lambda inner: st.one_of(
            st.builds(Arithmetic, st.sampled_from("+-*/%"), inner, inner | values, st.just(0)),
            st.builds(Negative, inner, st.just(0)),
            st.builds(Call, st.sampled_from(["size", "lowerAscii"]), inner, st.none(), st.just(0)),
            st.builds(
                Call,
                st.sampled_from([one for one in ON_STRINGS if one != "matches"]),
                inner,
                inner | texts_only,
                st.just(0),
            ),
            st.builds(Call, st.just("matches"), inner, st.sampled_from(PATTERNS), st.just(0)),
        ),
        max_leaves=3,
    )


PATTERNS = [Literal(one, 0) for one in ("a", "^b", "a|b$", "[^a]")]


def bare(node: Any) -> Any:
    """A tree without its columns, types told apart: True is not 1 and 1 is not 1.0."""
    if isinstance(node, tuple):
        return tuple(bare(one) for one in node)
    if hasattr(node, "__slots__") and type(node).__module__.endswith("syntax"):
        fields = [name for name in node.__slots__ if name != "column"]
        return (type(node).__name__, *(bare(getattr(node, name)) for name in fields))
    return (type(node).__name__, node)


def depth(node: Any) -> int:
    """Levels of brackets that the canonical text of a tree needs."""
    if isinstance(node, Not):
        return 2 + depth(node.term)
    if isinstance(node, Negative):
        return 2 + depth(node.term)
    if isinstance(node, Call):
        return 1 + max(depth(node.target), depth(node.argument))
    if isinstance(node, Member):
        return depth(node.item)
    chains = isinstance(node, Both | Either | Arithmetic | Compare)
    return 1 + max(depth(node.left), depth(node.right)) if chains else 0


_small = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, 1.0, 1.5, -2.0]),
    st.sampled_from(["", "a", "b"]),
)
_record = st.dictionaries(st.sampled_from(["p", "q"]), _small)
own_properties = st.builds(
    Property,
    st.sampled_from(
        [
            ("p",),
            ("q",),
            ("r", "p"),
            ("r", "q"),
            ("p", "q"),
            ("meta", "source"),
            ("meta", "user_id"),
            ("meta", "origin"),
        ]
    ),
    st.just(0),
)
own_literals = st.builds(Literal, _small.filter(lambda value: value is not None), st.just(0))


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Events whose properties are missing, of every scalar type, or records, so that comparisons meet all of them."""
    given = draw(st.fixed_dictionaries({}, optional={"p": _small, "q": _small, "r": _record}))
    who = draw(st.sampled_from([{}, {"user_id": None, "anonymous_id": "a"}, {"user_id": "b"}]))
    return an_event(source=draw(st.sampled_from(["", "a", "shop"])), **who, **given)
