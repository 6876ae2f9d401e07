"""Timers and open offers in a real Redis: written with the states, found without a scan."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from random import Random

import pytest
import redis

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.store import BUCKETS, CHUNK, Apply, Loaded, Reach, StateStore


def step(
    start: int, states: dict[str, bytes] | None = None, timers: Mapping[str, int | None] | None = None,
    opened: Mapping[str, bool] | None = None, partition: int = 2,
) -> Apply:  # fmt: skip
    return Apply(partition, start, start + 1, f"t{start}", {}, states or {}, timers or {}, opened or {})


def look(store: StateStore, reach: Reach, *entities: str) -> Loaded:
    return store.load({2: entities}, {2: reach})[2]


@pytest.mark.broker
def test_timers_come_in_the_order_they_fire(store: StateStore) -> None:
    """By time, then by the bytes of the entity's name; up to the time asked, that included; no more than asked."""
    timers = {"u:b": 20, "u:a": 20, "u:ä": 20, "u:z": 10, "u:late": 31, "a:x": 30}
    store.apply([step(0, {entity: entity.encode() for entity in timers}, timers)])
    order = [(10, "u:z"), (20, "u:a"), (20, "u:b"), (20, "u:ä"), (30, "a:x")]
    found = look(store, Reach(30, 9))
    assert (found.next, found.due, found.open) == (1, order, [])
    assert found.states == {entity: entity.encode() for _, entity in order}
    assert look(store, Reach(30, 3)).due == order[:3]
    assert look(store, Reach(9, 9)).due == []
    assert store.timers(2) == timers


@pytest.mark.broker
def test_asked_states_come_with_the_due_ones(store: StateStore) -> None:
    """Entities of the batch, due ones and swept ones in one answer, each with its own state, new ones with none."""
    states = {f"u:{n}": b"%d" % n for n in range(300)}
    store.apply([step(0, states, {f"u:{n}": n for n in range(300)}, {f"u:{n}": n % 2 == 0 for n in range(300)})])
    found = look(store, Reach(9, 50, "u:2", 4), "u:new", "u:5", "u:150")
    assert [entity for _, entity in found.due] == [f"u:{n}" for n in range(10)]
    assert found.open == ["u:20", "u:200", "u:202", "u:204"]
    wanted = {f"u:{n}" for n in (*range(10), 20, 200, 202, 204, 150)}
    assert found.states == {"u:new": None, **{entity: states[entity] for entity in wanted}}


@pytest.mark.broker
def test_buckets_are_the_same_in_lua(store: StateStore) -> None:
    """The script finds the state of every name, of whatever length and alphabet, where the store put it."""
    random = Random(5)
    names = {"".join(chr(random.choice([random.randrange(32, 127), random.randrange(160, 0x2FFF), 0x1F600]))
                     for _ in range(random.randrange(40))) for _ in range(1500)}  # fmt: skip
    states = {name: name.encode()[::-1] for name in names}
    assert len({zlib.crc32(name.encode()) % BUCKETS for name in names}) == BUCKETS
    store.apply([step(0, states, dict.fromkeys(names, 5), dict.fromkeys(names, True))])
    found = look(store, Reach(5, 2000, "", 2000))
    assert found.states == states
    assert found.open == [name for _, name in found.due] == sorted(names)


@pytest.mark.broker
def test_a_sweep_goes_on_behind_its_cursor(store: StateStore) -> None:
    """Entities that are open, in order, each once; none where none is asked for or left."""
    store.apply([step(0, opened={name: name != "u:out" for name in ("u:c", "u:a", "u:out", "a:b", "u:ab")})])
    assert look(store, Reach(0, 1, "", 2)).open == ["a:b", "u:a"]
    assert look(store, Reach(0, 1, "u:a", 2)).open == ["u:ab", "u:c"]
    assert look(store, Reach(0, 1, "u:c", 2)).open == []
    assert look(store, Reach(0, 1, "", 0)).open == []
    assert store.opened(2) == {"u:c", "u:a", "a:b", "u:ab"}


@pytest.mark.broker
def test_timers_move_and_go(store: StateStore) -> None:
    """A later step moves a timer, removes it, and takes an entity out of the open ones; the first is known cheaply."""
    store.apply([step(0, timers={"u:a": 7, "u:b": 8, "u:c": 9}, opened={"u:a": True, "u:b": True})])
    assert store.first_timers([2, 3]) == {2: (7, 3), 3: (None, 0)}
    store.apply([step(1, timers={"u:a": None, "u:b": 80, "u:none": None}, opened={"u:a": False, "u:none": False})])
    assert (store.timers(2), store.opened(2)) == ({"u:b": 80, "u:c": 9}, {"u:b"})
    assert store.first_timers([2]) == {2: (9, 2)}


@pytest.mark.broker
def test_a_refused_step_moves_no_timer(store: StateStore) -> None:
    """From another position neither timers nor open offers change."""
    store.apply([step(0, timers={"u:a": 7}, opened={"u:a": True})])
    wrong = Apply(2, 5, 6, "t5", {}, {}, {"u:a": None, "u:b": 3}, {"u:a": False})
    assert store.apply([wrong]) == {2: "moved"}
    assert (store.timers(2), store.opened(2)) == ({"u:a": 7}, {"u:a"})


@pytest.mark.broker
def test_timers_that_cannot_be_written_leave_a_mark(
    store: StateStore, raw: redis.Redis, key: Callable[..., str]
) -> None:
    """A step that dies at its timers is dirty, and dropping the partition drops timers and open offers as well."""
    store.apply([step(0, {"u:a": b"1"}, {"u:a": 7}, {"u:a": True}), step(0, {}, {"u:a": 7}, {}, partition=3)])
    timers = key(2).replace("meta", "tm")
    raw.rename(timers, timers + "x")
    raw.set(timers, "no sorted set")
    with pytest.raises(RedisDown):
        store.apply([step(1, {"u:a": b"2"}, {"u:a": 8})])
    assert store.meta(2).dirty == b"t1"
    assert store.drop(2, b"t1")
    assert (store.states(2), store.timers(2), store.opened(2), store.meta(2).next) == ({}, {}, set(), 0)
    assert store.timers(3) == {"u:a": 7}


@pytest.mark.broker
def test_more_timers_than_lua_unpacks(store: StateStore) -> None:
    """Three chunks of timers set and removed in one step each, and as many loaded."""
    names = [f"u:{n:06}" for n in range(2 * CHUNK + 3)]
    states = dict.fromkeys(names, b"s")
    store.apply([step(0, states, dict.fromkeys(names, 4), dict.fromkeys(names, True))])
    found = look(store, Reach(4, len(names), "", len(names)), *names)
    assert found.due == [(4, name) for name in names]
    assert found.open == names
    assert found.states == states
    store.apply([step(1, {}, dict.fromkeys(names), dict.fromkeys(names, False))])
    assert (store.timers(2), store.opened(2)) == ({}, set())
