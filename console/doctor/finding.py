"""One check, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "unknown", "warn", "bad"]
VERDICTS: tuple[Verdict, ...] = ("ok", "unknown", "warn", "bad")
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``found`` and ``expected`` are for people; ``do`` is the command or the page that mends it, empty where nothing
    is to be done."""

    id: str
    area: str
    verdict: Verdict
    found: str
    expected: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. ``id`` never changes, so that scripts can rely on it."""

    id: str
    area: str
    expected: str

    def ok(self, found: str) -> Finding:
        return Finding(self.id, self.area, "ok", found, self.expected)

    def warn(self, found: str, do: str) -> Finding:
        """It does no harm yet, or none that anybody would notice."""
        return Finding(self.id, self.area, "warn", found, self.expected, do)

    def bad(self, found: str, do: str) -> Finding:
        """It does harm now, or will as soon as something else goes wrong."""
        return Finding(self.id, self.area, "bad", found, self.expected, do)

    def unknown(self, why: str, do: str = "") -> Finding:
        """It could not be looked at."""
        return Finding(self.id, self.area, "unknown", why, self.expected, do)

    def worst(self, wrong: Iterable[tuple[Verdict, str]], well: str, do: str) -> Finding:
        """One finding of many things: the worst of ``wrong``, told all together, or ``well`` without any."""
        told = list(wrong)
        if not told:
            return self.ok(well)
        verdict = max((one[0] for one in told), key=VERDICTS.index)
        return Finding(self.id, self.area, verdict, some([text for _, text in told]), self.expected, do)


def some(names: list[str], most: int = 4) -> str:
    """The first few, and how many more there are."""
    more = len(names) - most
    return "; ".join(names[:most]) + (f"; and {more} more" if more > 0 else "")


def days(milliseconds: float) -> str:
    """``3 h``, ``2.5 d``, ``400 d``: a duration to be read."""
    minutes = milliseconds / 60_000
    if minutes < 1:
        return f"{milliseconds / 1000:.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} d".replace(".0 d", " d")


def size(number: float) -> str:
    """``512 KiB``, ``2 MiB``, ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} GiB"
