"""Counts of the events seen, exact across crashes without a store of their own.

A raw partition's counts are written to ``events-seen`` now and then, in the transaction that commits what they count.
Whoever claims the partition loads them and reads from where they stand, a few seconds before the committed offset;
what lies below that offset is judged again, as it was judged then, and counted, and nothing of it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Protocol

from consumers.validation import fuse
from consumers.validation.space_saving import Key, SpaceSaving
from offerflow.runtime.kafka.admin import Place
from schemas.seen import Seen, Share, Snapshot, Watch

NAME_CHARACTERS = 200
ROOM = 256
"""Slots per partition for names that nobody planned."""
KEPT = 20_000
"""Planned names, times sources, times outcomes: beyond any plan, and within what one record can hold."""
SCHEMA_IDS = 256
RECOUNT = 100_000
"""A partition without counts is counted from its start if it is no longer than this."""

Tally = dict[Key, list[int]]
"""What a batch adds: key to count, first and last append time."""


class Batch(Protocol):
    """What is counted of a batch. ``schema_ids``: those of framed records that nobody has registered. ``orphans``: dead
    letters that would belong to their topic's only source if there were one."""

    @property
    def tally(self) -> Tally: ...
    @property
    def schema_ids(self) -> Set[int]: ...
    @property
    def orphans(self) -> int: ...


