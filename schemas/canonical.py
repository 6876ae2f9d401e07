"""The short way for framed Avro: one regular expression per schema, which matches an event record only if its bytes may
pass into the journal unchanged. What it does not match is not wrong, just unusual, and is read by schemas.framed.

In one call it proves that every integer is in its fewest bytes, every string of its length, every index in its range
and every double finite; what is left are UTF-8 and the rules of the plan. Long strings, arrays and maps with something
in them, pii that is not null, a unique key that is, and times far from ours are unusual. Alternatives exclude one
another by their first bytes, so all of them are atomic: what does not match is given up at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from schemas import avro
from schemas.bounds import Rule, rule_of
from schemas.codec import FRAME, LATENESS, ORIGINS
from schemas.framed import Body, body_reader
from schemas.personal import holds_pii
from schemas.plan import EventSchema
from schemas.reading import UNPACK, Misread, read_long
from schemas.violations import Violation, show

_LONGEST = 127
"""Bytes of a string that is not unusual."""


def _one_of(count: int) -> bytes:
    """The index of one of ``count`` symbols."""
    return b"(?>" + b"|".join(re.escape(avro.long(index)) for index in range(count)) + b")"


def _text(shortest: int) -> bytes:
    lengths = range(shortest, _LONGEST + 1)
    return b"((?>" + b"|".join(re.escape(avro.long(size)) + b".{%d}" % size for size in lengths) + b"))"


_TEXT, _SOME_TEXT = _text(0), _text(1)
_LONG = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,8}+[\x01-\x7f]|[\x80-\xff]{9}\x01)"
_INT = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,3}+[\x01-\x7f]|[\x80-\xff]{4}[\x01-\x0f])"
_TIME = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,5}+[\x01-\x7f])"
"""Up to six bytes: the years 1900 to 2039, all of them on the calendar."""
_FINITE = {
    "double": rb"(?:.{6}(?:[\x00-\xef].|[\xf0-\xff][\x00-\x7e\x80-\xfe]))",
    "float": rb"(?:..(?:[\x00-\x7f].|[\x80-\xff][\x00-\x7e\x80-\xfe]))",
}
_META = b"".join((
    _TEXT, b"(\\x00|\\x02", _SOME_TEXT, b")(\\x00|\\x02", _SOME_TEXT, b")(", _TIME, b")", _LONG, _TEXT,
    _one_of(len(ORIGINS)), _one_of(len(LATENESS)), _LONG,
))  # fmt: skip
"""Groups: event_id, user_id, its text, anonymous_id, its text, time, source."""
_META_TEXTS = (1, 3, 5, 7)
_PROPERTIES = 8

Convert = Callable[[bytes], Any]


class _Pattern:
    """The expression of one schema while it is put together."""

    def __init__(self) -> None:
        self.groups = _PROPERTIES
        self.texts: list[int] = [group - 1 for group in _META_TEXTS]
        self.rules: list[tuple[int, Convert, Rule, str]] = []

    def of_field(self, field: dict[str, Any], path: str, needed: bool = False) -> bytes:
        """``needed``: null would be unusual."""
        schema = field["type"]
        if field.get("pii"):
            return re.escape(avro.long(schema.index("null"))) if isinstance(schema, list) else b""
        return self.of_type(schema, rule_of(field), path, needed)

    def of_type(self, schema: Any, rule: Rule | None, path: str, needed: bool = False) -> bytes:
        if isinstance(schema, list):
            return self._union(schema, rule, path, needed)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, dict) and schema.get("logicalType") is not None:
            return _TIME
        match kind:
            case "string":
                self.texts.append(self.groups)
                return self._judged(_TEXT, lambda piece: avro.content(piece).decode(), rule, path)
            case "int" | "long":
                pattern = _INT if kind == "int" else _LONG
                return pattern if rule is None else self._judged(b"(" + pattern + b")", _number, rule, path)
            case "float" | "double":
                pattern = _FINITE[kind]
                return pattern if rule is None else self._judged(b"(" + pattern + b")", _floating(kind), rule, path)
            case "boolean":
                return rb"[\x00\x01]"
            case "null":
                return b"" if not needed else _NEVER
            case "enum":
                return _one_of(len(schema["symbols"]))
            case "array" | "map":
                return rb"\x00"
            case "record":
                return b"".join(self.of_field(field, f"{path}.{field['name']}") for field in schema["fields"])
            case _:
                return self.of_type(kind, rule, path, needed)

    def _union(self, branches: list[Any], rule: Rule | None, path: str, needed: bool) -> bytes:
        single = len([branch for branch in branches if branch != "null"]) == 1
        return b"(?>" + b"|".join(
            re.escape(avro.long(at)) + self.of_type(branch, rule if single else None, path)
            for at, branch in enumerate(branches) if not (needed and branch == "null")
        ) + b")"  # fmt: skip

    def _judged(self, pattern: bytes, convert: Convert, rule: Rule | None, path: str) -> bytes:
        """A pattern of one group, whose value has a rule."""
        if rule is not None:
            self.rules.append((self.groups, convert, rule, path))
        self.groups += 1
        return pattern


_NEVER = b"(?!)"


def canonical_reader(schema: EventSchema) -> Callable[[bytes], Body | None]:
    """A function from a framed value to its parts, or to None if it is unusual."""
    if schema.reserved:
        return lambda value: None
    made = _Pattern()
    properties = b"".join(
        made.of_field(field, field["name"], field["name"] in schema.unique) for field in schema.definition["fields"][1:]
    )
    match = _compiled(_META + b"(" + properties + b")").fullmatch
    texts, rules = itemgetter(*made.texts), made.rules

    def read(value: bytes) -> Body | None:
        found = match(value, FRAME)
        if found is None:
            return None
        groups = found.groups(b"")
        try:
            b"\0".join(texts(groups)).decode()
        except UnicodeDecodeError:
            if not _all_utf8(texts(groups)):
                return None
        violation = None
        for group, convert, rule, path in rules:
            piece = groups[group]
            if piece and violation is None:
                content = convert(piece)
                expected = rule(content)
                if expected is not None:
                    violation = Violation(path, expected, show(content), of_plan=True)
        return Body(
            groups[0], groups[1], groups[3], avro.short_long(groups[5]), groups[5], avro.content(groups[6]), groups[7],
            violation,
        )  # fmt: skip

    return read


@lru_cache(maxsize=1024)
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    """Kept, since every change of the catalog asks again for mostly the same."""
    return re.compile(pattern, re.DOTALL)


def _all_utf8(texts: tuple[bytes, ...]) -> bool:
    """Texts one by one: a length of two bytes is not UTF-8 itself."""
    try:
        for text in texts:
            if text:
                avro.content(text).decode()
    except UnicodeDecodeError:
        return False
    return True


def _number(piece: bytes) -> int:
    return read_long(piece, 0, "")[0]


def _floating(kind: str) -> Convert:
    unpack = UNPACK[kind]
    return lambda piece: unpack(piece)[0]


class FramedReader:
    """Framed values of one schema to their parts: the short way where it leads. Raises Misread.

    It is compiled when the first value comes, since most schemas of a plan never arrive as Avro.
    """

    def __init__(self, schema: EventSchema) -> None:
        self._schema = schema
        self._short: Callable[[bytes], Body | None] | None = None
        self._strict: Callable[[bytes], Body] | None = None

    def __call__(self, value: bytes) -> Body:
        """Without what only ``whole`` says of meta."""
        short = self._short
        if short is None:
            short = self._short = canonical_reader(self._schema)
        body = short(value)
        return self.whole(value) if body is None else body

    def whole(self, value: bytes) -> Body:
        if self._strict is None:
            self._strict = body_reader(self._schema)
        try:
            return self._strict(value)
        except Misread as error:
            # Where lengths are wrong, the key of a map may be a piece of a pii field.
            if error.outside is None or not holds_pii(self._schema.definition):
                raise
            raise Misread(error.outside, error.expected, error.got) from None
