"""How shares, durations and times are written on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from offerflow.rules.durations import milliseconds


class _Share(click.ParamType[float]):
    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"{text!r} is no share: expected a percentage such as 2% or a fraction such as 0.02", param, ctx)
        if not 0 <= share <= 0.9:
            self.fail(f"{text} is out of range: expected 0% to 90%", param, ctx)
        return share


class _Seconds(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return milliseconds(str(value)) / 1000
        except ValueError as error:
            self.fail(f"{value!r} is no duration: {error}", param, ctx)


class _Time(click.ParamType[int]):
    """Milliseconds since 1970, cut to whole seconds. A time without offset is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: expected RFC 3339 such as 2026-03-05T10:00:00Z", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * 1000


SHARE = _Share()
SECONDS = _Seconds()
TIME = _Time()
