"""The order of offers that name each other by ``in_offer`` and ``completed_offer``."""

from __future__ import annotations

from collections.abc import Mapping


def ranks(named: Mapping[str, set[str]]) -> tuple[dict[str, int], list[list[str]]]:
    """How many offers deep each depends on others, and the circles, each once, from its first offer by name. What is
    in a circle, or depends on one, has no rank."""
    found: dict[str, int] = {}
    circles: list[list[str]] = []
    for start in sorted(named):
        _visit(start, named, found, circles)
    return found, circles


def _visit(start: str, named: Mapping[str, set[str]], found: dict[str, int], circles: list[list[str]]) -> None:
    """Depth first, on a stack of its own: a chain of offers may be long."""
    way: list[str] = []
    todo: list[tuple[str, bool]] = [(start, False)]
    while todo:
        offer, done = todo.pop()
        if done:
            way.pop()
            found.setdefault(offer, 1 + max((found.get(one, 0) for one in named.get(offer, ())), default=-1))
        elif offer in way:
            circle = way[way.index(offer) :]
            first = circle.index(min(circle))
            circle = circle[first:] + circle[:first]
            if circle not in circles:
                circles.append(circle)
        elif offer not in found:
            way.append(offer)
            todo += [(offer, True), *((one, False) for one in sorted(named.get(offer, ()), reverse=True))]
