"""Checks an expression against the planned properties of an event type, before it is ever run."""

from __future__ import annotations

from offerflow.rules.events import EventType, Kind, PropertyType
from offerflow.rules.expressions.syntax import (
    Both,
    Compare,
    Either,
    ExpressionError,
    IsSet,
    Literal,
    Member,
    Node,
    Not,
    Property,
)
from offerflow.rules.nearest import did_you_mean

META = {
    "event_id": PropertyType(Kind.STRING),
    "user_id": PropertyType(Kind.STRING),
    "anonymous_id": PropertyType(Kind.STRING),
    "source": PropertyType(Kind.STRING),
    "origin": PropertyType(Kind.ENUM, ("sdk", "backend", "integration")),
    "time": PropertyType(Kind.TIME),
    "received_at": PropertyType(Kind.TIME),
}
_ORDERED = (Kind.NUMBER, Kind.STRING)


def check(node: Node, event: EventType) -> None:
    """Raises ExpressionError at the first name or type that cannot be right for ``event``."""
    match node:
        case Both(left=left, right=right) | Either(left=left, right=right):
            check(left, event)
            check(right, event)
        case Not(term=term):
            check(term, event)
        case IsSet(property=prop):
            _type_of(prop, event)
        case Compare():
            _check_compare(node, event)
        case Member(item=item, choices=choices):
            for choice in choices:
                _check_pair("==", item, choice, event, node.column)
        case Literal(value=value):
            if not isinstance(value, bool):
                raise ExpressionError("expected a comparison, got a literal alone", node.column)
        case Property(path=path):
            kind = _type_of(node, event).kind
            if kind not in (Kind.BOOLEAN, Kind.ANY):
                raise ExpressionError(f"{'.'.join(path)} is a {kind}, expected a comparison or a boolean", node.column)


def _check_compare(node: Compare, event: EventType) -> None:
    if isinstance(node.left, Literal) and isinstance(node.right, Literal):
        raise ExpressionError("compares two literals; one side must be a property", node.column)
    _check_pair(node.op, node.left, node.right, event, node.column)


def _check_pair(op: str, left: Literal | Property, right: Literal | Property, event: EventType, column: int) -> None:
    a, b = _type_of(left, event), _type_of(right, event)
    for side in (a, b):
        if side.kind is Kind.TIME:
            raise ExpressionError("not supported yet: comparing times", column)
        if side.kind in (Kind.LIST, Kind.MAP, Kind.RECORD):
            raise ExpressionError(f"a {side.kind} cannot be compared", column)
    for side, other in ((a, right), (b, left)):
        written = other.value if isinstance(other, Literal) else None
        if side.symbols and isinstance(written, str) and written not in side.symbols:
            hint = did_you_mean(written, side.symbols) or f"; expected one of {', '.join(side.symbols)}"
            raise ExpressionError(f"{written!r} is not a symbol of this enum{hint}", other.column)
    plain = [Kind.STRING if side.kind is Kind.ENUM else side.kind for side in (a, b)]
    if Kind.ANY not in plain and plain[0] is not plain[1]:
        raise ExpressionError(f"compares a {plain[0]} with a {plain[1]}, which is never true", column)
    if op in ("<", "<=", ">", ">=") and not all(kind in (*_ORDERED, Kind.ANY) for kind in plain):
        raise ExpressionError(f"{op!r} needs numbers or strings", column)


def _type_of(node: Literal | Property, event: EventType) -> PropertyType:
    if isinstance(node, Literal):
        if isinstance(node.value, bool):
            return PropertyType(Kind.BOOLEAN)
        return PropertyType(Kind.STRING if isinstance(node.value, str) else Kind.NUMBER)
    names, known, rest = node.path, event.properties, node.path
    if names[0] == "meta" and "meta" not in known and len(names) > 1:
        known, rest = META, names[1:]
    found: PropertyType | None = None
    for at, name in enumerate(rest):
        if name not in known:
            owner = ".".join(names[: len(names) - len(rest) + at]) or event.names[0]
            hint = did_you_mean(name, known) or f"; it has {', '.join(sorted(known)) or 'none'}"
            raise ExpressionError(f"{owner} has no property {name!r}{hint}", node.column)
        found = known[name]
        if found.pii:
            raise ExpressionError(f"{'.'.join(names)} is marked pii and never reaches the rules", node.column)
        if found.kind is Kind.ANY:
            return found
        if found.kind in (Kind.MAP, Kind.LIST) and at < len(rest) - 1:
            raise ExpressionError(f"not supported yet: reading inside a {found.kind} ({name!r})", node.column)
        known = found.fields
    assert found is not None  # noqa: S101 - a path has at least one name
    return found
