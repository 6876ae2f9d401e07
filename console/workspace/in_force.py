"""Waits until every worker knows what was applied: validation by the catalog position its members report, rules by
the committed offset having passed the activation on every journal partition."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from console.workspace.releases import Release
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.settings import Settings

POLL_S = 0.1
CLOCKS = timedelta(minutes=10)
"""By which the broker's clock may differ from that of the machine which wrote a release."""


class NotInForce(TryAgain):
    """The change is written, and some worker has not taken it yet."""


def await_in_force(settings: Settings, timeout_s: float, present: Release | None = None) -> dict[str, int]:
    """Number of workers per stage that know; a stage without workers is not waited for. ``present`` is given where
    nothing was written now, since that release has all of it. Raises NotInForce when time is up: what is written will
    be taken all the same."""
    admin = Admin(settings)
    catalog = (settings.topic("catalog"), 0)
    journal = [(settings.topic("journal"), partition) for partition in range(settings.partitions)]
    target = admin.ends([catalog])[catalog]
    ends = admin.ends(journal) if present is None else _after(admin, journal, present)
    what = "the change is written" if present is None else f"release {present.serial} has all of this"
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
                f"{what}, but after {timeout_s:.0f} s still not in force at: {', '.join(waiting)};"
                " look at `offerflow status` and the logs"
            )
        time.sleep(POLL_S)


def _after(admin: Admin, journal: list[Place], present: Release) -> dict[Place, int]:
    """Offsets that lie beyond the activations of ``present``. The ends do, but of an old release rules must not have
    read all that came in since."""
    if present.at is None:
        return admin.starts(journal)
    return admin.at(journal, datetime.fromisoformat(present.at) + CLOCKS)
