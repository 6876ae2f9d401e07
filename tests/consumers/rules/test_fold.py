"""The fold of a journal partition: the same journal gives the same bytes, however it is cut into batches."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.runtime.settings import Settings
from schemas.announce import Announcer
from tests.consumers.rules.world import Book, Journalled, activation, catalog_of, fold, happened, tick, written
from tests.offerflow.rules import strategies
from tests.offerflow.rules.samples import Definition

ANNOUNCE = Announcer(Settings(topic_prefix="t."))
ENTITIES = ("u:ann", "u:bob", "a:cookie")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Book, list[Journalled]]:
    """A journal of three entities that begins with an activation and has up to two more among its events."""
    rulesets: list[list[Definition]] = draw(st.lists(strategies.rulesets(), min_size=1, max_size=3))
    book = Book(catalog_of(rulesets))
    arrivals = draw(st.lists(st.tuples(st.sampled_from(ENTITIES), strategies.arrivals), min_size=12, max_size=30))
    moments: list[Any] = [*arrivals, *[("unread", {"name": "Unread"})] * draw(st.integers(0, 2)), ("tick", {})]
    for at in range(1, len(rulesets)):
        moments.insert(draw(st.integers(0, len(moments))), ("activate", at))
    journal, offset = [activation(0, 0)], 1
    for entity, what in moments:
        offset += draw(st.sampled_from([1, 1, 1, 3]))  # transaction markers take offsets too
        if entity == "activate":
            journal.append(activation(offset, what))
        elif entity == "tick":
            journal.append(tick(offset))
        else:
            journal.append(happened(offset, book, "u:ann" if entity == "unread" else entity, what))
    return book, journal


@settings(deadline=None, max_examples=25)
@given(
    world=worlds(), sizes=st.lists(st.integers(1, 7), min_size=5, max_size=30), seed=st.randoms(use_true_random=False)
)
def test_batches_do_not_matter(world: tuple[Book, list[Journalled]], sizes: list[int], seed: random.Random) -> None:
    """One batch, single records, and random batches with claims and activations in between: equal bytes of state and
    of outputs, equal refusals, repeats and dead letters."""
    book, journal = world
    whole, single = fold(book, journal), fold(book, journal, [1] * len(journal))
    cut = fold(Book(book._catalog), journal, sizes, claim_again=seed)
    for other in (single, cut):
        assert other.states == whole.states
        assert other.fold == whole.fold
        assert written(ANNOUNCE, other.outputs) == written(ANNOUNCE, whole.outputs)
        assert (other.refusals, other.duplicates, other.dead) == (whole.refusals, whole.duplicates, whole.dead)


@settings(deadline=None, max_examples=25)
@given(world=worlds(), part=st.integers(0, 40), sizes=st.lists(st.integers(1, 9), max_size=9))
def test_a_replay_says_nothing_twice(world: tuple[Book, list[Journalled]], part: int, sizes: list[int]) -> None:
    """Folded again from nothing, outputs, dead letters and counts below the committed offset are thrown away, those
    above it appear once, and the state is the same to the byte."""
    book, journal = world
    whole = fold(book, journal)
    at = min(part, len(journal) - 1)
    before, committed = fold(book, journal[:at]), journal[at].offset()
    replay = fold(book, journal, sizes, committed=committed)
    assert replay.states == whole.states
    assert replay.fold == whole.fold
    assert written(ANNOUNCE, [*before.outputs, *replay.outputs]) == written(ANNOUNCE, whole.outputs)
    assert before.refusals + replay.refusals == whole.refusals
    assert before.duplicates + replay.duplicates == whole.duplicates
    assert before.dead + replay.dead == whole.dead
    assert replay.suppressed == len(before.outputs)


@settings(deadline=None, max_examples=25)
@given(world=worlds(), part=st.integers(0, 40))
def test_a_fold_goes_on_from_its_state(world: tuple[Book, list[Journalled]], part: int) -> None:
    """What Redis holds half-way is all that the rest needs: the sum is the whole."""
    book, journal = world
    whole, half = fold(book, journal), fold(book, journal[:part])
    both = fold(Book(book._catalog), journal[part:], start=half)
    assert (both.states, both.fold) == (whole.states, whole.fold)
    assert written(ANNOUNCE, both.outputs) == written(ANNOUNCE, whole.outputs)


@settings(deadline=None, max_examples=15)
@given(world=worlds())
def test_entities_do_not_touch_each_other(world: tuple[Book, list[Journalled]]) -> None:
    """An entity's state and outputs are those of its own records alone."""
    book, journal = world
    whole = fold(book, journal)
    for entity in ENTITIES:
        alone = fold(book, [one for one in journal if one.key() in (None, entity.encode())])
        assert alone.states.get(entity) == whole.states.get(entity)
        mine = [one for one in whole.outputs if f"u:{one.user_id}" == entity or
                (one.user_id is None and entity.startswith("a:"))]  # fmt: skip
        assert alone.outputs == mine
