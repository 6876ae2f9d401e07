"""What a partition keeps of its fold in Redis itself: folding away from the workers, written as they write."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from offerflow.runtime.errors import TryAgain
from offerflow.runtime.redis.store import Apply, Loaded, Reach, StateStore
from schemas.folding.kept import Kept
from schemas.folding.partition import Work


class Stored(Kept):
    """Loads from and applies to Redis batch by batch, with the scripts of the workers: whenever it ends, Redis holds a
    fold that anybody can carry on. Raises TryAgain where somebody else has moved the partition."""

    def __init__(self, store: StateStore, partition: int, identity: Mapping[str, str]) -> None:
        self._store = store
        self._number = partition
        self._identity = dict(identity)
        self._token, self._batches = uuid.uuid4().hex, 0
        meta = store.meta(partition)
        super().__init__(meta.next, meta.fold)

    def load(self, entities: Iterable[str], reach: Reach | None) -> Loaded:
        reaches = {} if reach is None else {self._number: reach}
        loaded = self._store.load({self._number: list(entities)}, reaches)[self._number]
        if loaded.next != self.next or loaded.dirty is not None:
            raise self._moved()
        return loaded

    def apply(self, work: Work) -> None:
        self._batches += 1
        meta: dict[str, str | bytes] = dict(self._identity)
        if work.fold is not None:
            meta["fold"] = work.fold
        token = f"{self._token}:{self._batches}"
        batch = Apply(self._number, work.start, work.to, token, meta, work.states, work.timers, work.opened)
        if self._store.apply([batch])[self._number] not in ("ok", "done"):
            raise self._moved()
        self.next = work.to

    def _moved(self) -> TryAgain:
        return TryAgain(
            f"partition {self._number} was moved in Redis by somebody else while it was folded: does a worker run? What"
            " was folded stands and is right; look again with `offerflow state show`"
        )
