"""States of a fold against what was read of Redis part by part, without Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.verify.explaining import _cut
from console.verify.findings import Findings
from console.verify.states import StateCheck
from offerflow.runtime.redis.snapshot import Beside, Part, bucket_of
from offerflow.runtime.redis.store import BUCKETS, Meta, _bucketed
from schemas.folding.offline import OfflineFold
from tests.consumers.rules.test_fold import World, bounds, worlds
from tests.consumers.rules.world import NUMBER, Journalled, Outcome, fold

__all__ = ["bounds"]
SOME = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
entities = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def position(journal: list[Journalled], at: int) -> int:
    return journal[at].offset() if at < len(journal) else journal[-1].offset() + 1


def part(number: int, at: int, kept: Outcome) -> Part:
    states = {entity: packed for entity, packed in kept.states.items() if bucket_of(entity) == number}
    return Part(number, at, None, states)


def compared(world: World, parts: list[Part], beside: Beside) -> tuple[Findings, StateCheck]:
    book, journal = world
    findings = Findings()
    check = StateCheck(NUMBER, parts, beside, findings)
    found = OfflineFold(NUMBER, book._catalog)
    check.at(found.kept)
    stops = sorted({*check.stops, position(journal, len(journal))})
    start = 0
    for stop in stops:
        taken = [record for record in journal if start <= record.offset() < stop]
        for work in found.fold(taken, stop):
            check.at(found.kept, work)
        start = max(start, stop)
    return findings, check


@SOME
@given(world=worlds(), reads=st.lists(st.integers(0, 41), min_size=8, max_size=8))
def test_parts_read_at_different_moments_are_each_exact(world: World, reads: list[int]) -> None:
    """Redis moves on while it is read, or goes back: every part is compared where it stood, and nothing is accused."""
    book, journal = world
    reads = [min(read, len(journal)) for read in reads]
    kept = {read: fold(book, journal[:read]) for read in {*reads}}
    parts = [part(number, position(journal, read) if read else 0, kept[read])
             for number in range(BUCKETS) for read in [reads[number % 7]]]  # fmt: skip
    last = reads[7]
    meta = Meta(position(journal, last) if last else 0, None, kept[last].fold, "3", None, None, None)
    beside = Beside(meta, kept[last].timers, kept[last].opened)
    findings, check = compared(world, parts, beside)
    assert findings.first == []
    assert check.compared == sum(len(one.states) for one in parts)
    assert check.position == max(meta.next, *(one.next for one in parts))


@SOME
@given(world=worlds(), at=st.integers(1, 41), draw=st.data())
def test_a_single_broken_thing_is_found(world: World, at: int, draw: st.DataObject) -> None:
    """One state, timer or open offer changed, dropped or added is one difference, with its entity and position."""
    book, journal = world
    kept, stop = fold(book, journal[:at]), position(journal, at)
    parts = [part(number, stop, kept) for number in range(BUCKETS)]
    beside = Beside(Meta(stop, None, kept.fold, "3", None, None, None), dict(kept.timers), set(kept.opened))
    kind, subject, entity = draw.draw(st.sampled_from(_breakable(kept)))
    number = bucket_of(entity)
    if subject == "state":
        states = dict(parts[number].states)
        if kind == "missing":
            del states[entity]
        else:
            states[entity] = b"?"
        parts[number] = replace(parts[number], states=states)
    elif subject == "timer":
        if kind == "missing":
            del beside.timers[entity]
        else:
            beside.timers[entity] = 5
    else:
        beside.opened.symmetric_difference_update([entity])
    findings, _ = compared(world, parts, beside)
    [one] = findings.first
    assert (one.kind, one.subject, one.id, one.position) == (kind, subject, entity, stop)


def _breakable(kept: Outcome) -> list[tuple[str, str, str]]:
    found = [("unexpected", "state", "u:nobody"), ("unexpected", "timer", "u:nobody"),
             ("unexpected", "open", "u:nobody")]  # fmt: skip
    for entity in kept.states:
        found += [("missing", "state", entity), ("wrong", "state", entity)]
    for entity in kept.timers:
        found += [("missing", "timer", entity), ("wrong", "timer", entity)]
    return found + [("missing", "open", entity) for entity in kept.opened]


@given(st.lists(entities, max_size=20, unique=True))
def test_buckets_are_those_of_the_store(names: list[str]) -> None:
    """Where a state is looked for is where the store puts it."""
    assert {name: number for number, found in _bucketed(names) for name in found} == {
        name: bucket_of(name) for name in names
    }


def test_a_state_in_the_bucket_of_another_is_one_too_many() -> None:
    """Nobody would ever find it there."""
    findings = Findings()
    wrong = (bucket_of("u:ann") + 1) % BUCKETS
    parts = [Part(wrong, 0, None, {"u:ann": b"x"})]
    check = StateCheck(NUMBER, parts, Beside(Meta(0, None, None, None, None, None, None), {}, set()), findings)
    check.at(OfflineFold(NUMBER, _nothing()).kept)
    assert [(one.kind, one.id) for one in findings.first] == [("unexpected", "u:ann")]


def _nothing():  # type: ignore[no-untyped-def]
    from offerflow.catalog.view import Catalog

    return Catalog({})


@pytest.mark.parametrize("length", [10, 299, 300, 301, 5000])
def test_long_fields_are_cut_to_where_they_differ(length: int) -> None:
    """What is shown of two long texts always holds the first place at which they are not the same."""
    for at in (0, length // 2, length - 1):
        ours = "a" * length
        theirs = "a" * at + "b" + "a" * (length - at - 1)
        shown = _cut(theirs, ours)
        assert shown is not None
        assert "b" in shown
        assert len(shown) <= 302
    assert _cut(None, "x") is None
