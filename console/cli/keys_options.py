"""How a command is told the terms of a key: what it may send, from where, how fast and until when."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from console.cli.dlq_options import Rate
from offerflow.rules.durations import milliseconds

F = TypeVar("F", bound=Callable[..., Any])
ANY = ("any",)
"""How a term is lifted."""
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\*\.)?[^\s/*?#@,]+|null|file://")
_SECONDS = 10
"""What a burst is by default: so many seconds at the rate."""


class Origin(click.ParamType[str]):
    """A web origin: scheme, host and port as browsers send them, in small letters."""

    name = "origin"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip().lower()
        origin = text.removesuffix("/") if not text.endswith("//") else text
        if _ORIGIN.fullmatch(origin) is None:
            self.fail(
                f"{value!r} is not a web origin: expected scheme, host and port without a path, such as"
                " https://shop.example, https://*.shop.example or http://localhost:3000",
                param,
                ctx,
            )
        return origin


class End(click.ParamType[int]):
    """When a key ends, in milliseconds since 1970: in a while (``90d``) or at a time (RFC 3339, a date). 0: never."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from console.dead_letters.selection import parse_moment

        if isinstance(value, int):
            return value
        text, now = str(value).strip(), int(time.time() * 1000)
        if text == "never":
            return 0
        try:
            at = now + milliseconds(text)
        except ValueError:
            try:
                at = parse_moment(text, now)
            except ValueError:
                self.fail(
                    f"{value!r} is not a time: expected 90d, 2027-01-31, 2027-01-31T12:00:00Z or never", param, ctx
                )
        if at <= now:
            self.fail(f"{value!r} is in the past", param, ctx)
        return at


class Pace(Rate):
    """A rate, or ``none`` for no limit (0)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return 0.0 if value == "none" else super().convert(value, param, ctx)


_OPTIONS = (
    click.option("--label", help="What people call it, such as `iOS 4.x`."),
    click.option("--events", multiple=True, metavar="NAMES", help="The only events it may send, separated by commas;"
                 " others become dead letters. `any` allows all."),
    click.option("--origins", multiple=True, metavar="ORIGINS", help="The web origins browsers may use it from, by"
                 " commas: https://shop.example, https://*.shop.example; others get 403. `any` allows all."),
    click.option("--rate", type=Pace(), help="Events it may send on average, such as 100/s or 600/m; beyond: 429."
                 " `none` for no limit."),
    click.option("--burst", type=click.IntRange(1, 1_000_000_000), help="How many at once (default: those of"
                 f" {_SECONDS} s at the rate)."),
    click.option("--expires", type=End(), help="When it ends by itself: 90d, 2027-01-31, or never."),
)  # fmt: skip


def terms_options(command: F) -> F:
    """Adds the options of all terms."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def names(given: Sequence[str]) -> tuple[str, ...]:
    """What was given in several options and between commas, without repetitions."""
    parts = (part.strip() for text in given for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def origins(given: Sequence[str]) -> tuple[str, ...]:
    """The same for web origins. Raises BadParameter for what is none."""
    found = names(given)
    return found if found == ANY else tuple(dict.fromkeys(Origin().convert(one, None, None) for one in found))


def burst_of(rate: float, burst: int | None) -> int:
    """Raises UsageError for a burst without a rate."""
    if burst is not None and not rate:
        raise click.UsageError("--burst says how many events may come at once beyond --rate; give that as well")
    return burst if burst is not None else max(1, round(rate * _SECONDS)) if rate else 0
