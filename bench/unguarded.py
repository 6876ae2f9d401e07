"""A worker with or without the guards of its steady path: ``python -m bench.unguarded MODULE guarded|bare``.

Bare, it goes wrong at the first fault. What a claim asks stays as it is, since it is asked once, and so does the
metadata of a commit, without which the next claim would refuse.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer

BARE_APPLY = """
local at = 5 + tonumber(ARGV[4])
for k = 2, #KEYS do
  local n = tonumber(ARGV[at + 1])
  redis.call(ARGV[at], KEYS[k], unpack(ARGV, at + 2, at + 1 + n))
  at = at + n + 2
end
redis.call('HSET', KEYS[1], 'next', ARGV[2], unpack(ARGV, 5, 4 + tonumber(ARGV[4])))
return 'ok'
"""


def strip() -> None:
    """Take the guards off: of the apply and the load, of the transaction and of the producer."""
    from consumers.rules import guards, stage
    from consumers.validation import stage as validation
    from offerflow.runtime import outside
    from offerflow.runtime.kafka import transactional
    from offerflow.runtime.kafka.trouble import Trouble
    from offerflow.runtime.redis import scripts

    def as_they_came(records: Iterable[Any], _: object) -> list[Any]:
        return list(records)

    def always(*_: object) -> bool:
        return True

    def never(*_: object) -> bool:
        return False

    def at_once(call: Callable[[], Any], _: float) -> Any:
        return call()

    changes: list[tuple[Any, str, Any]] = [
        (scripts, "APPLY", BARE_APPLY),
        (guards, "unread", as_they_came), (guards, "stands", always), (guards, "whole", always),
        (guards, "advances", always), (guards, "applied", always), (guards, "went_back", never),
        (stage, "HEARTBEAT_S", 1e9), (validation, "LOOK_S", 1e9),
        (outside, "bounded", at_once),
        (Trouble, "config", lambda self, given: {"statistics.interval.ms": 0}),
        (transactional.TransactionalProducer, "tainted", never),
        (transactional.TransactionalProducer, "publish", _without_generation(transactional)),
    ]  # fmt: skip
    for room, name, instead in changes:
        getattr(room, name)  # a guard that was renamed must not be measured as if it were off
        setattr(room, name, instead)


def _without_generation(transactional: Any) -> Callable[..., None]:
    """Commit as an outsider of the group, whom the broker asks nothing."""
    publish = transactional.TransactionalProducer.publish
    outsider: list[Any] = []

    def bare(self: Any, outputs: Any, offsets: Any, group_metadata: Any, **more: Any) -> None:
        if offsets and not outsider:
            (topic, _), *_ = offsets
            stage = "rules" if topic == self._settings.topic("journal") else "validation"
            servers = self._settings.kafka.bootstrap_servers
            outsider.append(Consumer({"bootstrap.servers": servers, "group.id": self._settings.group(stage)}))
        publish(self, outputs, offsets, outsider[0].consumer_group_metadata() if offsets else None, **more)

    return bare


if __name__ == "__main__":
    module, kind = sys.argv[1:]
    if kind == "bare":
        strip()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")
