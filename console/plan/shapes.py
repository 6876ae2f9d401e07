"""What values were seen in a place of the samples: the fold of JSON values, from which a type is drafted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from console.plan.names import words
from schemas.values import parse_time

MAX_KEYS = 200
"""Keys of an object that are kept apart; with more it can only be a map."""
MAX_VALUES = 24
"""Different strings that are remembered, for enums."""

_LONG = range(-(2**63), 2**63)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{6,18}")
_PERSONAL = {
    "email", "mail", "phone", "mobile", "msisdn", "surname", "birthday", "birthdate", "dob", "passport", "iban", "ssn",
    "password", "firstname", "lastname", "fullname",
}  # fmt: skip
_DIGITS = {"phone", "mobile", "msisdn", "passport", "ssn"}
_PERSONAL_PAIRS = {("first", "name"), ("last", "name"), ("full", "name"), ("card", "number"), ("date", "birth"),
                   ("birth", "date"), ("phone", "number"), ("tax", "id")}  # fmt: skip


@dataclass(slots=True)
class Numbers:
    """``long``: all fit Avro's long; ``exact``: double holds all; ``each``: each fits one of the two."""

    integers: int = 0
    floats: int = 0
    long: bool = True
    exact: bool = True
    each: bool = True

    def add(self, value: int | float) -> None:
        if isinstance(value, float):
            self.floats += 1
            return
        self.integers += 1
        fits, exact = value in _LONG, abs(value) <= 2**1000 and int(float(value)) == value
        self.long, self.exact, self.each = self.long and fits, self.exact and exact, self.each and (fits or exact)

    def merge(self, other: Numbers) -> None:
        self.integers += other.integers
        self.floats += other.floats
        self.long, self.exact = self.long and other.long, self.exact and other.exact
        self.each = self.each and other.each


@dataclass(slots=True)
class Strings:
    """``times``: all are RFC 3339; ``values``: the different ones, None once there are more than MAX_VALUES."""

    count: int = 0
    times: bool = True
    mails: bool = False
    phones: bool = False
    values: dict[str, int] | None = field(default_factory=dict)

    def add(self, value: str) -> None:
        self.count += 1
        self.times = self.times and parse_time(value) is not None
        short = value[:200]
        self.mails = self.mails or _MAIL.fullmatch(short) is not None
        self.phones = self.phones or _PHONE.fullmatch(short) is not None
        self._remember(value, 1)

    def merge(self, other: Strings) -> None:
        self.count += other.count
        self.times = self.times and other.times
        self.mails, self.phones = self.mails or other.mails, self.phones or other.phones
        if other.values is None:
            self.values = None
        for value, count in (other.values or {}).items():
            self._remember(value, count)

    def _remember(self, value: str, count: int) -> None:
        if self.values is not None:
            self.values[value] = self.values.get(value, 0) + count
            if len(self.values) > MAX_VALUES or len(value) > 100:
                self.values = None


@dataclass(slots=True)
class Shape:
    """``seen`` counts the values, nulls among them. ``keys`` are the members of ``objects`` objects, ``loose`` is the
    fold of their values instead once there were more than MAX_KEYS different ones."""

    seen: int = 0
    nulls: int = 0
    booleans: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    strings: Strings = field(default_factory=Strings)
    arrays: int = 0
    items: Shape | None = None
    objects: int = 0
    keys: dict[str, Shape] = field(default_factory=dict)
    loose: Shape | None = None
    example: Any = None

    def add(self, value: Any) -> None:
        """Take one JSON value."""
        self.seen += 1
        if value is None:
            self.nulls += 1
            return
        if self.example is None:
            self.example = value
        match value:
            case bool():
                self.booleans += 1
            case int() | float():
                self.numbers.add(value)
            case str():
                self.strings.add(value)
            case list():
                self.arrays += 1
                self.items = self.items or Shape()
                for item in value:
                    self.items.add(item)
            case dict():
                self.objects += 1
                for key, item in value.items():
                    self._member(key).add(item)
            case _:
                raise TypeError(f"{type(value).__name__} is no JSON value")

    def merge(self, other: Shape) -> None:
        """Take everything that ``other`` took."""
        self.seen, self.nulls = self.seen + other.seen, self.nulls + other.nulls
        self.booleans, self.arrays = self.booleans + other.booleans, self.arrays + other.arrays
        self.objects += other.objects
        self.example = other.example if self.example is None else self.example
        self.numbers.merge(other.numbers)
        self.strings.merge(other.strings)
        if other.items is not None:
            self.items = self.items or Shape()
            self.items.merge(other.items)
        if other.loose is not None:
            self._loosen().merge(other.loose)
        for key, shape in other.keys.items():
            self._member(key).merge(shape)

    def values(self) -> Shape:
        """The fold of all members, whatever their keys: what a map would hold."""
        if self.loose is not None:
            return self.loose
        merged = Shape()
        for shape in self.keys.values():
            merged.merge(shape)
        return merged

    def _member(self, key: str) -> Shape:
        if self.loose is None and key not in self.keys and len(self.keys) >= MAX_KEYS:
            self._loosen()
        return self.keys.setdefault(key, Shape()) if self.loose is None else self.loose

    def _loosen(self) -> Shape:
        if self.loose is None:
            self.loose = self.values()
            self.keys = {}
        return self.loose


def personal(name: str, shape: Shape) -> str | None:
    """Why a property seems to hold personal data, by its name or what is in it, or None."""
    spelled = [word.lower() for word in words(name)]
    pairs = set(pairwise(spelled)) | set(zip(spelled, spelled[2:], strict=False))
    if shape.strings.count:
        suspect = bool(_PERSONAL.intersection(spelled) or _PERSONAL_PAIRS & pairs)
    else:  # how many mails there were is nobody's secret
        suspect = bool(shape.numbers.integers and (_DIGITS.intersection(spelled) or _PERSONAL_PAIRS & pairs))
    if suspect:
        return f"the name {name} suggests personal data"
    if shape.strings.mails:
        return "a value is an e-mail address"
    if shape.strings.phones:
        return "a value is a phone number"
    inner = [("", shape.items)] if shape.items else []
    inner += [("", shape.loose)] if shape.loose else []
    for key, one in [*inner, *shape.keys.items()]:
        why = personal(key, one) if one is not None else None
        if why:
            return why
    return None
