"""Waits until every worker knows what was applied: validation by the catalog position its members report, rules by
the committed offset having passed the activation on every journal partition."""

from __future__ import annotations

import time

from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings

POLL_S = 0.1


class NotInForce(TryAgain):
    """The change is written, and some worker has not taken it yet."""


def await_in_force(settings: Settings, timeout_s: float) -> dict[str, int]:
    """Number of workers per stage that know; a stage without workers is not waited for. Raises NotInForce when time
    is up: the change is written and will be taken all the same."""
    admin = Admin(settings)
    catalog = (settings.topic("catalog"), 0)
    journal = [(settings.topic("journal"), partition) for partition in range(settings.partitions)]
    target = admin.ends([catalog])[catalog]
    ends = admin.ends(journal)
    deadline = time.monotonic() + timeout_s
    while True:
        waiting = []
        members = {stage: admin.members(settings.group(stage)) for stage in ("validation", "rules")}
        for worker in members["validation"]:
            known = admin.committed(settings.group(f"catalog.{worker}"), [catalog]).get(catalog)
            if known is None or known.offset < target:
                waiting.append(worker)
        if members["rules"]:
            committed = admin.committed(settings.group("rules"), journal)
            behind = [place[1] for place in journal if place not in committed or committed[place].offset < ends[place]]
            waiting += [f"journal partition {partition}" for partition in behind]
        if not waiting:
            return {stage: len(workers) for stage, workers in members.items()}
        if time.monotonic() > deadline:
            raise NotInForce(
                f"the change is written, but after {timeout_s:.0f} s still not in force at: {', '.join(waiting)};"
                " look at `offerflow status` and the logs"
            )
        time.sleep(POLL_S)
