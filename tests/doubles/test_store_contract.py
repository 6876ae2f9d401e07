"""What a store of states promises its callers: one suite for the double and for a real Redis, which decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.store import Apply, Meta, Reach
from tests.deployment import Services
from tests.doubles.subject import DoubleSubject, RealSubject, Store, Subject

IDENTITY: dict[str, str | bytes] = {"topic_id": "T", "cluster_id": "C", "group": "t.rules", "layout": "1"}
ENTITIES = [f"u:{n}" for n in range(6)] + ["a:ä", "u:", "u:\U0001f600"]


@pytest.fixture(params=["double", pytest.param("redis", marks=pytest.mark.broker)])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made: Subject
    if request.param == "double":
        made = DoubleSubject()
    else:
        stack: Services = request.getfixturevalue("stack")
        made = RealSubject(stack.redis)
    yield made
    made.close()


def batch(start: int, to: int, token: str = "t1", partition: int = 2, **more: Any) -> Apply:  # noqa: S107
    return Apply(partition, start, to, token, more.pop("meta", dict(IDENTITY)), **more)


def one(store: Store, step: Apply) -> str:
    return store.apply([step])[step.partition]


def everything(store: Store, partition: int) -> tuple[object, ...]:
    """All that can be asked of a partition, except for the token of its last batch, which nobody can ask for. Of the
    time of the last apply only whether there is one."""
    meta = store.meta(partition)
    told = replace(meta, applied=None if meta.applied is None else "some time")
    return (
        told, store.states(partition), store.timers(partition), store.opened(partition),
        store.positions([partition]), store.first_timers([partition]),
    )  # fmt: skip


def test_an_empty_partition(subject: Subject) -> None:
    """Stands at 0 without a mark, and has nothing."""
    store = subject.store
    assert [getattr(store.meta(2), one.name) for one in fields(Meta)] == [0, *[None] * (len(fields(Meta)) - 1)]
    loaded = store.load({2: ["u:1"]}, {2: Reach(10**15, 9, "", 9)})[2]
    assert (loaded.next, loaded.dirty, loaded.states, loaded.due, loaded.open) == (0, None, {"u:1": None}, [], [])
    assert store.first_timers([2, 3]) == {2: (None, 0), 3: (None, 0)}
    assert (store.states(2), store.timers(2), store.opened(2)) == ({}, {}, set())


def test_what_was_applied(subject: Subject) -> None:
    """Comes back byte for byte, to every client, with its timers in order and its open entities."""
    states = {"u:1": b"\x00\xff\r\n", "a:ä": b"", "u:2": b"2"}
    step = batch(0, 7, states=states, timers={"u:1": 50, "a:ä": 40, "u:2": 50}, opened={"u:1": True, "u:2": True},
                 meta={**IDENTITY, "fold": b"\x93f\x00"})  # fmt: skip
    assert one(subject.store, step) == "ok"
    meta = subject.rival.meta(2)
    assert (meta.next, meta.fold, meta.layout, meta.topic_id) == (7, b"\x93f\x00", "1", "T")
    loaded = subject.rival.load({2: ["u:9", "u:1"]}, {2: Reach(50, 2, "u:1", 5)})[2]
    assert (loaded.next, loaded.due, loaded.open) == (7, [(40, "a:ä"), (50, "u:1")], ["u:2"])
    assert loaded.states == {"u:9": None, "u:1": states["u:1"], "a:ä": b"", "u:2": b"2"}
    assert subject.rival.first_timers([2]) == {2: (40, 3)}


def test_what_a_batch_takes_away(subject: Subject) -> None:
    """A timer that is over and an entity that left its last offer are gone; the states stay, and so does the fold."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}, timers={"u:1": 9}, opened={"u:1": True}, meta={"fold": b"f"}))
    assert one(store, batch(5, 6, "t2", timers={"u:1": None, "u:2": None}, opened={"u:1": False})) == "ok"
    assert (store.timers(2), store.opened(2), store.states(2), store.meta(2).fold) == ({}, set(), {"u:1": b"1"}, b"f")


