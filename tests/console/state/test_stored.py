"""Folding on over what Redis holds: on the double of the store, with the golden journal."""

from __future__ import annotations

from random import Random
from typing import cast

import pytest

from console.state.stored import StoredFold
from offerflow import __version__
from offerflow.rules.state import LAYOUT
from offerflow.runtime.errors import RedisDown, TryAgain
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.redis.store import StateStore
from schemas.folding.book import CatalogBook
from schemas.folding.offline import OfflineFold
from tests.doubles.store import RedisDouble, StoreDouble
from tests.golden import release

CATALOG, JOURNAL = release.catalog(__version__), release.journal(__version__)
BOOK = CatalogBook(CATALOG)
IDENTITY = {
    "cluster_id": "cluster", "topic_id": "here", "group": "golden.rules", "partitions": "64", "layout": str(LAYOUT),
}  # fmt: skip


def _fold(redis: RedisDouble, number: int, to: int) -> StoredFold:
    store = cast(StateStore, StoreDouble(redis))
    return StoredFold(store, number, IDENTITY, BOOK, to)


def _records(number: int, first: int, end: int) -> list[Record]:
    return [one for one in JOURNAL if one.number == number and first <= one.at < end]


@pytest.mark.parametrize("seed", range(2))
def test_it_comes_to_what_one_fold_comes_to(seed: int) -> None:
    """However often it is begun anew from what Redis holds, and however small the batches, states, timers, open offers
    and the fold are those of folding everything at once; and not one output is left over."""
    random, redis = Random(seed), RedisDouble()
    for number in sorted({one.number for one in JOURNAL}):
        end = max(one.at for one in JOURNAL if one.number == number) + 1
        at = 0
        while at < end:
            fold = _fold(redis, number, end)
            assert fold.next == at
            for _ in range(random.randrange(1, 4)):
                to = min(end, at + random.randrange(1, 12))
                for work in fold.fold(_records(number, at, to), to):
                    assert not work.outputs
                    assert not work.dead_letters
                at = to
        whole = OfflineFold(number, CATALOG)
        list(whole.fold(_records(number, 0, end), end))
        assert redis.next(number) == whole.kept.next
        assert redis.states(number) == whole.kept.states
        assert redis.timers(number) == whole.kept.timers
        assert redis.opened(number) == whole.kept.opened
        assert redis.rules(number) == whole.kept.fold


def test_somebody_else_goes_first() -> None:
    """Where the partition was moved, emptied or left half-written meanwhile, folding ends and has changed nothing."""
    redis = RedisDouble()
    mine, other = _fold(redis, 0, 20), _fold(redis, 0, 20)
    list(mine.fold(_records(0, 0, 10), 10))
    with pytest.raises(TryAgain, match="moved in Redis"):
        list(other.fold(_records(0, 0, 10), 10))
    late = _fold(redis, 0, 20)
    list(mine.fold(_records(0, 10, 15), 15))
    before = redis.states(0)
    with pytest.raises(TryAgain):
        list(late.fold(_records(0, 10, 20), 20))
    redis.die_half_way(0)
    with pytest.raises(RedisDown):
        list(mine.fold([], 16))
    with pytest.raises(TryAgain):
        list(mine.fold(_records(0, 15, 20), 20))
    redis.empty(0)
    with pytest.raises(TryAgain):
        list(mine.fold(_records(0, 15, 20), 20))
    assert before
    assert redis.next(0) == 0
