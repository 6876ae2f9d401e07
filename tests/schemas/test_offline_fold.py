"""The fold away from the workers keeps and says what a worker does, wherever it stops between."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import Refused
from schemas.folding import offline
from schemas.folding.book import CatalogBook
from schemas.folding.kept import Kept
from schemas.folding.offline import OfflineFold
from schemas.folding.partition import Work
from tests.consumers.rules.test_fold import World, bounds, worlds
from tests.consumers.rules.world import (
    NOON,
    NUMBER,
    Journalled,
    Outcome,
    activation,
    catalog_of,
    fold,
    happened,
    offer,
    tick,
)

__all__ = ["bounds"]
SOME = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCHEMAS_AND_RULES = catalog_of([[offer("a", {"event": "A"})]])


def kept(fold: OfflineFold) -> tuple[object, ...]:
    return fold.kept.states, fold.kept.timers, fold.kept.opened, fold.kept.fold


def offline_fold(catalog: Catalog, journal: Sequence[Journalled], cuts: Sequence[int]) -> tuple[OfflineFold, Outcome]:
    """The journal folded with stops before each of ``cuts``, and what it said on the way."""
    found, said = OfflineFold(NUMBER, catalog), Outcome()
    edges = [0, *sorted(cuts), len(journal)]
    for start, end in pairwise(edges):
        to = journal[end].offset() if end < len(journal) else journal[-1].offset() + 1
        for work in found.fold(journal[start:end], to):
            said.take(work)
    return found, said


@SOME
@given(world=worlds(), cuts=st.lists(st.integers(0, 12), max_size=5))
def test_it_is_the_fold_of_a_worker(world: World, cuts: list[int]) -> None:
    """Stopped anywhere, it keeps the same bytes as a worker and says the same in the same order."""
    book, journal = world
    whole = fold(book, journal)
    found, said = offline_fold(book._catalog, journal, [min(cut, len(journal)) for cut in cuts])
    assert kept(found) == whole.kept
    assert said.outputs == whole.outputs
    assert said.told == whole.told
    assert found.kept.next == journal[-1].offset() + 1


@SOME
@given(world=worlds(), part=st.integers(0, 40), seed=st.randoms(use_true_random=False))
def test_it_goes_on_from_what_is_kept(world: World, part: int, seed: random.Random) -> None:
    """From the states of half a journal, in whatever order they were read, the rest comes to the same."""
    book, journal = world
    whole, half = fold(book, journal), fold(book, journal[:part])
    states = list(half.states.items())
    seed.shuffle(states)
    at = journal[part].offset() if part < len(journal) else journal[-1].offset() + 1
    found = OfflineFold(NUMBER, book._catalog, Kept(at, half.fold, dict(states), half.timers, half.opened))
    for _ in found.fold(journal[part:], journal[-1].offset() + 1):
        pass
    assert kept(found) == whole.kept


def test_every_output_names_its_record() -> None:
    """Outputs come with the journal records that they were decided on, ticks among them."""
    brief = offer("brief", {"event": "A"}, expires_after="1h", reentry="after_expiry")
    catalog = catalog_of([[brief]])
    book = CatalogBook(catalog)
    journal = [
        activation(0, 0), happened(2, book, "u:ann", {"name": "A"}), happened(3, book, "u:bob", {"name": "B"}),
        happened(5, book, "u:dee", {"name": "A"}), tick(7, NOON + 3 * 3_600_000), tick(8, NOON + 3 * 3_600_000),
    ]  # fmt: skip
    said = [
        (one.offset(), output.user_id)
        for work in OfflineFold(NUMBER, catalog).fold(journal, 9)
        for one, output in zip(work.sources, work.outputs, strict=True)
    ]
    assert said[:3] == [(2, "ann"), (5, "dee"), (7, "ann")]
    assert said[3:] in ([(7, "dee")], [(8, "dee")])


@pytest.mark.parametrize("size", [1, 3, 100])
def test_it_stands_at_every_stop(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Read in batches of any size, with offsets that transaction markers take, the records come in order and a batch
    ends at each stop."""
    book = CatalogBook(SCHEMAS_AND_RULES)
    journal = [happened(at, book, "u:ann", {"name": "B"}) for at in (0, 1, 4, 5, 9, 10)]

    def spans(*_: object, whole: bool) -> Iterator[Journalled]:
        assert whole, "a fold over a gap would be wrong"
        yield from journal

    monkeypatch.setattr(offline, "read_spans", spans)
    batches = list(offline._batches(None, ("j", 0), 0, [2, 3, 5, 11, 20], "t", size))  # type: ignore[arg-type]
    ends = [to for _, to in batches]
    assert {2, 3, 5, 11, 20} <= set(ends)
    assert ends == sorted(ends)
    assert [record for records, _ in batches for record in records] == journal
    assert all(record.offset() < to for records, to in batches for record in records)
    assert all(len(records) <= size for records, _ in batches)


def test_it_says_what_the_catalog_lacks() -> None:
    """A ruleset or a schema that the catalog does not have is named, with the partition."""
    for record in (activation(0, 7), happened(0, CatalogBook(SCHEMAS_AND_RULES), "u:ann", {"name": "A"}, 1003)):
        lacking = OfflineFold(NUMBER, Catalog({}))
        if record.entity is None:
            with pytest.raises(Refused, match=r"partition 3 .* the ruleset r7"):
                list(lacking.fold([record], 1))
        else:
            with pytest.raises(Refused, match=r"partition 3 .* event schema 1003"):
                list(lacking.fold([record], 1))


def test_nothing_to_read_is_a_step_all_the_same() -> None:
    """The position moves over transaction markers, and states stay."""
    found = OfflineFold(NUMBER, SCHEMAS_AND_RULES)
    [work] = found.fold([], 4)
    assert (work, found.kept.next) == (Work(0, 4), 4)
