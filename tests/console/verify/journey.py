"""A deployment whose users go through offers, for verifying."""

from __future__ import annotations

import json
from collections.abc import Sequence

from console.verify.explaining import Explained, Explainer
from console.verify.findings import OUTPUTS, STATES
from console.verify.verifying import Report, first_differences, verify
from console.workspace.reading import read_catalog
from offerflow.runtime.settings import KafkaSettings, RedisSettings, Settings
from tests.deployment import Deployment
from tests.end_to_end.moments import DAY, Moments, now
from tests.waiting import until

PARTITIONS, USERS = 3, 40
WELL = {STATES: {"missing": 0, "wrong": 0, "unexpected": 0},
        OUTPUTS: {"missing": 0, "duplicated": 0, "wrong": 0, "unexpected": 0}}  # fmt: skip
TOPICS = ("offer-entry", "offer-exit", "reward-satisfied", "dead-letter")


class Journey:
    """Users who join, put things into carts and pay, some of it twice with other content, until time has passed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.moments = Moments(deployment)
        kafka = KafkaSettings(bootstrap_servers=deployment.services.kafka)
        redis = RedisSettings(url=deployment.services.redis)
        self.settings = Settings(kafka=kafka, redis=redis, topic_prefix=deployment.prefix, partitions=PARTITIONS)

    def send(self, users: Sequence[str]) -> None:
        moment = now()
        self.moments.send(*[("Carted", user, moment - 7 * DAY) for user in users])
        self.moments.send(*[("Joined", user, moment) for user in users])
        self.moments.send(*[("Paid", user, moment) for user in users[::2]])
        for at, event in ((moment, "Paid"), (moment + 1, "Joined")):
            value = {"event": event, "user_id": users[0], "event_id": f"same-{users[0]}", "time": at}
            self.deployment.produce("raw.backend", [(users[0].encode(), json.dumps(value).encode(), [])])

    def rest(self) -> None:
        until(lambda: not self.moments.pending() and self.deployment.idle("rules", "journal"), "timers to fire", 120)
        self.deployment.wait_idle(["raw.backend"])

    def verify(self, *checks: str, partitions: Sequence[int] = (), copy: str | None = None) -> Report:
        return verify(self.settings, checks or (STATES, OUTPUTS), partitions, 1, lambda *_: None, copy)

    def explained(self, report: Report) -> list[Explained]:
        catalog, _ = read_catalog(self.settings)
        return list(map(Explainer(self.settings, catalog), first_differences(report, 50)))

    def written(self) -> int:
        return sum(len(self.deployment.read(topic)) for topic in TOPICS)

    def key(self, partition: int, name: str) -> str:
        return f"{{of:{self.deployment.prefix}journal:{partition}}}:{name}"
