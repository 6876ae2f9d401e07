"""Hides what the event plan calls personal. By name and at any depth, since what is dead may have it anywhere: of an
event of another name, beside its properties, in a context."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.cloudevents import PREFIX
from schemas.dead_letter import StoredLetter
from schemas.personal import SPELLINGS, fields_in, holds_pii
from schemas.plan import Plan
from schemas.violations import HIDDEN as UNTOLD

Header = tuple[str, bytes | None]
HIDDEN = "(pii, hidden)"
CHANGED = "(pii, hidden, changed)"
ENCODED = "data_base64"
"""The member of a CloudEvent that holds all of its data, readable for anybody and by name for nobody."""
_WHOLE = ("an object", "an array")
_STEP = re.compile(r"[^.\[\]]+")
"""One member of a field path such as ``homes[1].street``."""
_MISSING = object()
_NEVER = object()
"""There is nothing to compare with, which is not the same as an absent member."""


class Personal(NamedTuple):
    """Names of fields: ``names`` of those marked as pii, ``holders`` of those with such fields in the records below,
    ``others`` of those that are neither."""

    names: frozenset[str]
    holders: frozenset[str]
    others: frozenset[str] = frozenset()


NOTHING = Personal(frozenset(), frozenset())


def personal_in(plan: Plan) -> Personal:
    """What some version of some event type says of its fields, at any depth."""
    fields = [field for schema in plan.by_id.values() for field in fields_in(schema.definition)]
    names = {field["name"] for field in fields if field.get("pii")}
    if not names:
        return NOTHING
    names |= {SPELLINGS[name] for name in names & SPELLINGS.keys()}
    holders = {field["name"] for field in fields if holds_pii(field.get("type"))}
    others = {field["name"] for field in fields} - names - holders
    return Personal(frozenset(names | {ENCODED}), frozenset(holders), frozenset(others))


def mask_letter(letter: StoredLetter, personal: Personal) -> StoredLetter:
    """Its field, what came there and the detail without what is pii by now, though it was not when it was judged."""
    field, expected, got = letter.field, letter.expected or "", letter.got
    if field is None or got is None:
        return letter
    steps = list(_STEP.finditer(field))
    inside = next((step for step in steps if step[0] in personal.names), None)
    whole = expected.startswith(_WHOLE) or " or " in expected
    if inside is None and not (whole and any(step[0] in personal.holders for step in steps)):
        return letter
    # Not what comes below: keys of a map are its value too.
    field = field[: inside.end()] if inside else field
    detail = f"{field}: expected {letter.expected}, got {UNTOLD}"
    return msgspec.structs.replace(letter, field=field, got=UNTOLD, detail=detail)


def mask_headers(headers: Sequence[Header], personal: Personal) -> list[Header]:
    """Headers that are attributes of a CloudEvent are hidden as its members are."""
    return [
        (name, HIDDEN.encode() if content and name.startswith(PREFIX) and name[len(PREFIX) :] in personal.names
         else content)
        for name, content in headers
    ]  # fmt: skip


def mask(value: Any, personal: Personal, before: Any = _NEVER) -> Any:
    """``value`` with every member hidden that is pii or stands where a record with pii belongs, null aside. Against
    ``before``, it says what changed."""
    if isinstance(value, Mapping):
        return {name: _member(name, item, personal, _in(before, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [mask(item, personal, _at(before, place)) for place, item in enumerate(value)]
    return value


def _member(name: str, value: Any, personal: Personal, was: Any) -> Any:
    if value is None:
        return None
    if name in personal.names:
        return _hidden(value, was)
    return _held(value, personal, was) if name in personal.holders else mask(value, personal, was)


def _held(value: Any, personal: Personal, was: Any) -> Any:
    """Of what should be a record, or a list or map of them: of its members those the plan has no name for may be keys
    of a map, and then records; what is neither is hidden as a whole."""
    if isinstance(value, list):
        return [_held(item, personal, _at(was, place)) for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {name: _held_member(name, item, personal, _in(was, name)) for name, item in value.items()}
    return value if value is None else _hidden(value, was)


def _held_member(name: str, value: Any, personal: Personal, was: Any) -> Any:
    planned = name in personal.others or name in personal.names
    return _member(name, value, personal, was) if planned else _held(value, personal, was)


def _hidden(value: Any, was: Any) -> str:
    return HIDDEN if was is _NEVER or was == value else CHANGED


def _in(before: Any, name: str) -> Any:
    if before is _NEVER:
        return _NEVER
    return before.get(name, _MISSING) if isinstance(before, Mapping) else _MISSING


def _at(before: Any, place: int) -> Any:
    if before is _NEVER:
        return _NEVER
    return before[place] if isinstance(before, list) and place < len(before) else _MISSING