class PartitionSeen:
    """The counts of one raw partition up to offset ``next``, and what its fuse knows."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._topic_id = snapshot.topic_id
        self._kept = {(seen.name, seen.source, seen.outcome): seen for seen in snapshot.kept}
        self._slots = SpaceSaving(ROOM, snapshot.slots, snapshot.evicted, snapshot.floor)
        self._schema_ids = set(snapshot.schema_ids)
        self._uncounted = snapshot.uncounted
        self.next = snapshot.next
        self.watch = snapshot.watch

    def add(self, batch: Batch, planned: Set[str], to: int) -> None:
        """Count a batch that ends before offset ``to``. ``planned`` names never lose their place to others."""
        for key, (count, first, last) in batch.tally.items():
            seen = self._kept.get(key)
            if seen is not None:
                seen.count += count
                seen.first, seen.last = min(seen.first, first), max(seen.last, last)
            elif (key[0] in planned or not key[0]) and len(self._kept) < KEPT:
                self._kept[key] = Seen(*key, count, first, last)
            else:
                self._slots.add(key, count, first, last)
        if batch.schema_ids and len(self._schema_ids) < SCHEMA_IDS:
            self._schema_ids.update(batch.schema_ids)
        self.next = to

    def plan(self, planned: Set[str]) -> None:
        """Names that have a slot and are planned now keep their place from now on."""
        for seen in self._slots.entries:
            if seen.name in planned and len(self._kept) < KEPT:
                key = (seen.name, seen.source, seen.outcome)
                self._kept[key] = self._slots.take(key)

    @property
    def reasons(self) -> set[str]:
        return {seen.outcome for seen in (*self._kept.values(), *self._slots.entries)}

    @property
    def schema_ids(self) -> set[int]:
        return self._schema_ids

    def snapshot(self, worker: str) -> Snapshot:
        return Snapshot(
            self._topic_id, self.next, list(self._kept.values()), self._slots.entries, self._slots.evicted,
            self._slots.floor, self._uncounted, sorted(self._schema_ids)[:SCHEMA_IDS], watch=self.watch, worker=worker,
        )  # fmt: skip


def resume(found: Snapshot | None, topic_id: str, start: int, committed: int) -> Snapshot:
    """The counts to go on from, for a partition whose log begins at ``start``. Their ``next`` is never beyond the
    committed offset; what had to be left out is added to ``uncounted``."""
    begin = start if committed - start <= RECOUNT else committed
    if found is None:
        return Snapshot(topic_id, begin, uncounted=begin)
    if found.topic_id != topic_id:  # deleted and created again: another log, whose offsets begin anew
        found.topic_id, found.next = topic_id, begin
        found.uncounted += begin
    elif found.next < start:
        found.uncounted += start - found.next
        found.next = start
    found.next = min(found.next, committed)
    return found


def shares_of(batch: Batch, default: str) -> dict[str, Share]:
    """Events and bad events of one partition per declared source, for the fuse. Orphans belong to ``default``, the only
    source that their topic had last; if it never had one, to nobody."""
    shares: dict[str, Share] = {}
    for (_, source, outcome), (count, _, _) in batch.tally.items():
        if source:
            share = shares.get(source)
            if share is None:
                share = shares[source] = Share()
            share.events += count
            if outcome not in ("valid", "dropped"):
                share.bad += count
    if default and batch.orphans:
        share = shares.setdefault(default, Share())
        share.events += batch.orphans
        share.bad += batch.orphans
    return shares


class Ledger:
    """The counts of all partitions of one worker, and when they are to be written."""

    def __init__(self, busy_s: float = 10.0, idle_s: float = 1.0, records: int = 50_000) -> None:
        self._busy_s, self._idle_s, self._records = busy_s, idle_s, records
        self._partitions: dict[Place, PartitionSeen] = {}
        self._dirty: dict[Place, int] = {}
        self._written: dict[Place, float] = {}

    def __contains__(self, place: Place) -> bool:
        return place in self._partitions

    def __getitem__(self, place: Place) -> PartitionSeen:
        return self._partitions[place]

    @property
    def watches(self) -> list[Watch]:
        return [partition.watch for partition in self._partitions.values()]

    def known(self) -> tuple[set[str], set[int]]:
        """Outcomes and unknown schema ids met so far."""
        partitions = self._partitions.values()
        return set().union(*(p.reasons for p in partitions)), set().union(*(p.schema_ids for p in partitions))

    def take(self, place: Place, snapshot: Snapshot, *, fresh: bool) -> None:
        """A claimed partition. ``fresh``: it has no record of this worker, so the next transaction is to write one."""
        self._partitions[place] = PartitionSeen(snapshot)
        self._dirty.pop(place, None)
        self._written.pop(place, None)
        if fresh:
            self._dirty[place] = self._records

    def drop(self, places: Iterable[Place]) -> None:
        for place in places:
            self._partitions.pop(place, None)
            self._dirty.pop(place, None)
            self._written.pop(place, None)

    def add(self, place: Place, batch: Batch, planned: Set[str], to: int, *, fused: bool) -> None:
        """Count a batch. ``fused``: its shares count for the fuse."""
        partition = self._partitions[place]
        before = partition.next
        partition.add(batch, planned, to)
        if fused:
            fuse.count(partition.watch.since, shares_of(batch, partition.watch.default))
        if batch.tally:
            self._dirty[place] = self._dirty.get(place, 0) + max(1, to - before)

    def plan(self, planned: Set[str]) -> None:
        for partition in self._partitions.values():
            partition.plan(planned)

    def belong(self, defaults: Mapping[str, str | None]) -> None:
        """``defaults``: the only source of each raw topic, None where there is not exactly one: then the last one
        stays what its events are compared with."""
        for place, partition in self._partitions.items():
            default = defaults.get(place[0])
            if default is not None and default != partition.watch.default:
                partition.watch.default = default
                self._dirty[place] = self._records

    def touch(self) -> None:
        """Write every partition at the next occasion, whatever the clock says."""
        self._dirty = dict.fromkeys(self._partitions, self._records)

    def due(self, now: float, *, idle: bool, among: Mapping[Place, object] | None = None) -> list[Place]:
        """Partitions whose counts are to be written now; if ``among`` those of a batch is given, of the others only
        what was touched or just claimed: they may be without events for long."""
        pause = self._idle_s if idle else self._busy_s
        return [
            place
            for place, records in self._dirty.items()
            if records >= self._records
            or ((among is None or place in among) and now - self._written.get(place, float("-inf")) >= pause)
        ]

    def dirty(self, places: Iterable[Place] | None = None) -> list[Place]:
        """Partitions whose counts are not written yet."""
        return [place for place in (self._dirty if places is None else places) if place in self._dirty]

    def write(self, places: Iterable[Place], worker: str, now: float) -> dict[Place, Snapshot]:
        """What to write for ``places``, which count as written from here on: if that fails, everything is claimed
        anew."""
        written = {}
        for place in places:
            written[place] = self._partitions[place].snapshot(worker)
            self._dirty.pop(place, None)
            self._written[place] = now
        return written
