"""What pydantic finds wrong with a definition, in the words of the language: what was expected, and what came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from console.workspace.problems import Path
from offerflow.rules.definitions import NOT_YET, known_keys, path_of
from offerflow.rules.nearest import did_you_mean

_SHAPES = {
    "count": "expected a mapping such as {at_least: 2}",
    "reward": "expected a mapping such as {id: voucher, value: 10 EUR}",
    "entry": "expected a condition such as {event: Purchase Completed} or {condition: third-purchase}",
    "variants": "expected a list such as [{id: a, weight: 1, reward: {id: voucher, value: 10 EUR}}]",
}
"""By the key of a value of the wrong form."""

_TEXTS = {
    "code": "expected a code of 1 to 100 characters without spaces, such as UPGRADE26",
    "currency": "expected a currency of three capital letters, such as EUR",
    "topics": "expected a raw topic such as raw.backend or raw.gym",
    "per_key": "expected the name of a property of the entering event, such as order_id",
    "event": "expected the name of an event, such as Purchase Completed",
    "where": "expected an expression such as amount >= 50",
    "expr": "expected an expression such as amount * 0.05",
}
"""By the key of a text that is none, or does not look like one."""

_REQUIRED = {"origin": "'sdk', 'backend' or 'integration'"}
_TEXTUAL = ("string_type", "string_pattern_mismatch", "string_too_short", "string_too_long")
_OURS = ("not_yet", "condition", "offer", "variant")
"""Types of errors that say all there is to say."""


def mistakes(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Path and message of each. A key that is required is not missed where one beside it is it, misspelt."""
    found = [(path_of(one["loc"]), dict(one)) for one in error.errors(include_url=False)]
    unknown = [path for path, one in found if one["type"] == "extra_forbidden"]
    meant = {path: path[-1] for path, one in found if one["type"] == "missing" if _misspelt(path, unknown)}
    for path, one in found:
        if path not in meant:
            beside = [str(key) for other, key in meant.items() if other[:-1] == path[:-1]]
            yield path, _message(path, one, beside)


def _misspelt(path: Path, unknown: list[Path]) -> bool:
    return any(other[:-1] == path[:-1] and did_you_mean(str(other[-1]), [str(path[-1])]) for other in unknown)


def _message(path: Path, error: dict[str, Any], missed: list[str]) -> str:
    """``missed``: required keys beside it that it may stand for."""
    key, kind = str(path[-1]) if path else "", error["type"]
    if kind == "extra_forbidden":
        if key in NOT_YET:
            return f"{NOT_YET[key]}"
        if key in known_keys():
            return f"{key!r} does not belong here"
        near = did_you_mean(key, missed) or did_you_mean(key, known_keys())
        return f"unknown key {key!r}{near or '; it is not part of the language'}"
    if kind == "missing":
        if key in _REQUIRED:
            return f"is required, got nothing (expected {_REQUIRED[key]})"
        return f"is required, got nothing; {_SHAPES.get(key) or _TEXTS.get(key) or f'expected {key}'}"
    message, got = _expected(path, error), error.get("input")
    if kind in _OURS:
        return message
    if isinstance(got, dict | list):
        return message
    shown = "nothing" if got is None else repr(got)
    return message if f", got {shown}" in message else f"{message}, got {shown}"


def _expected(path: Path, error: dict[str, Any]) -> str:
    key, kind, more = str(path[-1]) if path else "", str(error["type"]), error.get("ctx", {})
    if kind in _TEXTUAL:
        return next((_TEXTS[step] for step in (key, *map(str, path[-2:-1])) if step in _TEXTS), "expected a text")
    match kind:
        case "model_type" | "dict_type" | "list_type":
            return _SHAPES.get(key) or f"expected a {'list' if kind == 'list_type' else 'mapping'}"
        case "too_short":
            return f"is empty; {_SHAPES.get(key, 'expected something in it')}"
        case "too_long":
            return f"has {more['actual_length']} items, expected at most {more['max_length']}"
        case "greater_than_equal":
            return f"expected at least {more['ge']}"
        case "less_than_equal":
            return f"expected at most {more['le']}"
        case "int_type" | "int_from_float" | "int_parsing":
            return "expected a whole number"
        case "bool_type" | "bool_parsing":
            return "expected true or false"
    return str(error["msg"]).replace("Input should be", "expected")
