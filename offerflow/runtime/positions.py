"""How far the stages are: committed offsets against the ends of their inputs, and when nothing is left to do.

All of them commit the position of the end itself, past transaction markers, so an idle stage stands exactly there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.errors import DependencyDown, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import RAW

POLL_S = 0.1
READERS = ("history", "webhooks")
"""Groups that read the outputs of the rules; a deployment need not have them."""
_OUTPUTS = ("offer-entry", "offer-exit", "reward-satisfied", "reward-fulfilled", "reward-reversed")
Progress = Callable[[dict[str, int]], None]
"""Told the lag per stage each time it was looked at."""
Refusals = Callable[[], Mapping[str, str]]
"""Which programs do not work now, and why."""


class Positions:
    """Looks at the positions of one deployment. Raises KafkaDown or RedisDown if a service does not answer.
    ``readers``: those of READERS that run."""

    def __init__(self, settings: Settings, readers: Collection[str] = ()) -> None:
        self._settings = settings
        self._readers = readers
        self._admin = Admin(settings, "offerflow-positions")
        self._store = StateStore(settings)

    def close(self) -> None:
        self._store.close()

    def lag(self) -> dict[str, int]:
        """Offsets between committed and end per stage; 0 means that the stage has seen everything there is. An offset
        is not always a record: transaction markers take offsets too."""
        raw, journal = self._inputs()
        outputs = self._outputs()
        return {
            "validation": sum(self._behind("validation", raw).values()),
            "rules": sum(self._behind("rules", journal).values()),
            **{reader: sum(self._behind(reader, outputs).values()) for reader in self._readers},
        }

    def settled(self) -> dict[Place, int] | None:
        """The ends of all inputs if the stages have committed them, Redis has folded them and the readers have read
        what came of them, else None."""
        raw, journal = self._inputs()
        ends = self._admin.ends([*raw, *journal])
        if any(self._behind("validation", raw).values()) or any(self._behind("rules", journal).values()):
            return None
        folded = self._store.positions(partition for _, partition in journal)
        if any(folded[place[1]] < ends[place] for place in journal):
            return None
        outputs = self._outputs()
        if any(any(self._behind(reader, outputs).values()) for reader in self._readers):
            return None
        return ends | self._admin.ends(outputs)

    def _behind(self, stage: str, places: list[Place]) -> dict[Place, int]:
        committed = self._admin.committed(self._settings.group(stage), places)
        ends = self._admin.ends(places)
        return {place: max(0, ends[place] - (committed[place].offset if place in committed else 0)) for place in places}

    def _inputs(self) -> tuple[list[Place], list[Place]]:
        journal = self._settings.topic("journal")
        there = self._admin.topics([journal, *sorted(raw_topics(self._settings))])
        raw = [(info.name, p) for info in there.values() if info.name != journal for p in range(info.partitions)]
        return raw, [(journal, p) for p in range(there[journal].partitions if journal in there else 0)]

    def _outputs(self) -> list[Place]:
        """Read by the readers; none without any."""
        there = self._admin.topics(self._settings.topic(name) for name in (_OUTPUTS if self._readers else ()))
        return [(info.name, p) for info in there.values() for p in range(info.partitions)]


def raw_topics(settings: Settings) -> set[str]:
    """Full names of what validation reads: the fixed raw topics and those that sources name now."""
    follower = CatalogFollower(settings, "offerflow-positions")
    try:
        sources = follower.start().sources.values()
    finally:
        follower.close()
    return {settings.topic(name) for name in {*RAW, *(topic for source in sources for topic in source.topics)}}


def lag(settings: Settings, readers: Collection[str] = ()) -> dict[str, int]:
    """``{"validation": n, "rules": n}``, and of what the rules decided that of each of ``readers``."""
    positions = Positions(settings, readers)
    try:
        return positions.lag()
    finally:
        positions.close()


def wait_idle(
    settings: Settings, timeout_s: float, progress: Progress | None = None, *, patient: bool = False,
    refusals: Refusals = dict, readers: Collection[str] = (),
) -> None:  # fmt: skip
    """Return when both stages, and ``readers`` behind them, stood at the end of their inputs twice, with no new record
    between. Raises TryAgain when ``timeout_s`` is over, with what ``refusals`` says then. ``patient``: a service that
    is away is waited for as well, since somebody restarts it.
    """
    positions = Positions(settings, readers)
    deadline = time.monotonic() + timeout_s
    before: dict[Place, int] | None = None
    try:
        while True:
            try:
                now = positions.settled()
                if now is not None and now == before:
                    return
                before = now
                behind = {} if now is not None else positions.lag()
            except DependencyDown:
                if not patient or time.monotonic() > deadline:
                    raise
                continue
            if progress is not None:
                progress(behind)
            if time.monotonic() > deadline:
                raise TryAgain(_late(timeout_s, behind, refusals()))
            time.sleep(POLL_S)
    finally:
        positions.close()


def _late(timeout_s: float, behind: Mapping[str, int], refusals: Mapping[str, str]) -> str:
    said = (
        f"not idle after {timeout_s:.0f} s: validation is {behind.get('validation', 0)} and rules are"
        f" {behind.get('rules', 0)} offsets behind"
    )
    late = ", ".join(f"{reader} {behind[reader]}" for reader in READERS if behind.get(reader))
    said += f"; of what the rules decided, offsets behind: {late}" if late else ""
    if refusals:
        return "\n".join((said, *(f"{name} is not ready: {why}" for name, why in sorted(refusals.items()))))
    return f"{said}. Either new records keep arriving, or workers are not running (`offerflow status`)"
