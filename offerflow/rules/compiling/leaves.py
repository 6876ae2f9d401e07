"""Leaves: definitions of what is counted, ordered, missed or known of a user, made ready."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from offerflow.rules.compiling.measures import check_scalar, measure_of, said, scalar
from offerflow.rules.compiling.plan import Plan, Subject, Tested, checked
from offerflow.rules.compiling.problems import Refused
from offerflow.rules.conditions import Absent, Bounds, Leaf, Measure, Profile, Sequence, Window
from offerflow.rules.definitions.conditions import COMPARISONS, MAX_HITS, Node, Step
from offerflow.rules.durations import written
from offerflow.rules.events import Kind
from offerflow.rules.expressions import compile_traits, event_property, properties, render
from offerflow.rules.ids import digest

_ONE = Measure("count", Bounds(at_least=1))


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a condition stands. ``entered``: in a completion or an exit, so that all counts since the entry unless it
    says otherwise; None where that is not known, at the condition itself. ``zone`` is that of days and dates.
    ``again``: at the entry of an offer that may be entered again, which uses hits up, that it may, and the property of
    ``per_key``. It is part of what the leaf says, so such leaves have hits of their own."""

    zone: ZoneInfo
    entered: bool | None
    again: tuple[str, ...] = ()


class NotHere(Refused):
    """It cannot be where the condition is used, whatever it is by itself."""


def event_leaf(node: Node, plan: Plan, slot: Slot) -> Leaf:
    """Raises Refused."""
    subject = plan.subject(node.event or "")
    tested = plan.tested(node.where, subject)
    window, window_text = _window(node, slot)
    max_hits = node.max_hits or MAX_HITS
    measure, value, of = measure_of(node, subject, window, slot.zone, max_hits)
    reads = tested.reads | ({of.partition(".")[0]} if of and not of.startswith("meta.") else set())
    return Leaf(
        key=_key(slot, "leaf", subject.type, tested.text, measure.kind, of, _bounds(measure.bounds),
                 slot.zone.key if measure.zone else "", window.since_entry, window.within, window.start, window.end,
                 max_hits),
        event_type=subject.type, event_name=subject.name, test=tested.test, value=value, measure=measure,
        window=window, reads=frozenset(reads), max_hits=max_hits,
        text=said(measure, of, _about(subject, tested)) + window_text, reversible=subject.reversible,
    )  # fmt: skip


def sequence_leaf(node: Node, plan: Plan, slot: Slot) -> Sequence:
    """Raises Refused."""
    found = _correlated(node, plan)
    since_entry = _since_entry(node, slot)
    within = node.within.milliseconds if node.within else None
    told = [_about(subject, tested) for subject, tested in found]
    says = [[subject.type, tested.text] for subject, tested in found]
    max_hits = node.max_hits or MAX_HITS
    key = ("sequence", says, node.same, within, since_entry, max_hits)
    steps = tuple(_step(subject, tested, node.same, since_entry, max_hits, _key(slot, *key, at))
                  for at, (subject, tested) in enumerate(found))  # fmt: skip
    text = ", then ".join(told) + (f" within {node.within}" if node.within else "") + _same(node)
    return Sequence(_key(slot, *key), steps, within, since_entry, text + (" since the entry" if since_entry else ""))


def absent_leaf(node: Node, plan: Plan, slot: Slot) -> Absent:
    """Raises Refused."""
    assert node.within is not None  # noqa: S101 - the definition needs it
    (missed, missed_test), (after, after_test) = found = _correlated(node, plan)
    since_entry, within = _since_entry(node, slot), node.within.milliseconds
    key = ("absent", [[subject.type, tested.text] for subject, tested in found], node.same, within, since_entry)
    return Absent(
        key=_key(slot, *key),
        event=_step(missed, missed_test, node.same, since_entry, MAX_HITS, _key(slot, *key, "event")),
        after=_step(after, after_test, node.same, since_entry, MAX_HITS, _key(slot, *key, "after")),
        within=within, since_entry=since_entry,
        text=f"no {_about(missed, missed_test)} within {written(within)} after {_about(after, after_test)}{_same(node)}"
        + (" since the entry" if since_entry else ""),
    )  # fmt: skip


