"""States in a real Redis: one atomic step forward or none, whatever was lost in between."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
import redis

from offerflow.runtime.errors import ConfigError, RedisDown
from offerflow.runtime.redis.store import BUCKETS, CHUNK, Apply, StateStore
from offerflow.runtime.settings import RedisSettings, Settings

IDENTITY: dict[str, str | bytes] = {"topic_id": "T", "cluster_id": "C", "group": "t.rules"}


FIRST = "t1"


def batch(
    start: int, to: int, token: str = FIRST, states: dict[str, bytes] | None = None, partition: int = 2,
    meta: dict[str, str | bytes] | None = None,
) -> Apply:  # fmt: skip
    return Apply(partition, start, to, token, IDENTITY if meta is None else meta, states or {})


def one(store: StateStore, step: Apply) -> str:
    """The answer to a single partition's batch."""
    return store.apply([step])[step.partition]


@pytest.mark.broker
def test_a_new_partition(store: StateStore) -> None:
    """An empty Redis stands at 0, knows nothing of itself, and has no states."""
    meta = store.meta(2)
    said = (meta.next, meta.dirty, meta.fold, meta.layout, meta.topic_id, meta.cluster_id, meta.group)
    assert said == (0, *[None] * 6)
    loaded = store.load({2: ["u:a"]})[2]
    assert (loaded.next, loaded.dirty, loaded.fold, loaded.states) == (0, None, None, {"u:a": None})
    assert store.states(2) == {}


@pytest.mark.broker
def test_what_is_applied_is_loaded(store: StateStore) -> None:
    """Position, identity, fold and states come back byte for byte, for the asked entities alone."""
    states = {"u:a": b"\x00\xff\r\n", "a:ä b": b"", "u:": b"x"}
    assert one(store, batch(0, 7, states=states, meta={**IDENTITY, "fold": b"\x93fold\x00"})) == "ok"
    loaded = store.load({2: ["a:ä b", "u:new", "u:a"]})[2]
    assert (loaded.next, loaded.dirty, loaded.fold) == (7, None, b"\x93fold\x00")
    assert loaded.states == {"a:ä b": b"", "u:new": None, "u:a": b"\x00\xff\r\n"}
    meta = store.meta(2)
    assert (meta.next, meta.fold, meta.topic_id, meta.cluster_id, meta.group) == (
        7,
        b"\x93fold\x00",
        "T",
        "C",
        "t.rules",
    )
    assert store.states(2) == states


@pytest.mark.broker
def test_a_step_replaces_only_its_own_states(store: StateStore) -> None:
    """Others stay, and the fold stays if the batch has none."""
    one(store, batch(0, 3, states={"u:a": b"1", "u:b": b"1"}, meta={"fold": b"f"}))
    assert one(store, batch(3, 9, "t2", {"u:b": b"2", "u:c": b"2"}, meta={})) == "ok"
    assert store.states(2) == {"u:a": b"1", "u:b": b"2", "u:c": b"2"}
    assert (store.meta(2).next, store.meta(2).fold) == (9, b"f")


@pytest.mark.broker
@pytest.mark.parametrize("start", [0, 4, 6, 55])
def test_from_another_position_nothing_is_written(store: StateStore, start: int) -> None:
    """A batch that does not begin where Redis stands is told so, and leaves position and states alone."""
    one(store, batch(0, 5, states={"u:a": b"1"}))
    assert one(store, batch(start, 9, "t2", {"u:a": b"2", "u:b": b"2"}, meta={"fold": b"f"})) == "moved"
    assert (store.meta(2).next, store.meta(2).fold, store.states(2)) == (5, None, {"u:a": b"1"})


@pytest.mark.broker
def test_an_emptied_partition_is_not_where_it_was(store: StateStore, raw: redis.Redis, key: Callable[..., str]) -> None:
    """After the loss of Redis a batch from the middle is refused, not taken as the first."""
    one(store, batch(0, 5))
    raw.delete(key(2))
    assert one(store, batch(5, 9, "t2", {"u:a": b"2"})) == "moved"
    assert store.states(2) == {}


@pytest.mark.broker
def test_the_same_batch_again_is_done(store: StateStore) -> None:
    """After an unclear answer the token says that it is in, and it is not applied twice."""
    step = batch(0, 5, states={"u:a": b"1"})
    assert [one(store, step), one(store, step)] == ["ok", "done"]
    one(store, batch(5, 9, "t2", {"u:a": b"2"}))
    assert one(store, step) == "moved"
    assert store.states(2) == {"u:a": b"2"}


