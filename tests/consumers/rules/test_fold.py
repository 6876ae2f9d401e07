"""The fold of a journal partition: the same journal gives the same bytes, however it is cut into batches."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offerflow.rules import fold as pure
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Output
from offerflow.rules.state import PartitionState, pack
from offerflow.rules.states import MemoryStates
from offerflow.runtime.settings import Settings
from schemas.announce import Announcer
from schemas.folding import partition as worker
from schemas.folding.book import CatalogBook
from schemas.journal import RULESET_ACTIVATED, TICK
from schemas.requests import REQUESTS
from tests.consumers.rules.world import (
    MINUTE,
    NOON,
    NUMBER,
    Definition,
    Journalled,
    activation,
    catalog_of,
    fold,
    happened,
    offer,
    tick,
    written,
)

ANNOUNCE = Announcer(Settings(topic_prefix="t."))
ENTITIES = ("u:ann", "u:bob", "a:cookie", "u:dee")
A, B = {"event": "A"}, {"event": "B"}
ABSENT = {"absent": B, "after": A, "within": "1h"}
POOL = [
    offer("two", {**A, "count": {"at_least": 2}}, B, reward={"id": "two", "value": "5 EUR"}, expires_after="1h"),
    offer("gone", ABSENT, "immediate", reward={"id": "nudge", "value": "1 EUR"}, reentry="after_completion"),
    offer("paid", A, B, reward={"id": "paid", "value": "2 EUR", "pending": "30m", "expires_after": "2h"},
          reentry="after_completion", expires_after="3h"),
    offer("brief", B, expires_after="20m", reentry="after_expiry"),
    offer("asked", {"code": "ASK"}, A, reward={"id": "asked"}, exit=B, expires_after="90m", reentry="after_completion"),
    offer("keyed", {"event": "U"}, "immediate", reward={"id": "keyed"}, reentry={"per_key": "key"}),
    offer("lost", {**A, "count": {"at_least": 3}}, ABSENT, reward={"id": "lost"}),
]  # fmt: skip
WITHDRAWN = [{**one, "withdraw": True} for one in POOL]
rulesets = st.lists(
    st.sampled_from([*POOL, *POOL, *WITHDRAWN]), min_size=2, max_size=5, unique_by=lambda one: one["id"]
)
minutes = st.integers(0, 400)


World = tuple[CatalogBook, list[Journalled]]


@st.composite
def arrivals(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["A", "A", "A", "B", "B", "U", "Unread", "offerflow.EnterOffer"]))
    if name.startswith("offerflow."):
        return {"name": name, "properties": {"code": draw(st.sampled_from(["ask", "nope"]))}}
    made: dict[str, Any] = {"name": name, "properties": {"key": draw(st.sampled_from(["k", "l"]))}}
    if draw(st.integers(0, 5)) == 0:
        made["event_id"] = draw(st.sampled_from(["same", "other"]))
    return made


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A journal of four entities over some hours, with ticks, that begins with an activation and has up to two more."""
    made: list[list[Definition]] = draw(st.lists(rulesets, min_size=1, max_size=3))
    book = CatalogBook(catalog_of(made))
    steps = st.one_of(
        st.tuples(st.sampled_from(ENTITIES), arrivals(), minutes),
        st.tuples(st.just("tick"), st.integers(0, 1), minutes),
    )
    moments: list[Any] = draw(st.lists(steps, min_size=12, max_size=40))
    if draw(st.booleans()):
        moments.sort(key=lambda moment: moment[2])
    for at in range(1, len(made)):
        moments.insert(draw(st.integers(0, len(moments))), ("activate", at, 0))
    journal, offset = [activation(0, 0)], 1
    for entity, what, at in moments:
        offset += draw(st.sampled_from([1, 1, 1, 3]))  # transaction markers take offsets too
        time = NOON + at * MINUTE
        if entity == "activate":
            journal.append(activation(offset, what))
        elif entity == "tick":
            journal.append(tick(offset, time, time - what * MINUTE))
        else:
            journal.append(happened(offset, book, entity, {**what, "time": time, "received_at": time}))
    return book, journal