def profile_leaf(node: Node, plan: Plan) -> Profile:
    """Raises Refused."""
    if not plan.trait_types:
        raise Refused("the event plan has no event that sets traits; expected Identified or User Updated", "profile")
    tree = checked(node.profile or "", plan.traits, "profile")
    return Profile(compile_traits(tree), properties(tree), f"profile {render(tree)}")


def _correlated(node: Node, plan: Plan) -> list[tuple[Subject, Tested]]:
    """The events of a sequence or an absence. Those that are told apart by ``same`` must have it, of one kind."""
    found: list[tuple[Subject, Tested]] = []
    kinds: dict[Kind, str] = {}
    for path, step in node.steps():
        subject = _at(path, step, plan)
        found.append(subject)
        if node.same is not None:
            _, planned = subject[0].property(node.same, "same")
            check_scalar(node.same, planned, "same")
            kind = Kind.STRING if planned.kind is Kind.ENUM else planned.kind
            if kind is not Kind.ANY:
                kinds.setdefault(kind, subject[0].name)
    if len(kinds) > 1:
        listed = " and ".join(f"{kind.said} in {name}" for kind, name in kinds.items())
        raise Refused(f"{node.same} is {listed}, which are never the same", "same")
    return found


def _at(path: tuple[str | int, ...], step: Step, plan: Plan) -> tuple[Subject, Tested]:
    try:
        subject = plan.subject(step.event)
        return subject, plan.tested(step.where, subject)
    except Refused as error:
        raise Refused(error.message, *path, *error.path) from None


def _step(subject: Subject, tested: Tested, same: str | None, since_entry: bool, max_hits: int, key: int) -> Leaf:
    value, reads = None, tested.reads
    if same is not None:
        prop, _ = subject.property(same, "same")
        value = scalar(event_property(prop))
        reads |= properties(prop)
    return Leaf(
        key=key, event_type=subject.type, event_name=subject.name, test=tested.test, value=value, measure=_ONE,
        window=Window(since_entry=since_entry), reads=reads, max_hits=max_hits, text=_about(subject, tested),
        reversible=subject.reversible,
    )  # fmt: skip


def _since_entry(node: Node, slot: Slot) -> bool:
    if node.since == "entry" and slot.entered is False:
        raise NotHere("since: entry has no meaning here; only a completion and an exit count since the entry", "since")
    return node.since == "entry" or (node.since is None and bool(slot.entered))


def _window(node: Node, slot: Slot) -> tuple[Window, str]:
    since_entry = _since_entry(node, slot)
    within = node.within.milliseconds if node.within else None
    start = node.from_.start(slot.zone) if node.from_ else None
    end = node.to.end(slot.zone) if node.to else None
    if start is not None and end is not None and start > end:
        raise Refused(f"from {node.from_} is after to {node.to}, so nothing is in the window", "from")
    said_from = f" from {node.from_}" if node.from_ else ""
    text = f"{said_from} to {node.to}" if node.to else said_from
    text += f" within {node.within}" if node.within else ""
    return Window(since_entry, within, start, end), text + (" since the entry" if since_entry else "")


def _about(subject: Subject, tested: Tested) -> str:
    shown = tested.text[1:-1] if tested.text.startswith("(") and tested.text.endswith(")") else tested.text
    return f"{subject.name} where {shown}" if shown else subject.name


def _same(node: Node) -> str:
    return f" with the same {node.same}" if node.same else ""


def _bounds(bounds: Bounds) -> dict[str, str]:
    return {name: _canonical(value) for name in COMPARISONS if (value := getattr(bounds, name)) is not None}


def _canonical(value: Decimal | int) -> str:
    return str(value) if isinstance(value, int) else f"{value.normalize():f}"


def _key(slot: Slot, *says: Any) -> int:
    """64 bits that name everything a leaf says."""
    return int.from_bytes(digest(json.dumps((*says, *slot.again), sort_keys=True, ensure_ascii=False))[:8], "big")
