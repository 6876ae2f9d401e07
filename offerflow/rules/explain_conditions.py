"""Conditions explained: each node with whether it holds, how far it is, what counted, and what is missing in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from offerflow.rules.asking import Condition, selected
from offerflow.rules.conditions import Absent, Bounds, CompletedOffer, Group, InOffer, Leaf, Node, Profile
from offerflow.rules.conditions import Sequence as Steps
from offerflow.rules.durations import written
from offerflow.rules.explained import NodeExplained
from offerflow.rules.ids import long_id
from offerflow.rules.measures import Number, measured
from offerflow.rules.sequences import follow
from offerflow.rules.state import MAX_EVIDENCE, Hit, Watch
from offerflow.rules.views import OfInstance, View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS = {
    "more_than": "more than {}",
    "at_least": "at least {}",
    "at_most": "at most {}",
    "less_than": "less than {}",
    "exactly": "exactly {}",
}
_ADDS_UP = ("count", "sum", "distinct", "days", "streak")
_UNITS = {"distinct": "different", "days": "days", "streak": "days in a row"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a condition is explained of: a view, a moment, and the absences that are waited for."""

    view: View
    at: int
    watches: Sequence[Watch]

    def node(self, node: Node) -> NodeExplained:
        match node:
            case Leaf():
                return self._leaf(node)
            case Steps():
                return self._sequence(node)
            case Absent():
                return self._absent(node)
            case Profile():
                return self._profile(node)
            case InOffer():
                inside = self.view.inside(node.offer)
                missing = None if inside else f"to be in the offer {node.offer}"
                return NodeExplained("in_offer", inside, node.text, missing=missing)
            case CompletedOffer():
                done = self.view.completed(node.offer)
                missing = None if done else f"to complete the offer {node.offer}"
                return NodeExplained("completed_offer", done, node.text, missing=missing)
            case Group():
                return self._group(node)

    def _holds(self, node: Node) -> bool:
        """Asked of the engine itself, so that no explanation contradicts a decision."""
        return Condition(node).holds(self.view, self.at)

    def _leaf(self, leaf: Leaf) -> NodeExplained:
        hits = selected(self.view, leaf, self.at)
        value = measured(leaf, hits, self.at)
        holds = self._holds(leaf)
        return NodeExplained(
            "event", holds, leaf.text,
            progress=_progress(leaf, value),
            value=value,
            missing=None if holds else _missing(leaf, value),
            evidence=_ids(hits),
            evidence_count=len(hits),
        )  # fmt: skip

    def _sequence(self, sequence: Steps) -> NodeExplained:
        link, steps = follow(sequence, self.view, self.at)
        many = len(sequence.steps)
        missing = None
        if steps < many:
            missing = f"{sequence.steps[steps].text} (step {steps + 1} of {many})"
            if steps and sequence.within is not None:
                missing += f" within {written(sequence.within)} of the first step"
        hits = []
        while link is not None:
            hits.append(link.hit)
            link = link.before
        return NodeExplained(
            "sequence", self._holds(sequence), sequence.text, progress=f"step {steps} of {many}", value=steps,
            missing=missing, evidence=_ids(hits[::-1]), evidence_count=len(hits),
        )  # fmt: skip

    def _absent(self, absent: Absent) -> NodeExplained:
        holds = self._holds(absent)
        waiting = sorted((watch.due, watch.event_id) for watch in self.watches if self._belongs(absent, watch))
        if holds:
            fired = [hit for hit in self.view.absences(absent.key, absent.since_entry) if hit.time <= self.at]
            return NodeExplained(
                "absent", True, absent.text, progress=f"window closed at {when(fired[0].time)}", evidence=_ids(fired),
                evidence_count=len(fired),
            )  # fmt: skip
        if waiting:
            due, event_id = waiting[0]
            return NodeExplained(
                "absent", False, absent.text, progress=f"window closes at {when(due)}",
                missing=f"no {absent.event.text} until {when(due)}", evidence=[long_id(event_id)], evidence_count=1,
            )  # fmt: skip
        missing = f"{absent.after.text}, and then no {absent.event.text} for {written(absent.within)}"
        return NodeExplained("absent", False, absent.text, progress="not waiting", missing=missing)

    def _belongs(self, absent: Absent, watch: Watch) -> bool:
        if watch.key != absent.key:
            return False
        counted = not absent.since_entry or not isinstance(self.view, OfInstance)
        return counted or self.view.began(watch.time, watch.turn)  # type: ignore[attr-defined]

    def _profile(self, profile: Profile) -> NodeExplained:
        holds = self._holds(profile)
        known = ", ".join(f"{name} is {_trait(self.view.traits.get(name))}" for name in sorted(profile.reads))
        missing = None if holds else f"traits for which {profile.text.removeprefix('profile ')}"
        return NodeExplained("profile", holds, profile.text, progress=known or None, missing=missing)

    def _group(self, group: Group) -> NodeExplained:
        nodes = [self.node(node) for node in group.nodes]
        holds = self._holds(group)
        missing = None
        if not holds and group.kind == "none":
            missing = "; ".join(f"not: {_said(node)}" for node in nodes if node.holds)
        elif not holds:
            parts = [node.missing for node in nodes if not node.holds and node.missing is not None]
            missing = ("; ".join(parts) if group.kind == "all" else " or ".join(parts)) or None
        return NodeExplained(group.kind, holds, missing=missing, nodes=nodes)


