"""Events in order: whether hits of all steps follow one another, and which."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from offerflow.rules.conditions import Sequence
from offerflow.rules.measures import apart
from offerflow.rules.state import Hit
from offerflow.rules.views import TIME, Sight


class _Link:
    """A hit that ends a chain of steps; of all such chains the one that began last."""

    __slots__ = ("before", "hit", "start")

    def __init__(self, hit: Hit, before: _Link | None) -> None:
        self.hit = hit
        self.before = before
        self.start: int = hit.time if before is None else before.start


def chain(sequence: Sequence, view: Sight, at: int) -> list[tuple[Hit, str]] | None:
    """The first complete chain of hits up to the moment ``at``, with the names of their events; None if there is
    none."""
    found, steps = follow(sequence, view, at)
    if steps < len(sequence.steps):
        return None
    hits = []
    link: _Link | None = found
    for step in reversed(sequence.steps):
        assert link is not None  # noqa: S101 - as many links as steps
        hits.append((link.hit, link.hit.event or step.event_name))
        link = link.before
    return hits[::-1]


def follow(sequence: Sequence, view: Sight, at: int) -> tuple[_Link | None, int]:
    """How many steps the longest chain has, and where it ends. A chain of all steps is also short enough."""
    ends: dict[Any, list[_Link]] = {}
    longest: tuple[_Link | None, int] = (None, 0)
    for number, step in enumerate(sequence.steps):
        hits = view.hits(step.key, sequence.since_entry)
        if hits and hits[-1].time > at:
            hits = hits[: bisect_right(hits, at, key=TIME)]
        reached: dict[Any, list[_Link]] = {}
        at_end: dict[Any, int] = {}
        last = number == len(sequence.steps) - 1
        for hit in hits:
            same = apart(hit.value)
            before = _latest(ends.get(same), hit, same, at_end) if number else None
            if number and before is None:
                continue
            link = _Link(hit, before)
            if last and sequence.within is not None and hit.time - link.start > sequence.within:
                continue
            if last:
                return link, number + 1
            reached.setdefault(same, []).append(link)
        if not reached:
            break
        ends = reached
        first = next(iter(reached.values()))
        longest = (first[0], number + 1)
    return longest


def _latest(links: list[_Link] | None, hit: Hit, same: Any, passed: dict[Any, int]) -> _Link | None:
    """Of the chains that end before ``hit`` the one that began last. Hits come in order, and so do ``links``; what
    begins later ends later or is found later, so the last that ends before is looked up from where it stopped."""
    if not links:
        return None
    at = passed.get(same, 0)
    while at < len(links) and (links[at].hit.time, links[at].hit.turn) < (hit.time, hit.turn):
        if at and links[at].start < links[at - 1].start:
            links[at] = links[at - 1]
        at += 1
    passed[same] = at
    return links[at - 1] if at else None
