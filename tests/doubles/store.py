"""A double of offerflow.runtime.redis.store.StateStore: one Redis in memory, with what may happen to one.

``RedisDouble`` is the server, which many stores share; ``StoreDouble`` has the methods of StateStore and raises what it
raises. tests/doubles/test_store_contract.py holds both to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Literal

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.store import Apply, Loaded, Meta, Reach, applied_now

Refusal = Literal["down", "loading", "full", "read only"]
_REFUSALS: dict[str, tuple[str, str, bool]] = {
    "down": ("Connection refused", "unreachable", False),
    "loading": ("Redis is loading the dataset in memory", "loading", False),
    "full": ("command not allowed when used memory > 'maxmemory'.", "memory", True),
    "read only": ("You can't write against a read only replica.", "read_only", True),
}
"""By kind: what Redis says, the label it gets, and whether it refuses writes only."""
_PACKED = frozenset({"next", "dirty", "fold"})
KEPT = 16
"""How many writes a fail-over can take back."""


@dataclass
class _Kept:
    """What Redis has of one partition."""

    meta: dict[str, str | bytes] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def copy(self) -> _Kept:
        return _Kept(dict(self.meta), dict(self.states), dict(self.timers), set(self.open))


class RedisDouble:
    """``on_call(name)`` is told of each call before it reaches the server, so that others may go first.

    ``written`` counts writes. ``torn_load`` makes a load read the position first and the states later, as no single
    script would.
    """

    def __init__(self) -> None:
        self.on_call: Callable[[str], None] = lambda name: None
        self.torn_load = False
        self.written = 0
        self._kept: dict[int, _Kept] = {}
        self._before: list[tuple[int, _Kept]] = []
        self._half_way: dict[int, int] = {}
        self._reply: list[bool] = []
        self._refused: dict[str, int] = dict.fromkeys(_REFUSALS, 0)

    # -- what it has ------------------------------------------------------------------------------------------------

    def next(self, partition: int) -> int:
        return int(self.kept(partition).meta.get("next", 0))

    def states(self, partition: int) -> dict[str, bytes]:
        return dict(self.kept(partition).states)

    def timers(self, partition: int) -> dict[str, int]:
        return dict(self.kept(partition).timers)

    def opened(self, partition: int) -> set[str]:
        return set(self.kept(partition).open)

    def rules(self, partition: int) -> bytes | None:
        """The packed state of the fold itself: the ruleset in force, the time."""
        return _bytes(self.kept(partition).meta.get("fold"))

    def first_timer(self) -> int | None:
        """The T from which the first timer of all partitions fires."""
        return min((at for kept in self._kept.values() for at in kept.timers.values()), default=None)

    def kept(self, partition: int) -> _Kept:
        found = self._kept.get(partition)
        if found is None:
            found = self._kept[partition] = _Kept()
        return found

    # -- what may happen to it --------------------------------------------------------------------------------------

    def fail_over(self, writes: int, partition: int | None = None) -> int:
        """A replica that lacks the last ``writes`` writes (of ``partition``) takes over; how many were taken back."""
        taken = 0
        for at in range(len(self._before) - 1, -1, -1):
            if taken == writes:
                break
            number, before = self._before[at]
            if partition in (None, number):
                self._kept[number] = before
                del self._before[at]
                taken += 1
        return taken

    def empty(self, partition: int | None = None) -> None:
        for number in list(self._kept) if partition is None else [partition]:
            self._kept[number] = _Kept()
        self._before = [] if partition is None else [one for one in self._before if one[0] != partition]

    def restore(self, partition: int, copy: _Kept) -> None:
        """Put back what ``kept(partition).copy()`` gave before: an older backup."""
        self._kept[partition] = copy
        self._before = [one for one in self._before if one[0] != partition]

    def forget(self, partition: int, what: Literal["meta", "states", "timers", "open"]) -> None:
        """Some of a partition's keys are gone and the others are not. No single script of ours does that."""
        getattr(self.kept(partition), what).clear()

    def die_half_way(self, partition: int, after: int = 0) -> None:
        """The next apply dies in the middle, with so many of its writes done."""
        self._half_way[partition] = after

    def lose_reply(self, done: bool) -> None:
        """The next apply is answered by nobody; it may be done all the same."""
        self._reply.append(done)

    def refuse(self, kind: Refusal, calls: int = 1) -> None:
        """Answer the next calls with an error: all of them, or those that write."""
        self._refused[kind] += calls

    def well(self) -> None:
        """Nothing of all that any more."""
        self._half_way.clear()
        self._reply.clear()
        self._refused = dict.fromkeys(_REFUSALS, 0)

    # -- what stores ask of it --------------------------------------------------------------------------------------

    def called(self, name: str, *, writes: bool = False) -> None:
        self.on_call(name)
        for kind, (said, why, only_writes) in _REFUSALS.items():
            if self._refused[kind] and (writes or not only_writes):
                self._refused[kind] -= 1
                raise _down(said, why)

    def load(self, partition: int, entities: Sequence[str], reach: Reach | None) -> Loaded:
        kept = self.kept(partition)
        meta = kept.meta
        answer = (
            int(meta.get("next", 0)),
            _bytes(meta.get("dirty")),
            _bytes(meta.get("fold")),
            _text(meta.get("layout")),
        )
        if self.torn_load:
            self.on_call("redis.load.rest")
            kept = self.kept(partition)
        loaded = Loaded(*answer, {})
        if reach is not None:
            due = sorted((at, entity) for entity, at in kept.timers.items() if at <= reach.until)
            loaded.due = due[: reach.timers]
            loaded.states |= {entity: kept.states.get(entity) for _, entity in loaded.due}
            if reach.swept:
                loaded.open = sorted(one for one in kept.open if one > reach.cursor)[: reach.swept]
                loaded.states |= {entity: kept.states.get(entity) for entity in loaded.open}
        for entity in entities:
            loaded.states[entity] = kept.states.get(entity)
        return loaded

    def apply(self, batch: Apply) -> str:
        kept = self.kept(batch.partition)
        meta = kept.meta
        if "dirty" in meta:
            return "dirty"
        if meta.get("batch") == batch.token:
            return "done"
        if int(meta.get("next", 0)) != batch.start:
            return "moved"
        self._remember(batch.partition, kept.copy())
        left = self._half_way.pop(batch.partition, None)
        meta["dirty"] = batch.token
        for write in _writes(kept, batch):
            if left is not None:
                if not left:
                    raise _HalfWay
                left -= 1
            write()
        if left is not None:
            raise _HalfWay
        meta.update({"next": str(batch.to), "batch": batch.token, **batch.meta, "applied": applied_now()})
        del meta["dirty"]
        return "ok"

    def drop(self, partition: int, name: str, value: bytes) -> bool:
        if (_bytes(self.kept(partition).meta.get(name)) or b"") != value:
            return False
        self._remember(partition, self.kept(partition))
        self._kept[partition] = _Kept()
        return True

    def _remember(self, partition: int, before: _Kept) -> None:
        self.written += 1
        self._before.append((partition, before))
        del self._before[:-KEPT]

    def reply(self) -> bool | None:
        """Whether the apply at hand is done, if nobody answers it."""
        return self._reply.pop(0) if self._reply else None


