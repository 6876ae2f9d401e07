"""``where`` expressions, evaluated by cutting the text at its weakest operator: no tree, no compilation.

``||`` binds weakest, then ``&&``, then one comparison or ``in``, then ``!``. A comparison with a missing property or
with one of another type is false, and that includes ``!=``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

MISSING = object()
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


def holds(text: str, properties: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> bool:
    """Whether ``text`` is true of an event with these properties."""
    names = {**properties, "meta": dict(meta or {})}
    return _value(text, names) is True


def _value(text: str, names: Mapping[str, Any]) -> Any:
    text = text.strip()
    if not text:
        raise ValueError("an expression is empty")
    for word, combine in (("||", any), ("&&", all)):
        parts = _cut(text, word)
        if len(parts) > 1:
            return combine([_value(part, names) is True for part in parts])
    for word in (*_COMPARISONS, "in"):
        parts = _cut(text, word)
        if len(parts) == 2:
            return _compare(word, _value(parts[0], names), _value(parts[1], names))
        if len(parts) > 2:
            raise ValueError(f"{text!r} has more than one {word!r} side by side")
    if text.startswith("!"):
        return _value(text[1:], names) is not True
    if text.startswith("(") and _closing(text, 0) == len(text) - 1:
        return _value(text[1:-1], names)
    if text.startswith("[") and text.endswith("]"):
        return [_value(part, names) for part in _cut(text[1:-1], ",") if part.strip()]
    asked = re.fullmatch(r"is_set\s*\((.*)\)", text, re.DOTALL)
    if asked:
        return _value(asked[1], names) is not MISSING
    return _atom(text, names)


def _atom(text: str, names: Mapping[str, Any]) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return MISSING
    if text[0] in "\"'":
        return ast.literal_eval(text)
    if re.fullmatch(r"[+-]?\s*\d+", text):
        return int(text.replace(" ", ""))
    if re.fullmatch(r"[+-]?\s*(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?", text):
        return float(text.replace(" ", ""))
    found: Any = names
    for step in text.split("."):
        if not re.fullmatch(r"\s*[A-Za-z_]\w*\s*", step):
            raise ValueError(f"cannot read {text!r}")
        found = found.get(step.strip(), MISSING) if isinstance(found, Mapping) else MISSING
    return MISSING if found is None else found


def _compare(word: str, left: Any, right: Any) -> bool:
    if word == "in":
        return isinstance(right, list) and any(_compare("==", left, item) for item in right)
    if left is MISSING or right is MISSING or _kind(left) != _kind(right):
        return False
    if word == "==":
        return bool(left == right)
    if word == "!=":
        return bool(left != right)
    if _kind(left) not in ("number", "text"):
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[word])


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


@cache
def _cut(text: str, word: str) -> tuple[str, ...]:
    """Split at each ``word`` that stands outside quotes and brackets."""
    parts, start, at, depth = [], 0, 0, 0
    while at < len(text):
        if text[at] in "\"'":
            at = _end_of_string(text, at)
            continue
        depth += (text[at] in "([") - (text[at] in ")]")
        if depth == 0 and _stands(text, at, word):
            parts.append(text[start:at])
            start = at = at + len(word)
            continue
        at += 1
    return (*parts, text[start:])


def _stands(text: str, at: int, word: str) -> bool:
    if not text.startswith(word, at):
        return False
    if word == "in":
        before, after = text[at - 1 : at], text[at + 2 : at + 3]
        return not re.match(r"[\w.]", before or " ") and not re.match(r"[\w.]", after or " ")
    longer = word in ("<", ">") and text.startswith("=", at + 1)
    return not longer


def _end_of_string(text: str, at: int) -> int:
    quote, at = text[at], at + 1
    while text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _closing(text: str, at: int) -> int:
    """Index of the bracket that closes the one at ``at``."""
    depth = 0
    while at < len(text):
        if text[at] in "\"'":
            at = _end_of_string(text, at)
            continue
        depth += (text[at] in "([") - (text[at] in ")]")
        if depth == 0:
            return at
        at += 1
    raise ValueError(f"{text!r} has an open bracket")
