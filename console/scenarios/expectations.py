"""The ``expect`` of a step, from what is written to a list of things that are to happen or to be so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from console.explained.values import money
from console.scenarios.definition import ExpectDefinition
from console.scenarios.model import Expected, Kind
from console.scenarios.times import Calendar
from console.workspace.problems import Path
from offerflow.rules.explained import Status
from offerflow.rules.nearest import did_you_mean
from schemas.dead_letter import REASONS

Tell = Callable[[Path, str], None]
_SHORT: Mapping[str, str | None] = {
    "entered": "variant",
    "completed": None,
    "exited": "reason",
    "satisfied": "value",
    "fulfilled": "by",
    "reversed": "reason",
    "refused": "reason",
}
"""What a bare text behind a name means."""

_LONG: Mapping[str, tuple[str, ...]] = {
    "entered": ("variant", "via", "attributes", "expires_at", "entered_at", "user"),
    "completed": ("variant", "exited_at", "user"),
    "exited": ("reason", "variant", "exited_at", "user"),
    "satisfied": ("value", "offer", "variant", "late", "satisfied_at", "attributes", "user"),
    "fulfilled": ("by", "user"),
    "reversed": ("reason", "offer", "user"),
    "refused": ("reason", "user"),
}
_CLOSED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("entered", "via"): ("event", "code", "api"),
    ("exited", "reason"): ("completed", "expired", "exit_condition", "withdrawn"),
    ("reversed", "reason"): ("refund", "expired", "manual"),
    ("refused", "reason"): (
        "paused",
        "not_started",
        "ended",
        "already_in",
        "capped",
        "cooldown",
        "not_in_audience",
        "exclusive",
        "unknown_code",
        "unknown_offer",
        "no_such_reward",
    ),
    ("status", "status"): tuple(Status),
    ("dead_letter", "reason"): (*REASONS, "unknown_reward"),
}
"""Where only some texts can ever be."""

_MONEY = re.compile(r"(-?[\d.]+) ([A-Z]{3})")


def expectations(written: ExpectDefinition, base: Path, calendar: Calendar, tell: Tell) -> Iterator[Expected]:
    """``base`` leads to ``expect``; what is wrong is told with the path to it."""
    for kind in get_args(Kind):
        value = getattr(written, kind)
        path = (*base, kind)
        if value is None:
            continue
        if kind in ("ignored", "dead_letter"):
            _one_of((kind, "reason"), value, path, tell)
            yield Expected(kind, value, {}, path)
        elif kind == "progress":
            for name, texts in value.items():
                for text in [texts] if isinstance(texts, str) else texts:
                    yield Expected(kind, name, {"progress": text}, (*path, name))
        elif kind == "status":
            for name, text in value.items():
                said = text.replace("_", " ")
                _one_of((kind, kind), said, (*path, name), tell)
                yield Expected(kind, name, {"status": said}, (*path, name))
        elif kind == "completed":
            for one in _named(kind, value, path, calendar, tell):
                yield replace(one, kind="exited", wants={"reason": "completed", **one.wants})
        else:
            yield from _named(kind, value, path, calendar, tell)


def _named(kind: Kind, value: Any, path: Path, calendar: Calendar, tell: Tell) -> Iterator[Expected]:
    """A name, names with what else must be true, which may be a list for several of that name, or a list of these."""
    if isinstance(value, str):
        yield Expected(kind, value, {}, path)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _named(kind, one, (*path, at), calendar, tell)
    else:
        for name, asked in value.items():
            there = (*path, name)
            for number, one in enumerate(asked if isinstance(asked, list) else [asked]):
                place = (*there, number) if isinstance(asked, list) else there
                yield Expected(kind, name, _wants(kind, one, place, calendar, tell), place)


def _wants(kind: str, asked: Any, path: Path, calendar: Calendar, tell: Tell) -> dict[str, Any]:
    if asked is None or asked == "any":
        return {}
    if not isinstance(asked, dict):
        short = _SHORT[kind]
        if short is None:
            tell(path, f"expected a mapping with {', '.join(_LONG[kind])}, got {asked!r}")
            return {}
        asked, at = {short: asked}, path
    else:
        at = (*path, "")
    wants = {}
    for key, value in asked.items():
        there = path if at == path else (*path, key)
        if key not in _LONG[kind]:
            known = _LONG[kind]
            tell(there, f"unknown key {key!r}{did_you_mean(str(key), known)}; {kind} takes {', '.join(known)}")
            continue
        try:
            wants[key] = _want(key, value, calendar)
            _one_of((kind, key), value, there, tell)
        except ValueError as error:
            tell(there, str(error))
    return wants


def _one_of(slot: tuple[str, str], value: Any, path: Path, tell: Tell) -> None:
    known = _CLOSED.get(slot)
    if known is not None and value not in known:
        tell(
            path, f"there is no {slot[1]} {value!r}{did_you_mean(str(value), known) or f'; expected {_either(known)}'}"
        )


def _either(known: tuple[str, ...]) -> str:
    return f"{', '.join(known[:-1])} or {known[-1]}"


def _want(key: str, value: Any, calendar: Calendar) -> Any:
    """In the form that what happens is told in. Raises ValueError."""
    if key == "value":
        return _value(value)
    if key == "late":
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return value
    if key == "attributes":
        if not isinstance(value, dict):
            raise ValueError(f"expected a mapping such as {{headline: Save 20}}, got {value!r}")
        return {str(name): str(text) for name, text in value.items()}
    if not isinstance(value, str):
        raise ValueError(f"expected a text, got {value!r}")
    return calendar.text(calendar.moment(value)) if key.endswith("_at") else value


def _value(value: Any) -> str:
    if value == "none":
        return "none"
    found = _MONEY.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise InvalidOperation
        return money(Decimal(found[1]), found[2])
    except InvalidOperation:
        raise ValueError(f"expected a value such as 10 EUR, or none; got {value!r}") from None
