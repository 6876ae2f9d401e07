"""A deployment whose offers are about time, what it was sent, and what came of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import RedisSettings, Settings
from tests.deployment import Deployment
from tests.oracle import wire

DAY = 24 * 3600 * 1000
TICK = 1
WORKSPACE = {
    "sources.yaml": "- {id: shop, origin: backend, topics: [raw.backend]}\n",
    "rules.yaml": """
kind: settings
id: rules
grace: 1s
allowed_lateness: 60d
---
kind: offer
id: forgotten
entry: {absent: {event: Paid}, after: {event: Carted}, within: 7d}
completion: immediate
reward: {id: nudge, value: 5 EUR}
---
kind: offer
id: brief
entry: {event: Joined}
expires_after: 1s
---
kind: condition
id: joined
event: Joined
---
kind: offer
id: lasting
entry: {condition: joined, code: LASTING}
completion: {event: Paid}
reward: {id: thanks, value: 1 EUR, pending: 1s}
""",
}
SCHEMAS = ("Carted", "Paid", "Joined")


def workspace(directory: Path, **changes: str) -> Path:
    """The files of the workspace, written anew with ``changes`` from old to new text in the rules."""
    directory.mkdir(exist_ok=True)
    for name in SCHEMAS:
        fields = [{"name": "meta", "type": "events.Meta"}]
        schema = {"type": "record", "namespace": "events", "name": name, "event": [name], "fields": fields}
        (directory / f"{name}.avsc").write_text(json.dumps(schema))
    for name, text in WORKSPACE.items():
        for old, new in changes.items():
            text = text.replace(old, new)
        (directory / name).write_text(text)
    return directory


class Moments:
    """One deployment with these offers. ``send`` takes (event, user, time in ms, properties)."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        deployment.create_topics()
        deployment.apply(workspace(deployment.directory / "workspace"))
        settings = Settings(redis=RedisSettings(url=deployment.services.redis), topic_prefix=deployment.prefix)
        self.store = StateStore(settings)
        self._sent = 0

    def apply(self, **changes: str) -> None:
        self.deployment.apply(workspace(self.deployment.directory / "workspace", **changes))

    def send(self, *events: tuple[str, str, int], **properties: str) -> None:
        records: list[tuple[bytes | None, bytes | None, Any]] = []
        for event, user, at in events:
            self._sent += 1
            value = {
                "event": event,
                "user_id": user,
                "event_id": f"e{self._sent}",
                "time": at,
                "properties": properties,
            }
            records.append((user.encode(), json.dumps(value).encode(), []))
        self.deployment.produce("raw.backend", records)

    def outputs(self, topic: str) -> list[dict[str, Any]]:
        schemas = wire.output_schemas()
        found = self.deployment.read(topic)
        return [
            wire.decode((one.value or b"")[5:], schemas[int.from_bytes((one.value or b"")[1:5], "big")], one.where)
            for one in found
        ]

    def entered(self, offer: str) -> Counter[str]:
        return Counter(str(one["user_id"]) for one in self.outputs("offer-entry") if one["offer"] == offer)

    def exited(self, offer: str, reason: str) -> Counter[str]:
        found = self.outputs("offer-exit")
        return Counter(str(one["user_id"]) for one in found if (one["offer"], one["reason"]) == (offer, reason))

    def rewarded(self, reward: str) -> Counter[str]:
        found = self.outputs("reward-satisfied")
        return Counter(str(one["user_id"]) for one in found if one["reward"] == reward)

    def ticks(self) -> int:
        found = [one.value or b"" for one in self.deployment.read("journal")]
        return sum(int.from_bytes(value[1:5], "big") == TICK for value in found)

    def redis(self) -> dict[int, tuple[dict[str, bytes], dict[str, int], set[str]]]:
        """What Redis holds of each partition: states, timers, open offers."""
        partitions = range(self.deployment.partitions)
        return {p: (self.store.states(p), self.store.timers(p), self.store.opened(p)) for p in partitions}

    def pending(self) -> int:
        return sum(number for _, number in self.store.first_timers(range(self.deployment.partitions)).values())


def now() -> int:
    return int(time.time() * 1000)


def once(users: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(users, 1))
