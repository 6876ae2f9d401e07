"""The canonical text of a tree, and what a tree reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from offerflow.rules.expressions.syntax import (
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
    Span,
    Time,
)


def render(node: Node) -> str:
    """Two spellings of the same expression render alike, and what is rendered reads back as the same tree."""
    match node:
        case Literal(value=value):
            return json.dumps(value, ensure_ascii=False)
        case Time(value=value):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
            return f'timestamp("{moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}")'
        case Span(value=value):
            return f'duration("{value}ms")'
        case Property(path=path):
            return ".".join(path)
        case Arithmetic(op=op, left=left, right=right):
            return (
                f"({_left(left, op in '+-' and isinstance(left, Arithmetic) and left.op in '+-')} {op} {render(right)})"
            )
        case Negative(term=term):
            return f"-({render(term)})"
        case Call(name="size", target=target):
            return f"size({render(target)})"
        case Call(name=name, target=target, argument=argument):
            return f"{_bracketed(target)}.{name}({render(argument) if argument is not None else ''})"
        case Compare(op=op, left=left, right=right):
            return f"{render(left)} {op} {render(right)}"
        case Member(item=item, choices=choices):
            return f"{render(item)} in [{', '.join(map(render, choices))}]"
        case IsSet(property=prop):
            return f"is_set({render(prop)})"
        case Not(term=term):
            return f"!({render(term)})"
        case Both(left=left, right=right):
            return f"({_left(left, isinstance(left, Both))} && {render(right)})"
        case Either(left=left, right=right):
            return f"({_left(left, isinstance(left, Either))} || {render(right)})"


def _left(node: Node, chained: bool) -> str:
    """The left side of an operator; one of the same rank needs no brackets, since such are read from the left."""
    return render(node)[1:-1] if chained else render(node)


def _bracketed(node: Node) -> str:
    return f"({render(node)})" if isinstance(node, Negative) else render(node)


def parts(node: Node) -> Iterator[Node]:
    """A tree and everything in it."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        match one:
            case (
                Compare(left=a, right=b) | Both(left=a, right=b) | Either(left=a, right=b) | Arithmetic(left=a, right=b)
            ):
                todo += [a, b]
            case Call(target=a, argument=c):
                todo += [a] if c is None else [a, c]
            case Member(item=a) | IsSet(property=a) | Not(term=a) | Negative(term=a):
                todo.append(a)


def properties(node: Node) -> frozenset[str]:
    """The top-level properties an expression reads; ``meta`` is not one."""
    return frozenset(one.path[0] for one in parts(node) if isinstance(one, Property) and one.path[0] != "meta")