@pytest.mark.broker
def test_a_batch_that_dies_half_way_leaves_a_mark(store: StateStore, raw: redis.Redis, key: Callable[..., str]) -> None:
    """Position unmoved, the token of the dead batch in ``dirty``, and nothing more is applied until it is dropped."""
    one(store, batch(0, 5, states={"u:a": b"1"}))
    broken = next(f"u:{n}" for n in range(999) if key(2, f"u:{n}") != key(2, "u:a"))
    raw.set(key(2, broken), "no hash")
    with pytest.raises(RedisDown):
        store.apply([batch(5, 9, "t2", {"u:a": b"2", broken: b"2"})])
    assert (store.meta(2).next, store.meta(2).dirty) == (5, b"t2")
    assert store.load({2: ["u:a"]})[2].dirty == b"t2"
    for token in ("t2", "t3"):
        assert one(store, batch(5, 9, token, {"u:a": b"3"})) == "dirty"
    assert raw.hget(key(2, "u:a"), "u:a") == b"2"


@pytest.mark.broker
def test_only_the_marked_batch_is_dropped(store: StateStore, raw: redis.Redis, key: Callable[..., str]) -> None:
    """Another token, or none, drops nothing; the right one drops all of the partition and of no other."""
    states = {f"u:{n}": b"1" for n in range(200)}
    store.apply([batch(0, 5, states=states, partition=p) for p in (2, 3)])
    assert not store.drop(2, b"t1")
    raw.hset(key(2), "dirty", "t7")
    assert not store.drop(2, b"t8")
    assert (store.meta(2).next, store.meta(2).dirty, store.states(2)) == (5, b"t7", states)
    assert store.drop(2, b"t7")
    assert (store.meta(2).next, store.meta(2).dirty, store.meta(2).topic_id, store.states(2)) == (0, None, None, {})
    assert store.states(3) == states
    assert not store.drop(2, b"t7")
    assert one(store, batch(0, 4, "t9")) == "ok"


@pytest.mark.broker
@pytest.mark.parametrize("layout", [None, "7"])
def test_states_of_a_layout_are_dropped(store: StateStore, layout: str | None) -> None:
    """Only if they still have it: who comes second drops nothing of what the first has begun anew."""
    said: dict[str, str | bytes] = {} if layout is None else {"layout": layout}
    store.apply([batch(0, 5, states={"u:a": b"1"}, meta={**IDENTITY, **said})])
    assert (store.meta(2).layout, store.load({2: ["u:a"]})[2].layout) == (layout, layout)
    assert not store.drop_layout(2, "8")
    assert store.drop_layout(2, layout)
    assert (store.meta(2).next, store.meta(2).topic_id, store.states(2)) == (0, None, {})
    one(store, batch(0, 4, "t9", {"u:a": b"2"}, meta={"layout": "8"}))
    assert not store.drop_layout(2, layout)
    assert store.states(2) == {"u:a": b"2"}


@pytest.mark.broker
def test_forgotten_scripts_are_taught_again(store: StateStore, raw: redis.Redis, key: Callable[..., str]) -> None:
    """A Redis that was restarted, or whose scripts were flushed, serves every call as before."""
    raw.script_flush()
    assert store.load({2: ["u:a"], 3: []})[2].next == 0
    raw.script_flush()
    steps = [batch(0, 5, states={"u:a": b"1"}, partition=p) for p in (2, 3)]
    assert store.apply(steps) == {2: "ok", 3: "ok"}
    raw.script_flush()
    assert store.apply(steps) == {2: "done", 3: "done"}
    raw.hset(key(2), "dirty", "t7")
    raw.script_flush()
    assert store.drop(2, b"t7")


@pytest.mark.broker
def test_more_entities_than_lua_unpacks(store: StateStore) -> None:
    """20,000 entities in one call, and twice as many as fit a chunk in one bucket."""
    crowded = [name for name in (f"u:x{n}" for n in range(64 * 8000)) if zlib.crc32(name.encode()) % BUCKETS == 7]
    states = {f"u:{n}": b"%d" % n for n in range(20_000)} | dict.fromkeys(crowded[: 2 * CHUNK + 1], b"c")
    assert one(store, batch(0, 5, states=states)) == "ok"
    loaded = store.load({2: [*states, "u:none"]})[2]
    assert loaded.states == {**states, "u:none": None}
    assert store.states(2) == states


