"""The states of one partition: what Redis has against the fold, each part at the position it was read with."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from console.verify.bounds import CLIENT
from console.verify.findings import STATES, Bytes, Cause, Difference, Findings, cause_of
from offerflow.rules.state import LAYOUT
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.redis.snapshot import Beside, Part, SnapshotReader, bucket_of
from offerflow.runtime.redis.store import BUCKETS
from offerflow.runtime.settings import Settings
from schemas.folding.announced import STAGE
from schemas.folding.kept import Kept
from schemas.folding.partition import Work

_TRIES = 5
_PAUSE_S = 0.5


class StateCheck:
    """``stops`` are the positions at which the fold must stand once. Tell ``at`` each time it stands somewhere."""

    def __init__(self, partition: int, parts: list[Part], beside: Beside, findings: Findings) -> None:
        self._partition = partition
        self._findings = findings
        self._parts: defaultdict[int, list[Part]] = defaultdict(list)
        self._beside = beside
        self._by_bucket: list[set[str]] | None = None
        self.compared = 0
        self.position = max([beside.meta.next, *(part.next for part in parts)])
        for part in parts:
            self._parts[part.next].append(part)

    @property
    def stops(self) -> set[int]:
        return {*self._parts, self._beside.meta.next}

    def at(self, kept: Kept, work: Work | None = None) -> None:
        """The fold stands at ``kept.next``, after ``work``."""
        if self._by_bucket is not None and work is not None:
            for entity in work.states:
                self._by_bucket[bucket_of(entity)].add(entity)
        parts = self._parts.pop(kept.next, [])
        if parts and self._by_bucket is None:
            self._by_bucket = [set() for _ in range(BUCKETS)]
            for entity in kept.states:
                self._by_bucket[bucket_of(entity)].add(entity)
        for part in parts:
            assert self._by_bucket is not None  # noqa: S101 - made above
            self._states(part, kept, self._by_bucket[part.number])
        if kept.next == self._beside.meta.next:
            self._rest(kept)

    def _states(self, part: Part, kept: Kept, known: set[str]) -> None:
        self.compared += len(part.states)
        get = kept.states.get
        for entity, packed in part.states.items():
            expected = get(entity)
            if entity not in known:
                self._differs("unexpected", "state", entity, part.next, None, packed)
            elif expected != packed:
                self._differs("wrong", "state", entity, part.next, expected, packed)
        for entity in sorted(known - part.states.keys()):
            self._differs("missing", "state", entity, part.next, get(entity), None)

    def _rest(self, kept: Kept) -> None:
        at, beside = kept.next, self._beside
        self._mapping("timer", kept.timers, beside.timers, at)
        self._mapping("open", dict.fromkeys(kept.opened, 1), dict.fromkeys(beside.opened, 1), at)
        if kept.fold != beside.meta.fold:
            self._differs("wrong", "fold", "", at, kept.fold, beside.meta.fold)

    def _mapping(self, subject: str, expected: Mapping[str, int], found: Mapping[str, int], at: int) -> None:
        if expected == found:
            return
        for entity in sorted(expected.keys() | found.keys()):
            ours, theirs = expected.get(entity), found.get(entity)
            if ours != theirs:
                kind = "missing" if theirs is None else "unexpected" if ours is None else "wrong"
                self._differs(kind, subject, entity, at, _number(ours), _number(theirs))

    def _differs(
        self, kind: str, subject: str, entity: str, at: int, expected: bytes | None, found: bytes | None
    ) -> None:
        if not self._findings.counted(STATES, kind):
            self._findings.add(
                Difference(
                    check=STATES, kind=kind, partition=self._partition, subject=subject, id=entity, position=at,
                    expected=None if expected is None else Bytes(None, expected),
                    found=None if found is None else Bytes(None, found),
                )
            )  # fmt: skip


def read_states(
    settings: Settings, admin: Admin, place: Place, findings: Findings, committed: Callable[[], int]
) -> StateCheck | None:
    """Read everything Redis has of a partition; None where it cannot be compared, which is then among the findings.
    ``committed`` asks for the rules' stable committed offset. Raises Refused for states of another version."""
    store = SnapshotReader(settings)
    try:
        for _ in range(_TRIES):
            parts = [store.bucket(place[1], number) for number in range(BUCKETS)]
            beside = store.beside(place[1])
            # Dropped, or back at an older copy, between the two readings: of no use either.
            behind = beside.meta.next < max(part.next for part in parts)
            if not behind and beside.meta.dirty is None and all(part.dirty is None for part in parts):
                break
            time.sleep(_PAUSE_S)
        else:
            _meta(findings, place, "its states are half written: the script that wrote them died in the middle. The"
                  " worker that claims the partition drops them and folds it anew")  # fmt: skip
            return None
    finally:
        store.close()
    check = StateCheck(place[1], parts, beside, findings)
    if check.position and beside.meta.layout != str(LAYOUT):
        raise Refused(
            "state_layout",
            f"the states of {place[0]}/{place[1]} in Redis have the layout {beside.meta.layout}, this version of"
            f" offerflow has {LAYOUT}: verify with the version whose workers run, or when its worker has folded them"
            " anew",
        )
    if check.position:
        _identity(settings, admin, place, beside, findings)
    published = committed()
    if published and not check.position:
        _meta(findings, place, f"Redis has nothing of it, and {published} is committed: it was emptied, or this is"
              " another Redis. The worker that claims the partition folds it again")  # fmt: skip
        return None
    if check.position > published:
        _meta(findings, place, f"Redis has folded it up to {check.position}, but only {published} is committed: what"
              " was applied was never published, or the committed offset was set back")  # fmt: skip
        return None
    return check


def last_causes(settings: Settings, place: Place, wanted: Mapping[str, int], since: int = 0) -> dict[str, Cause]:
    """The last record of each entity below the position that is given with it, none before ``since``. Reads the journal
    once more."""
    found: dict[str, Cause] = {}
    keys = {entity.encode(): (entity, below) for entity, below in wanted.items()}
    for record in read_spans(settings, {place: (since, max(wanted.values(), default=0))}, CLIENT):
        known = keys.get(record.key() or b"")
        if known is not None and record.offset() < known[1]:
            found[known[0]] = cause_of(record)
    return found


def _identity(settings: Settings, admin: Admin, place: Place, beside: Beside, findings: Findings) -> None:
    expected = {
        "topic_id": admin.topics([place[0]])[place[0]].id,
        "cluster_id": admin.cluster_id(),
        "group": settings.group(STAGE),
        "partitions": str(admin.topics([place[0]])[place[0]].partitions),
    }
    for name, value in expected.items():
        found = getattr(beside.meta, name)
        if found != value and not (name == "partitions" and found is None):
            _meta(findings, place, f"its states in Redis belong to {name} {found}, this is {value}")


def _meta(findings: Findings, place: Place, words: str) -> None:
    if not findings.counted(STATES, "wrong"):
        findings.add(
            Difference(check=STATES, kind="wrong", partition=place[1], subject="meta", id=f"{place[0]}/{place[1]}",
                       words=words)
        )  # fmt: skip


def _number(value: int | None) -> bytes | None:
    return None if value is None else str(value).encode()