class _HalfWay(Exception):
    pass


class StoreDouble:
    """What StateStore is to its callers, on a RedisDouble."""

    def __init__(self, redis: RedisDouble) -> None:
        self._redis = redis

    def ping(self) -> None:
        self._redis.called("redis.ping", writes=True)

    def memory(self) -> tuple[int, int]:
        self._redis.called("redis.memory")
        return 0, 0

    def meta(self, partition: int) -> Meta:
        self._redis.called("redis.meta")
        meta = self._redis.kept(partition).meta
        said = {one.name: _text(meta.get(one.name)) for one in fields(Meta) if one.name not in _PACKED}
        return Meta(int(meta.get("next", 0)), _bytes(meta.get("dirty")), _bytes(meta.get("fold")), **said)

    def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        self._redis.called("redis.positions")
        return {partition: self._redis.next(partition) for partition in partitions}

    def load(self, asked: Mapping[int, Sequence[str]], reaches: Mapping[int, Reach] | None = None) -> dict[int, Loaded]:
        found = {}
        for partition, entities in asked.items():
            self._redis.called("redis.load")
            found[partition] = self._redis.load(partition, entities, (reaches or {}).get(partition))
        return found

    def apply(self, batches: Sequence[Apply]) -> dict[int, str]:
        # A pipeline is no transaction: what one script does is there before the next begins, whatever comes of that.
        answers: dict[int, str] = {}
        broken: RedisDown | None = None
        for batch in batches:
            self._redis.called("redis.apply", writes=True)
            done = self._redis.reply()
            if done is False:
                broken = _down("Timeout reading from socket", "unreachable")
                continue
            try:
                answers[batch.partition] = self._redis.apply(batch)
            except _HalfWay:
                broken = _down("the script died half-way", "error")
            if done:
                broken = _down("Timeout reading from socket", "unreachable")
        if broken is not None:
            raise broken
        self._redis.on_call("redis.applied")
        return answers

    def drop(self, partition: int, token: bytes) -> bool:
        self._redis.called("redis.drop", writes=True)
        return self._redis.drop(partition, "dirty", token)

    def drop_layout(self, partition: int, layout: str | None) -> bool:
        self._redis.called("redis.drop", writes=True)
        return self._redis.drop(partition, "layout", (layout or "").encode())

    def drop_remains(self, partition: int) -> bool:
        self._redis.called("redis.drop", writes=True)
        return self._redis.drop(partition, "next", b"")

    def states(self, partition: int) -> dict[str, bytes]:
        self._redis.called("redis.states")
        return self._redis.states(partition)

    def timers(self, partition: int) -> dict[str, int]:
        self._redis.called("redis.timers")
        return self._redis.timers(partition)

    def opened(self, partition: int) -> set[str]:
        self._redis.called("redis.opened")
        return self._redis.opened(partition)

    def first_timers(self, partitions: Iterable[int]) -> dict[int, tuple[int | None, int]]:
        self._redis.called("redis.first_timers")
        found = {partition: self._redis.kept(partition).timers for partition in partitions}
        return {partition: (min(timers.values(), default=None), len(timers)) for partition, timers in found.items()}

    def close(self) -> None:
        pass


def _writes(kept: _Kept, batch: Apply) -> Iterator[Callable[[], object]]:
    """The writes of a batch, one entity each, in an order in which they may be cut off."""
    for entity, state in batch.states.items():
        yield partial(kept.states.__setitem__, entity, state)
    for entity, at in batch.timers.items():
        yield partial(kept.timers.pop, entity, None) if at is None else partial(kept.timers.__setitem__, entity, at)
    for entity, now in batch.opened.items():
        yield partial(kept.open.add if now else kept.open.discard, entity)


def _down(said: str, why: str) -> RedisDown:
    return RedisDown(f"Redis at double does not do its work ({said})", why)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