def when(moment: int) -> str:
    """``2026-03-05T10:00:00Z``; what lies outside the calendar as a number."""
    try:
        return (_EPOCH + timedelta(milliseconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return str(moment)


def number(value: Number) -> str:
    """Without zeros that say nothing."""
    return str(value) if isinstance(value, int) else f"{value.normalize():f}" if value else "0"


def _progress(leaf: Leaf, value: Number | None) -> str:
    """``2 of 3`` where so many are asked for, else the number and what it compares with."""
    bounds, kind = leaf.measure.bounds, leaf.measure.kind
    if kind == "gap":
        return "none yet" if not value else f"{value} of 1"
    if value is None:
        return "no event yet"
    said = number(_rounded(value))
    asked = [(words, bound) for words, bound in _asked(bounds)]
    if len(asked) == 1 and asked[0][0] in ("at_least", "exactly"):
        exactly = "exactly " if asked[0][0] == "exactly" else ""
        return f"{said} of {exactly}{number(asked[0][1])}"
    return f"{said}, asked {' and '.join(_WORDS[words].format(number(bound)) for words, bound in asked)}"


def _rounded(value: Number) -> Number:
    """An average may have any number of digits."""
    return value if isinstance(value, int) or value.as_tuple().exponent >= -6 else round(value, 6)  # type: ignore[operator]


def _missing(leaf: Leaf, value: Number | None) -> str:
    """What would make the leaf true, or why nothing that happens soon does."""
    bounds, kind = leaf.measure.bounds, leaf.measure.kind
    if kind == "gap":
        return f"an event after a silence: {leaf.text}"
    if value is None:
        return f"an event: {leaf.text}"
    least = _least(bounds)
    strict = bounds.exactly is None and bounds.at_least is None
    if least is not None and kind in _ADDS_UP and (least > value or (strict and least == value)):
        unit = f" {_UNITS[kind]}" if kind in _UNITS else ""
        over = "more than " if strict else ""
        return f"{over}{number(_rounded(least - value))} more{unit}: {leaf.text}"
    return f"another number than {number(_rounded(value))}: {leaf.text}"


def _least(bounds: Bounds) -> Decimal | int | None:
    return next((one for one in (bounds.exactly, bounds.at_least, bounds.more_than) if one is not None), None)


def _asked(bounds: Bounds) -> Iterator[tuple[str, Any]]:
    for words in _WORDS:
        bound = getattr(bounds, words)
        if bound is not None:
            yield words, bound


def _ids(hits: Sequence[Hit]) -> list[str]:
    return [long_id(hit.event_id) for hit in hits[-MAX_EVIDENCE:]]


def _trait(value: Any) -> str:
    return "not set" if value is None else str(value)


def _said(node: NodeExplained) -> str:
    """A node in few words, for what must not be."""
    if node.text:
        return node.text
    return f"{node.kind} of ({'; '.join(_said(child) for child in node.nodes)})"
