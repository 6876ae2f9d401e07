"""What a person's commands change in the state of a partition that no worker owns: what it belongs to, where it
stands, and dropping it. Each is one script that does nothing unless the partition still is as it was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from offerflow.runtime.redis.store import Meta, StateStore, applied_now
from offerflow.runtime.settings import Settings

ADOPT = """
local meta = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'topic_id')
if meta[2] or (meta[1] or '0') ~= ARGV[1] or (meta[3] or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return 1
"""
"""KEYS: meta. ARGV: next and topic_id as they were seen (empty for none), then fields and values to set."""


class MendingStore(StateStore):
    """The store with what only commands do."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._adopt = hashlib.sha1(ADOPT.encode(), usedforsecurity=False).hexdigest()
        self._scripts[self._adopt] = ADOPT

    def adopt(self, partition: int, seen: Meta, changed: Mapping[str, str | int]) -> bool:
        """Set fields of meta; False, and nothing is set, if the partition is not as ``seen`` any more, or dirty."""
        if not changed:
            return True
        fields = [part for item in {**changed, "applied": applied_now()}.items() for part in item]
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.evalsha(self._adopt, 1, self._key(partition), seen.next, seen.topic_id or "", *fields)
        return bool(self._run(pipeline)[0])

    def drop_seen(self, partition: int, seen: Meta) -> bool:
        """Drop everything of a partition if it still stands where it stood; True also where there is nothing."""
        if seen.dirty is not None:
            return self.drop(partition, seen.dirty)
        if seen.next == 0:
            return self.drop_remains(partition)
        return self._dropped(partition, "next", str(seen.next).encode())
