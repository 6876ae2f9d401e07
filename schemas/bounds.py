"""The rules of the plan for single values: minimum, maximum and pattern, wherever in a property their field is.

They are judged after every type, on values that have theirs, and never for null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

from schemas.values import Encode, encoder
from schemas.violations import HIDDEN, Violation, show

NUMBERS = frozenset({"int", "long", "float", "double"})
_COMPLEX = ("record", "enum", "array", "map", "fixed")

Rule = Callable[[Any], str | None]
"""What was expected of a value that breaks the rule, None if it does not."""
Check = Callable[[Any, str], None]
"""(value, field path), for a value of the right type. Raises Violation."""


def rule_of(field: dict[str, Any]) -> Rule | None:
    """The bounds and the pattern that a field has of its own."""
    low, high = field.get("minimum"), field.get("maximum")
    pattern = re2.compile(field["pattern"], quiet()) if "pattern" in field else None
    if low is None and high is None and pattern is None:
        return None

    def broken(value: Any) -> str | None:
        if low is not None and value < low:
            return f"at least {low}"
        if high is not None and value > high:
            return f"at most {high}"
        if pattern is not None and not pattern.search(value):
            return f"a match of {field['pattern']}"
        return None

    return broken


def check_of(field: dict[str, Any], closed: bool) -> Check | None:
    """The rules of a field and of every field inside its type; None if there are none."""
    check = _inside(field["type"], rule_of(field), closed)
    if check is None or not field.get("pii"):
        return check

    def hidden(value: Any, path: str) -> None:
        try:
            check(value, path)
        except Violation as violation:
            raise Violation(path, violation.expected, HIDDEN, of_plan=True) from None

    return hidden


def bare_type(schema: Any) -> Any:
    """The name of the type behind an optional one; None for a union of several."""
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return bare_type(others[0]) if len(others) == 1 else None
    if isinstance(schema, dict):
        inner = schema.get("type")
        return inner if inner in _COMPLEX else bare_type(inner)
    return schema


def quiet() -> Any:
    """RE2 otherwise writes what it thinks of an expression to stderr."""
    options = re2.Options()
    options.log_errors = False
    return options


def _inside(schema: Any, rule: Rule | None, closed: bool) -> Check | None:
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        return _inside(branches[0], rule, closed) if len(branches) == 1 else _taken(branches, closed)
    kind = schema["type"] if isinstance(schema, dict) else schema
    match kind:
        case "record":
            return _fields(schema["fields"], closed)
        case "array" | "map":
            inner = _inside(schema["items" if kind == "array" else "values"], None, closed)
            return None if inner is None else (_items if kind == "array" else _values)(inner)
        case dict() | list():
            return _inside(kind, rule, closed)
    return None if rule is None else _leaf(rule)


def _leaf(rule: Rule) -> Check:
    def check(value: Any, path: str) -> None:
        expected = None if value is None else rule(value)
        if expected is not None:
            raise Violation(path, expected, show(value), of_plan=True)

    return check


def _fields(fields: list[dict[str, Any]], closed: bool) -> Check | None:
    checks = [(field["name"], check) for field in fields if (check := check_of(field, closed)) is not None]
    if not checks:
        return None

    def check_fields(value: Any, path: str) -> None:
        for name, check in checks:
            inner = None if value is None else value.get(name)
            if inner is not None:
                check(inner, f"{path}.{name}")

    return check_fields


def _items(item: Check) -> Check:
    def check(value: Any, path: str) -> None:
        for at, element in enumerate(value or ()):
            item(element, f"{path}[{at}]")

    return check


def _values(item: Check) -> Check:
    def check(value: Any, path: str) -> None:
        for key, element in (value or {}).items():
            item(element, f"{path}.{key}")

    return check


def _taken(branches: list[Any], closed: bool) -> Check | None:
    """Of a union with several branches, the rules of the one that the value was encoded as."""
    compiled: list[tuple[Encode, Check | None]] = [
        (encoder(branch, closed=closed), _inside(branch, None, closed)) for branch in branches
    ]
    if all(check is None for _, check in compiled):
        return None

    def check_taken(value: Any, path: str) -> None:
        for encode, check in compiled if value is not None else ():
            try:
                encode(value, path)
            except Violation:
                continue
            if check is not None:
                check(value, path)
            return

    return check_taken