@pytest.mark.parametrize("start", [0, 4, 6])
def test_a_batch_from_elsewhere(subject: Subject, start: int) -> None:
    """Is refused and leaves everything as it was."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}))
    before = everything(store, 2)
    assert one(store, batch(start, 9, "t2", states={"u:1": b"2"}, timers={"u:1": 3}, opened={"u:1": True})) == "moved"
    assert everything(store, 2) == before


def test_the_same_batch_again(subject: Subject) -> None:
    """Is known by its token while it is the last one, and moves nothing twice."""
    step = batch(0, 5, states={"u:1": b"1"})
    assert [one(subject.store, step), one(subject.rival, step)] == ["ok", "done"]
    one(subject.store, batch(5, 9, "t2", states={"u:1": b"2"}))
    assert one(subject.store, step) == "moved"
    assert subject.store.states(2) == {"u:1": b"2"}


def test_two_owners(subject: Subject) -> None:
    """Of two batches from the same position the first is in, the other is refused."""
    assert one(subject.store, batch(0, 5, "mine", states={"u:1": b"mine"})) == "ok"
    assert one(subject.rival, batch(0, 6, "theirs", states={"u:1": b"theirs"})) == "moved"
    assert (subject.rival.states(2), subject.rival.meta(2).next) == ({"u:1": b"mine"}, 5)


def test_partitions_are_apart(subject: Subject) -> None:
    """In one call one may be refused while others move on."""
    store = subject.store
    store.apply([batch(0, 5), batch(0, 8, partition=3, states={"u:1": b"3"})])
    answers = store.apply([batch(5, 6, "t2"), batch(5, 9, "t2", partition=3), batch(0, 1, "t2", partition=4)])
    assert answers == {2: "ok", 3: "moved", 4: "ok"}
    assert store.positions([4, 2, 3, 9]) == {4: 1, 2: 6, 3: 8, 9: 0}
    assert store.load({2: ["u:1"], 3: ["u:1"]})[3].states == {"u:1": b"3"}
    assert (store.load({}), store.apply([])) == ({}, {})


def test_a_script_that_dies_half_way(subject: Subject) -> None:
    """Leaves its first writes, the position and its token as a mark under which nothing is applied, until that very
    mark is dropped with all of the partition."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1", "u:2": b"1"}, timers={"u:1": 7}))
    subject.break_next(2, "u:2")
    with pytest.raises(RedisDown):
        store.apply([batch(5, 9, "t2", states={"u:1": b"2", "u:2": b"2"}, timers={"u:1": 8}, meta={"fold": b"f"})])
    subject.mend(2, "u:2")
    meta = subject.rival.meta(2)
    assert (meta.next, meta.dirty, meta.fold) == (5, b"t2", None)
    assert (store.states(2), store.timers(2)) == ({"u:1": b"2", "u:2": b"1"}, {"u:1": 7})
    assert store.load({2: []})[2].dirty == b"t2"
    assert [one(store, batch(5, 9, token, states={"u:1": b"3"})) for token in ("t2", "t3")] == ["dirty", "dirty"]
    assert not subject.rival.drop(2, b"t3")
    assert subject.rival.drop(2, b"t2")
    assert not store.drop(2, b"t2")
    assert (store.meta(2).next, store.meta(2).dirty, store.states(2), store.timers(2)) == (0, None, {}, {})


@pytest.mark.parametrize("layout", [None, "7"])
def test_states_of_another_layout(subject: Subject, layout: str | None) -> None:
    """Are dropped by who names what they have, and not what was begun anew since."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}, meta={} if layout is None else {"layout": layout}))
    assert not store.drop_layout(2, "8")
    assert subject.rival.drop_layout(2, layout)
    one(store, batch(0, 4, "t9", states={"u:1": b"2"}, meta={"layout": "8"}))
    assert not subject.rival.drop_layout(2, layout)
    assert (store.states(2), store.meta(2).layout) == ({"u:1": b"2"}, "8")


def test_states_without_a_position(subject: Subject) -> None:
    """Are dropped by who finds them so, with timers and open offers, and not what was begun anew since."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}, timers={"u:1": 7}, opened={"u:1": True}))
    assert not store.drop_remains(2)
    subject.forget_meta(2)
    assert (store.meta(2).next, store.states(2)) == (0, {"u:1": b"1"})
    assert store.drop_remains(2)
    assert (store.states(2), store.timers(2), store.opened(2)) == ({}, {}, set())
    assert store.drop_remains(2)
    one(store, batch(0, 4, "t9", states={"u:1": b"2"}))
    assert not subject.rival.drop_remains(2)
    assert store.states(2) == {"u:1": b"2"}