@pytest.mark.broker
@pytest.mark.parametrize("number", [0, 1, CHUNK, CHUNK + 1])
def test_chunks_of_one_bucket(store: StateStore, number: int) -> None:
    """At the edges of a chunk no state is lost and none is taken for a count."""
    crowded = (name for name in (f"u:{n}" for n in range(1_000_000)) if zlib.crc32(name.encode()) % BUCKETS == 0)
    states = {next(crowded): b"7" for _ in range(number)}
    assert one(store, batch(0, 5, states=states)) == "ok"
    assert store.load({2: list(states)})[2].states == states


@pytest.mark.broker
def test_partitions_are_apart(store: StateStore) -> None:
    """In one call one partition may move on while another is refused; each has states of its own."""
    store.apply([batch(0, 5, states={"u:a": b"2"}), batch(0, 8, states={"u:a": b"3"}, partition=3)])
    answers = store.apply([
        batch(5, 6, "t2", {"u:a": b"22"}), batch(5, 9, "t2", {"u:a": b"33"}, partition=3), batch(0, 1, "t2",
            partition=4),
    ])  # fmt: skip
    assert answers == {2: "ok", 3: "moved", 4: "ok"}
    assert [store.load({p: ["u:a"]})[p].states["u:a"] for p in (2, 3, 4)] == [b"22", b"3", None]
    assert store.positions([4, 2, 3, 9]) == {4: 1, 2: 6, 3: 8, 9: 0}


@pytest.mark.broker
def test_deployments_are_apart(store: StateStore, settings: Settings) -> None:
    """Another topic prefix on the same Redis has partitions of its own."""
    one(store, batch(0, 5, states={"u:a": b"1"}))
    other = StateStore(settings.model_copy(update={"topic_prefix": settings.topic_prefix + "x."}))
    assert (other.meta(2).next, other.states(2)) == (0, {})
    other.close()


@pytest.mark.broker
def test_the_same_entity_twice_is_loaded_once(store: StateStore) -> None:
    """A batch may name an entity many times."""
    one(store, batch(0, 5, states={"u:a": b"1"}))
    assert store.load({2: ["u:a", "u:b", "u:a"]})[2].states == {"u:a": b"1", "u:b": None}
    assert store.load({}) == {}
    assert store.apply([]) == {}


@pytest.mark.broker
def test_a_full_redis_writes_nothing(store: StateStore, raw: redis.Redis) -> None:
    """Out of memory is told before the first write: no mark is left, and the same batch goes in later."""
    one(store, batch(0, 5, states={"u:a": b"1"}))
    before = raw.config_get("maxmemory*")
    raw.config_set("maxmemory-policy", "noeviction")
    raw.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisDown, match="maxmemory"):
            store.apply([batch(5, 9, "t2", {"u:a": b"2"})])
        assert (store.meta(2).next, store.meta(2).dirty, store.states(2)) == (5, None, {"u:a": b"1"})
    finally:
        for name in ("maxmemory", "maxmemory-policy"):
            raw.config_set(name, before[name])
    assert one(store, batch(5, 9, "t2", {"u:a": b"2"})) == "ok"


@pytest.mark.broker
def test_the_newest_position_wins_a_race(settings: Settings, store: StateStore) -> None:
    """Of two owners that fold the same batch one moves on, the other is told; the states are those of the first."""
    rival = StateStore(settings)
    assert one(store, batch(0, 5, "mine", {"u:a": b"mine"})) == "ok"
    assert one(rival, batch(0, 5, "theirs", {"u:a": b"theirs"})) == "moved"
    assert store.states(2) == {"u:a": b"mine"}
    rival.close()


def test_a_redis_that_is_not_there() -> None:
    """Every call says which address does not answer, without the password."""
    away = StateStore(Settings(redis=RedisSettings(url="redis://user:pass-word@127.0.0.1:1/0?username=pass-word")))
    calls: list[Callable[[], object]] = [
        away.ping, lambda: away.meta(0), lambda: away.positions([0]), lambda: away.load({0: ["u:a"]}),
        lambda: away.apply([batch(0, 1)]), lambda: away.drop(0, b"t"), lambda: away.states(0),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RedisDown, match=r"127\.0\.0\.1:1/0") as raised:
            call()
        assert "pass-word" not in str(raised.value)


@pytest.mark.parametrize("options", ["pass-word=1", "db=pass-word"])
def test_options_that_redis_does_not_have(options: str) -> None:
    """They are told before anything is asked of it, without the URL."""
    with pytest.raises(ConfigError, match=r"redis://127\.0\.0\.1:1/0 has options") as raised:
        StateStore(Settings(redis=RedisSettings(url=f"redis://127.0.0.1:1/0?{options}")))
    assert "pass-word" not in str(raised.value)
