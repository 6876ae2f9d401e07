"""One partition's batch, record by record: what is folded, what is dead, what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules import fold as module
from offerflow.rules.events import Event
from offerflow.rules.outcomes import OfferEntered, OfferExited, RewardSatisfied
from offerflow.rules.state import unpack_partition
from schemas.folding.book import CatalogBook
from schemas.folding.partition import Partition
from tests.consumers.rules.world import (
    SCHEMAS,
    Journalled,
    Outcome,
    activation,
    catalog_of,
    fold,
    happened,
    offer,
    schema_of,
    tick,
)

A, B = {"event": "A"}, {"event": "B"}
TWO_A = {**A, "count": {"at_least": 2}, "where": "x >= 0 || !is_set(x)"}
PAID = offer("o", TWO_A, B, reward={"id": "r", "value": "1 EUR"})


@pytest.fixture
def book() -> CatalogBook:
    """r0: two of A, then B pays. r1: one of B enters. r2: nothing."""
    return CatalogBook(catalog_of([[PAID], [offer("p", B)], []]))


def journal(book: CatalogBook, *names: str, entity: str = "u:ann", start: int = 1, **given: Any) -> list[Journalled]:
    return [happened(start + at, book, entity, {"name": name, **given}) for at, name in enumerate(names)]


def test_the_journey(book: CatalogBook) -> None:
    """Activation, entry, completion: three outputs with the partition and offsets of the journal in their evidence."""
    found = fold(book, [activation(0, 0), *journal(book, "A", "A", "B")])
    assert [type(one) for one in found.outputs] == [OfferEntered, RewardSatisfied, OfferExited]
    entered = found.outputs[0]
    assert isinstance(entered, OfferEntered)
    assert [(item.journal_partition, item.journal_offset) for item in entered.evidence] == [(3, 1), (3, 2)]
    assert (entered.ruleset, list(found.states)) == ("r0", ["u:ann"])


def test_only_read_events_are_loaded(book: CatalogBook) -> None:
    """Entities of events that no rule in force reads are not asked of Redis, unless an activation comes first."""
    partition = Partition(3, 0, 0, None, {}, book)  # type: ignore[arg-type]
    events = [*journal(book, "A"), *journal(book, "Unread", entity="u:bob", start=2), tick(3)]
    assert partition.entities(events) == []
    assert partition.entities([activation(0, 0), *events]) == ["u:ann", "u:bob"]
    partition.fold([activation(0, 0)], Outcome().load([], None), None, 1)
    assert partition.entities(events) == ["u:ann"]


def test_a_batch_ends_before_an_activation(book: CatalogBook) -> None:
    """So that all its events are decided by the same rules; one at the start goes with what follows."""
    partition = Partition(3, 0, 0, None, {}, book)  # type: ignore[arg-type]
    a, b, c = activation(0, 0), activation(3, 1), activation(4, 2)
    first = journal(book, "A", "A")
    assert partition.cut([a, *first, b, c]) == [a, *first]
    assert partition.cut([b, c]) == [b]
    assert partition.cut([*first, b]) == first
    assert partition.cut(first) == first
    assert partition.cut([]) == []


def test_an_activation_moves_the_fold(book: CatalogBook) -> None:
    """The ruleset, its generation, and where the versions of old offers are defined are kept for the next claim."""
    found = fold(book, [activation(0, 0), activation(1, 1), activation(2, 2)])
    state = unpack_partition(found.fold)
    assert (state.ruleset, state.generation, set(state.leaves.values())) == ("r2", 3, {1})
    assert sorted(state.versions.values()) == ["r0", "r1"]


def test_events_before_the_first_activation_leave_no_trace(book: CatalogBook) -> None:
    """No rule, no state."""
    found = fold(book, journal(book, "A", "A"))
    assert (found.states, found.outputs, found.fold) == ({}, [], None)


def test_an_unread_event_writes_no_state(book: CatalogBook) -> None:
    """Its entity is not among the states to apply."""
    assert fold(book, [activation(0, 0), *journal(book, "Unread", "Unread")]).states == {}


def test_a_new_version_of_a_schema_is_the_same_event() -> None:
    """Events of an older and of a newer version count alike, each read by the schema it was written with."""
    newer = schema_of("A", "A again", version=2)
    newer["fields"].insert(1, {"name": "more", "type": "string", "default": ""})
    book = CatalogBook(catalog_of([[PAID]], (*SCHEMAS, newer)))
    first = happened(1, book, "u:ann", {"name": "A", "properties": {"x": 1.0}})
    second = happened(2, book, "u:ann", {"name": "A", "properties": {"x": 1.0}}, schema_id=1004)
    assert [type(one) for one in fold(book, [activation(0, 0), first, second]).outputs] == [OfferEntered]


def test_a_conflict_is_one_dead_letter(book: CatalogBook) -> None:
    """It names the event, where it came from, and leaves the state alone; below the committed offset it is silent."""
    records = [activation(0, 0), happened(1, book, "u:ann", {"name": "A", "event_id": "e"}),
               happened(2, book, "u:ann", {"name": "A", "event_id": "e", "properties": {"x": 1.0}})]  # fmt: skip
    found = fold(book, records)
    ((offset, letter),) = found.dead
    assert (offset, letter.reason, letter.event, letter.source) == (2, "duplicate_conflict", "A", "shop")
    assert found.states == fold(book, records[:2]).states
    assert fold(book, records, committed=3).dead == []


class BrokenRuleError(Exception):
    """What a rule of ours must never raise, and does here."""


def broken_on(monkeypatch: pytest.MonkeyPatch, event_id: str) -> None:
    """Have the rules fail, half-way, on the event of this id."""
    whole = module.decide

    def half(rules: Any, entity: str, state: Any, event: Event, *more: Any) -> Any:
        decision = whole(rules, entity, state, event, *more)
        if event.event_id == event_id:
            state.leaves.clear()
            raise BrokenRuleError(event_id, object())
        return decision

    monkeypatch.setattr(module, "decide", half)


@pytest.mark.parametrize("sizes", [(), (1, 1, 1, 1, 1), (3, 1)])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_rule_that_fails_costs_its_record_alone(
    book: CatalogBook, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], at: int
) -> None:
    """One rule_error dead letter, and state and outputs as if a tick stood in the record's place: neither its id nor
    its hits are kept, though the state was changed half-way, and the records around it count, wherever the batches are
    cut."""
    broken_on(monkeypatch, "bad")
    bad = happened(at, book, "u:ann", {"name": "A", "event_id": "bad"})
    moved = [happened(n, book, "u:ann", {"name": name, "event_id": f"g{n}"})
             for n, name in zip([n for n in (1, 2, 3, 4) if n != at], ("A", "A", "B"), strict=True)]  # fmt: skip
    records = sorted([activation(0, 0), *moved, bad], key=Journalled.offset)
    found = fold(book, records, sizes)
    ((offset, letter),) = found.dead
    assert (offset, letter.reason) == (at, "rule_error")
    assert letter.detail.endswith("BrokenRuleError('bad', <object object>)"), "no address, which differs on replay"
    without = fold(book, [tick(at, 0) if one is bad else one for one in records], sizes)
    assert (found.states, found.timers, found.outputs) == (without.states, without.timers, without.outputs)
    assert len(found.outputs) == 3


def test_a_batch_that_takes_too_long_is_cut_and_changes_nothing(
    book: CatalogBook, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Without time one record a batch is folded, also where a rule fails; what comes of them all is the same."""
    broken_on(monkeypatch, "bad")
    bad = happened(3, book, "u:ann", {"name": "A", "event_id": "bad"})
    records = [activation(0, 0), *journal(book, "A", "A"), bad, tick(4), *journal(book, "B", start=5)]
    whole, pieces = fold(book, records), fold(book, records, seconds=0)
    assert (whole.cuts, pieces.cuts) == (0, len(records) - 1)
    assert (pieces.kept, pieces.outputs, pieces.told) == (whole.kept, whole.outputs, whole.told)
    assert (len(whole.outputs), pieces.failed, whole.failed) == (3, [3], [3])


