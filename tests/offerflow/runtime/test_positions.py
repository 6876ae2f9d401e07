"""When nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from offerflow.runtime import positions
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.settings import Settings

ENDS = {"raw.sdk": 4, "journal": 9, "offer-entry": 3}


class Deployment:
    """Kafka and Redis as they are seen from here; every topic has one partition, ``at`` are committed offsets."""

    def __init__(self, at: dict[str, dict[str, int]]) -> None:
        self._at = at

    def topics(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: SimpleNamespace(name=name, partitions=1) for name in names if name in ENDS}

    def ends(self, places: list[Place]) -> dict[Place, int]:
        return {place: ENDS[place[0]] for place in places}

    def committed(self, group: str, places: list[Place]) -> dict[Place, Any]:
        at = self._at.get(group, {})
        return {place: SimpleNamespace(offset=at[place[0]]) for place in places if place[0] in at}

    def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, ENDS["journal"])

    def close(self) -> None:
        pass


def at(monkeypatch: pytest.MonkeyPatch, **offsets: int) -> Settings:
    """A deployment whose stages have done everything, and whose readers stand at ``offsets``."""
    settings = Settings(topic_prefix="")
    groups = {"validation": {"raw.sdk": 4}, "rules": {"journal": 9}}
    groups |= {name: {"offer-entry": offset} for name, offset in offsets.items()}
    made = Deployment({settings.group(name): found for name, found in groups.items()})
    monkeypatch.setattr(positions, "Admin", lambda *_: made)
    monkeypatch.setattr(positions, "StateStore", lambda *_: made)
    monkeypatch.setattr(positions, "raw_topics", lambda _: {"raw.sdk"})
    return settings


def test_who_reads_the_decisions_is_waited_for_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of rewards right after the wait has them all; without such a program nobody waits for it."""
    settings = at(monkeypatch, history=3, webhooks=2)
    positions.wait_idle(settings, 1)
    positions.wait_idle(settings, 1, readers=["history"])
    assert positions.lag(settings, ["webhooks"]) == {"validation": 0, "rules": 0, "webhooks": 1}
    for reader, behind in (("webhooks", 1), ("history", 3)):
        settings = at(monkeypatch, webhooks=2)
        with pytest.raises(TryAgain, match=f"offsets behind: {reader} {behind}"):
            positions.wait_idle(settings, 0, readers=[reader])