def test_an_emptied_partition(subject: Subject) -> None:
    """Takes no batch from the middle, and knows no token any more."""
    store = subject.store
    step = batch(0, 5, states={"u:1": b"1"})
    one(store, step)
    subject.empty(2)
    assert one(store, batch(5, 9, "t2")) == "moved"
    assert one(store, step) == "ok"


def test_a_fail_over_to_an_older_copy(subject: Subject) -> None:
    """Position, states, timers and the token of the last batch go back together, so a batch that follows what was lost
    is refused, and the lost ones can be applied again."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}, timers={"u:1": 7}))
    subject.remember()
    lost = [batch(5, 9, "t2", states={"u:1": b"2"}, timers={"u:1": None}, opened={"u:2": True}), batch(9, 12, "t3")]
    assert [one(store, step) for step in lost] == ["ok", "ok"]
    subject.go_back()
    assert (store.meta(2).next, store.states(2), store.timers(2), store.opened(2)) == (
        5,
        {"u:1": b"1"},
        {"u:1": 7},
        set(),
    )
    assert one(store, batch(12, 14, "t4")) == "moved"
    assert [one(subject.rival, step) for step in lost] == ["ok", "ok"]
    assert (store.meta(2).next, store.states(2), store.timers(2), store.opened(2)) == (12, {"u:1": b"2"}, {}, {"u:2"})


def test_a_full_redis(subject: Subject) -> None:
    """Says so before it has written anything, reads on, and takes the same batch later."""
    store = subject.store
    one(store, batch(0, 5, states={"u:1": b"1"}))
    with subject.full():
        for call in (store.ping, lambda: store.apply([batch(5, 9, "t2", states={"u:1": b"2"})])):
            with pytest.raises(RedisDown) as refused:
                call()
            assert refused.value.why == "memory"
        assert (store.meta(2).next, store.meta(2).dirty, store.states(2)) == (5, None, {"u:1": b"1"})
        assert store.load({2: ["u:1"]})[2].states == {"u:1": b"1"}
    store.ping()
    assert one(store, batch(5, 9, "t2", states={"u:1": b"2"})) == "ok"


@pytest.mark.broker
@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_calls(stack: Services, seed: int) -> None:
    """Random applies, right and wrong ones, drops and losses come to the same in the double as in a real Redis, after
    each of two hundred calls."""
    random = Random(seed)
    double, real = DoubleSubject(), RealSubject(stack.redis)

    def some() -> list[str]:
        return random.sample(ENTITIES, random.randrange(len(ENTITIES)))

    try:
        at = 0
        for number in range(200):
            what = random.random()
            if what < 0.75:
                start = at if random.random() < 0.9 else random.randrange(30)
                step = batch(
                    start, start + random.randrange(1, 4), f"t{number if random.random() < 0.9 else number - 1}",
                    states=dict.fromkeys(some(), b"%d" % number),
                    timers={one: random.choice([None, random.randrange(20)]) for one in some()},
                    opened={one: random.random() < 0.5 for one in some()},
                    meta=random.choice([{}, dict(IDENTITY), {"fold": b"%d" % number}]),
                )  # fmt: skip
                assert double.store.apply([step]) == real.store.apply([step])
            elif what < 0.8:
                layout = random.choice([None, "1"])
                assert double.store.drop_layout(2, layout) == real.store.drop_layout(2, layout)
            elif what < 0.82:
                double.empty(2)
                real.empty(2)
            else:
                reach = random.choice([None, Reach(random.randrange(20), random.randrange(1, 5),
                                                   random.choice(["", "u:2"]), random.randrange(4))])  # fmt: skip
                asked, reaches = {2: some()}, {} if reach is None else {2: reach}
                assert double.store.load(asked, reaches) == real.store.load(asked, reaches)
            assert everything(double.store, 2) == everything(real.store, 2)
            at = double.store.meta(2).next
    finally:
        real.close()