def test_many_failures_cost_each_record_alone(book: CatalogBook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that fails on most of a batch, of several entities, leaves what the others make of theirs."""
    broken_on(monkeypatch, "bad")
    names = [f"u:{n}" for n in range(20)]
    records = [activation(0, 0)]
    for at in range(1, 400):
        event_id = "bad" if at % 7 else f"g{at}"
        records.append(happened(at, book, names[at % 20], {"name": "A", "event_id": event_id}))
    found = fold(book, records)
    assert [offset for offset, _ in found.dead] == [at for at in range(1, 400) if at % 7]
    good = fold(book, [records[0], *(one for one in records[1:] if one.offset() % 7 == 0)])
    assert (found.states, found.outputs) == (good.states, good.outputs)
    assert good.outputs


def test_a_failure_below_the_committed_offset_is_silent(book: CatalogBook) -> None:
    """Its dead letter was published before."""
    records = [activation(0, 0), Journalled(1, b"\x00\x00\x00\x03\xe8garbage", b"u:ann")]
    found, again = fold(book, records), fold(book, records, committed=2)
    assert ([letter.reason for _, letter in found.dead], found.failed) == (["rule_error"], [1])
    assert (again.dead, again.failed) == ([], [])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\x00\x00\x00\x03\xe8", "the rules failed"),
        (b"\x00\x00\x00\x03\xe8\xff\xff\xff\xff\xff\xff", "the rules failed"),
        (b"\x00\x00\x00\x00\x07body", "schema id 7"),
        (b"\x00\x00\x00\x00\x03body", "the rules failed on this request"),
        (b"\x01\x00\x00\x03\xe8", "schema id 0"),
        (b"\x00\x00", "schema id 0"),
        (b"", "schema id 0"),
        (None, "schema id 0"),
    ],
)
def test_what_is_no_journal_record(book: CatalogBook, value: bytes | None, words: str) -> None:
    """Garbage in the journal is a dead letter, never the end of the stage, and the events around it count."""
    first, second = journal(book, "A"), journal(book, "A", start=3)
    found = fold(book, [activation(0, 0), *first, Journalled(2, value, b"u:ann"), *second])
    ((offset, letter),) = found.dead
    assert (offset, letter.reason) == (2, "rule_error")
    assert words in letter.detail
    assert [type(one) for one in found.outputs] == [OfferEntered]


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
def test_an_event_without_a_readable_key(book: CatalogBook, key: bytes | None) -> None:
    """An event that belongs to nobody is a dead letter, never the end of the stage."""
    value = journal(book, "A")[0].value()
    found = fold(book, [activation(0, 0), Journalled(1, value, key), *journal(book, "A", "A", start=2)])
    assert [(offset, letter.reason) for offset, letter in found.dead] == [(1, "rule_error")]
    assert [type(one) for one in found.outputs] == [OfferEntered]


def test_counts_of_a_replay(book: CatalogBook) -> None:
    """Records folded again and outputs thrown away are counted, those that no rule reads are not."""
    records = [activation(0, 0), *journal(book, "A", "A", "Unread", "B")]
    found = fold(book, records, committed=4)
    assert (found.replayed, found.suppressed, len(found.outputs)) == (2, 1, 2)