@pytest.fixture(params=[(2, 1, 2), (1, 2, 1)], ids=["narrow", "narrowest"], autouse=True)
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much a tick does, and for how many of them is loaded ahead: so little that every journal meets the bounds."""
    for module in (pure, worker):
        monkeypatch.setattr(module, "ENTITIES_PER_TICK", request.param[0])
        monkeypatch.setattr(module, "SWEPT_PER_TICK", request.param[1])
    monkeypatch.setattr(worker, "TICKS_AT_ONCE", request.param[2])


def in_memory(book: CatalogBook, journal: list[Journalled]) -> tuple[tuple[Any, ...], list[Output]]:
    """The same fold without a worker: what is kept, and the outputs."""
    states = MemoryStates()
    found = Fold(NUMBER, PartitionState(), book.ruleset, states)
    outputs: list[Output] = []
    for record in journal:
        value, offset = record.value() or b"", record.offset()
        schema_id = int.from_bytes(value[1:5], "big")
        entity = (record.key() or b"").decode()
        if schema_id == RULESET_ACTIVATED.id:
            found.activate(RULESET_ACTIVATED.decode(value)["ruleset"])
            continue
        if schema_id == TICK.id:
            passed = found.tick(TICK.decode(value)["due"], record.timestamp()[1], offset)
            assert not passed.failures
            outputs += [output for _, decision in passed.decisions for output in decision.outputs]
            continue
        if schema_id in REQUESTS:
            decision = found.request(entity, REQUESTS[schema_id](value, NUMBER, offset))
        else:
            schema = book.schema(schema_id)
            reader = book.reader(schema, frozenset(found.rules.reads.get(schema.name, ())))
            decision = found.event(entity, reader(value, NUMBER, offset), reader.event_type)
        assert not isinstance(decision, Failure), decision
        outputs += decision.outputs
    found.settle()
    packed = {entity: pack(state) for entity, state in states.entities.items()}
    return (packed, states.timers, states.opened, pack(found.state)), outputs


SOME = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SOME
@given(
    world=worlds(), sizes=st.lists(st.integers(1, 7), min_size=5, max_size=40), seed=st.randoms(use_true_random=False)
)
def test_batches_do_not_matter(world: World, sizes: list[int], seed: random.Random) -> None:
    """One batch, single records, random batches with claims between, and no worker at all: equal bytes of states,
    timers, open offers and outputs, equal counts and dead letters."""
    book, journal = world
    whole, single = fold(book, journal), fold(book, journal, [1] * len(journal))
    cut = fold(CatalogBook(book._catalog), journal, sizes, claim_again=seed)
    for other in (single, cut):
        assert other.kept == whole.kept
        assert written(ANNOUNCE, other.outputs) == written(ANNOUNCE, whole.outputs)
        assert other.told == whole.told
    kept, outputs = in_memory(book, journal)
    assert kept == whole.kept
    assert written(ANNOUNCE, outputs) == written(ANNOUNCE, whole.outputs)


@SOME
@given(world=worlds(), part=st.integers(0, 40), sizes=st.lists(st.integers(1, 9), max_size=9))
def test_a_replay_says_nothing_twice(world: World, part: int, sizes: list[int]) -> None:
    """Folded again from nothing, outputs, dead letters and counts below the committed offset are thrown away, those
    above it appear once, and what is kept is the same to the byte."""
    book, journal = world
    whole = fold(book, journal)
    at = min(part, len(journal) - 1)
    before, committed = fold(book, journal[:at]), journal[at].offset()
    replay = fold(book, journal, sizes, committed=committed)
    assert replay.kept == whole.kept
    assert written(ANNOUNCE, [*before.outputs, *replay.outputs]) == written(ANNOUNCE, whole.outputs)
    both = [old + new for old, new in zip(before.told, replay.told, strict=True)]
    assert both == list(whole.told)
    assert replay.suppressed == len(before.outputs)


@SOME
@given(world=worlds(), part=st.integers(0, 40))
def test_a_fold_goes_on_from_what_is_kept(world: World, part: int) -> None:
    """What Redis holds half-way is all that the rest needs: the sum is the whole."""
    book, journal = world
    whole, half = fold(book, journal), fold(book, journal[:part])
    both = fold(CatalogBook(book._catalog), journal[part:], start=half)
    assert both.kept == whole.kept
    assert written(ANNOUNCE, both.outputs) == written(ANNOUNCE, whole.outputs)


@SOME
@given(world=worlds())
def test_what_stands_beside_states_follows_from_them(world: World) -> None:
    """The timer and the open offers of every entity are those of its state: nothing is forgotten, nothing is left."""
    book, journal = world
    found = fold(book, journal)
    states = {entity: pure.unpack_entity(packed) for entity, packed in found.states.items()}
    timers = {entity: pure.next_due(state) for entity, state in states.items()}
    assert found.timers == {entity: first[0] for entity, first in timers.items() if first is not None}
    assert found.opened == {entity for entity, state in states.items() if pure.has_open(state)}
