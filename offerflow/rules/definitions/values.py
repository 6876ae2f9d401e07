"""The small values of definitions: ids, durations, money, shares, dates. Each knows how it was written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from offerflow.rules import durations
from offerflow.rules.zones import names

LARGEST = 10**14
"""What a number in a definition is at most."""

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_MONEY = r"([0-9]+(?:\.[0-9]+)?) ([A-Z]{3})"
_PERCENT = r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"


class Model(BaseModel):
    """Strict and closed: no coercion, no unknown keys. ``from`` is a keyword of Python, so that key goes by alias."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True)
class Duration:
    """``milliseconds`` and how they were written."""

    milliseconds: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and a currency of ISO 4217."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class Share:
    """A share in 1/10,000, and how it was written."""

    parts: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a date with a time; without an offset it is in a zone that only its user knows."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_date(self) -> bool:
        return "T" not in self.text

    def start(self, zone: ZoneInfo) -> int:
        """Its first millisecond since 1970 UTC."""
        read = datetime.combine(date.fromisoformat(self.text), time()) if self.is_date else self._time()
        return _since_1970(read if read.tzinfo else read.replace(tzinfo=zone))

    def end(self, zone: ZoneInfo) -> int:
        """Its last: a date means that whole day."""
        if not self.is_date:
            return self.start(zone)
        after = datetime.combine(date.fromisoformat(self.text) + timedelta(days=1), time(), zone)
        return _since_1970(after) - 1

    def _time(self) -> datetime:
        return datetime.fromisoformat(self.text)


Scalar = Duration | Money | Share | Moment


def _since_1970(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _identifier(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(_ID, value):
        raise PydanticCustomError(
            "identifier", "expected an id of letters, digits, '.', '_' or '-', at most 100, such as third-purchase"
        )
    return value


def _duration(least: int) -> Callable[[object], Duration]:
    def read(value: object) -> Duration:
        if isinstance(value, Duration):
            return value
        try:
            found = Duration(durations.milliseconds(value if isinstance(value, str) else ""), str(value))
        except ValueError as error:
            raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None
        if found.milliseconds < least:
            raise PydanticCustomError("duration", "expected a duration longer than none, such as 30d")
        return found

    return read


def _number(least: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
            raise PydanticCustomError("number", "expected a number")
        if not least <= value <= LARGEST:  # type: ignore[operator]
            raise PydanticCustomError(
                "number", "expected a number from {least} to {most}", {"least": f"{least:.0f}", "most": f"{LARGEST}"}
            )
        return value  # type: ignore[return-value]

    return read


def _money(value: object) -> Money:
    if isinstance(value, Money):
        return value
    match = re.fullmatch(_MONEY, value) if isinstance(value, str) else None
    if match is None or not match[0].isascii():
        if isinstance(value, str) and value.startswith("-") and re.fullmatch(_MONEY, value[1:]):
            raise PydanticCustomError("money", "a reward takes nothing away; expected an amount such as 10 EUR")
        raise PydanticCustomError("money", "expected an amount and a currency such as 10 EUR or 7.50 USD")
    amount = Decimal(match[1])
    if amount >= Decimal(10) ** 14 or -int(amount.as_tuple().exponent) > 4:
        raise PydanticCustomError("money", "an amount has at most 14 digits before and 4 after the point")
    return Money(amount, match[2])


def _percent(value: object) -> Share:
    if isinstance(value, Share):
        return value
    match = re.fullmatch(_PERCENT, value) if isinstance(value, str) else None
    if match is None or (share := Decimal(match[1]) * 100) > 10_000:
        raise PydanticCustomError("percent", "expected a share such as 10% or 2.5%, from 0% to 100%")
    return Share(int(share), str(value))


def _moment(value: object) -> Moment:
    if isinstance(value, Moment):
        return value
    expected = "expected a date such as 2026-03-01 or 2026-03-01T09:00:00+01:00"
    if not isinstance(value, str) or not re.fullmatch(_MOMENT, value):
        raise PydanticCustomError("moment", expected)
    try:
        found = Moment(value)
        read = datetime.fromisoformat(value)
        if not 1970 <= read.year <= 9000:
            raise ValueError("year")
    except ValueError:
        raise PydanticCustomError("moment", f"there is no such day or time; {expected}") from None
    return found


def _zone(value: object) -> object:
    if isinstance(value, str) and value not in names():
        from offerflow.rules.nearest import did_you_mean  # only for somebody who misspelt it

        hint = did_you_mean(value, names()) or "; expected one of the tz database such as Europe/Berlin"
        raise PydanticCustomError("zone", "there is no time zone {name}{hint}", {"name": value, "hint": hint})
    return value


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


_DURATION_TEXT = WithJsonSchema({"type": "string", "pattern": f"^(?=.){durations.PATTERN}$", "examples": ["30d"]})

Identifier = Annotated[str, BeforeValidator(_identifier), WithJsonSchema({"type": "string", "pattern": f"^{_ID}$"})]
Span = Annotated[Duration, PlainValidator(_duration(1)), _DURATION_TEXT]
"""A duration longer than none."""
SpanOrNone = Annotated[Duration, PlainValidator(_duration(0)), _DURATION_TEXT]
"""A duration, ``0s`` too."""
Number = Annotated[
    int | float,
    PlainValidator(_number(-LARGEST)),
    WithJsonSchema({"type": "number", "minimum": -LARGEST, "maximum": LARGEST}),
]
Price = Annotated[
    int | float, PlainValidator(_number(0)), WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST})
]
"""A number that is not negative."""
Amount = Annotated[Money, PlainValidator(_money), _text(_MONEY, "10 EUR")]
Percent = Annotated[Share, PlainValidator(_percent), _text(_PERCENT, "10%")]
Date = Annotated[Moment, PlainValidator(_moment), _text(_MOMENT, "2026-03-01")]
Zone = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]


def plain(model: BaseModel) -> dict[str, Any]:
    """The definition as JSON values, without what was left out: what the catalog keeps and hashes."""
    given = model.model_fields_set
    return {field.alias or name: _plain(getattr(model, name))
            for name, field in type(model).model_fields.items() if name in given}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return plain(value)
    if isinstance(value, Scalar):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def path_of(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The path in a definition of an error of pydantic's, without the branches of unions, which are named ``<so>``."""
    return tuple(step for step in location if not str(step).startswith("<"))
