"""Where both stages stand, looked at all the time: who moves, who stands still, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event, Lock, Thread

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

LOOK_S = 0.4
ASK_S = 3.0
STAGES = ("validation", "rules")


@dataclass
class Place:
    """``moved``: when it last committed, or had nothing to do; ``worked``: that, or when it last folded something, be
    it for the second time. Monotonic seconds."""

    committed: int = -1
    folded: int = 0
    end: int = 0
    moved: float = 0.0
    worked: float = 0.0

    def standing(self, now: float) -> float:
        return 0.0 if self.committed >= self.end else now - self.worked


class Watching:
    """``inputs``: topics with prefix by stage. ``folded``: where the states of each partition of the rules' input
    stand, None where nobody answers. Asks the brokers directly; where they do not answer, nothing moved."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        inputs: dict[str, list[str]],
        partitions: int,
        folded: Callable[[], list[int | None]],
    ) -> None:
        self._bootstrap, self._prefix, self._folded = bootstrap, prefix, folded
        self._connect()
        now = time.monotonic()
        self._places = {
            stage: {(topic, p): Place(moved=now, worked=now) for topic in inputs[stage] for p in range(partitions)}
            for stage in STAGES
        }
        self._lock, self._stop = Lock(), Event()
        self.trouble = ""
        """Why the last look that failed did."""
        self._worst: dict[object, dict[str, float]] = {}
        self._thread = Thread(target=self._run, name="watching", daemon=True)

    def _connect(self) -> None:
        """Clients that know nothing yet: those that knew a broker which died were seen to wait for that very one."""
        config = {"bootstrap.servers": self._bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 1000}
        self._admin = AdminClient(config)
        # Not stable offsets: those are waited for, and we only want to see who moves.
        self._consumers = {
            stage: Consumer({**config, "group.id": self._prefix + stage, "isolation.level": "read_uncommitted"})
            for stage in STAGES
        }

    def _close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def start(self) -> None:
        self._look()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        self._close()

    def begin(self, fault: object, stages: Iterable[str] = STAGES) -> None:
        """From now on remember the longest that anything of these stages stands still, for ``fault``."""
        with self._lock:
            self._worst[fault] = dict.fromkeys(stages, 0.0)

    def end(self, fault: object) -> float:
        with self._lock:
            return max(self._worst.pop(fault).values())

    def moved_since(self, when: float, stages: Iterable[str] = STAGES) -> bool:
        """Whether every partition has moved since, or has nothing to do."""
        with self._lock:
            return all(
                place.moved > when and place.committed >= 0
                for stage in stages
                for place in self._places[stage].values()
            )

    def standing(self, seconds: float = 5.0) -> list[str]:
        """What has stood still for so long, in words."""
        now = time.monotonic()
        with self._lock:
            return [
                f"{stage} {topic}/{p} at {one.committed} of {one.end} for {one.standing(now):.0f} s"
                for stage, places in self._places.items()
                for (topic, p), one in places.items()
                if one.standing(now) > seconds
            ]

    def left(self, stage: str) -> int:
        with self._lock:
            return sum(max(0, one.end - one.committed) for one in self._places[stage].values())

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        for stage, places in self._places.items():
            try:
                self._look_at(stage, places)
            except (KafkaException, TimeoutError) as error:
                self.trouble = f"{stage}: {error!r}"
                self._close()
                self._connect()
        now = time.monotonic()
        with self._lock:
            for stage, places in self._places.items():
                longest = max(one.standing(now) for one in places.values())
                for worst in self._worst.values():
                    if stage in worst:
                        worst[stage] = max(worst[stage], longest)

    def _look_at(self, stage: str, places: dict[tuple[str, int], Place]) -> None:
        asked = [TopicPartition(*place) for place in places]
        futures = self._admin.list_offsets(dict.fromkeys(asked, OffsetSpec.latest()), request_timeout=ASK_S)  # type: ignore[no-untyped-call]
        ends = {(tp.topic, tp.partition): int(future.result(ASK_S + 2).offset) for tp, future in futures.items()}
        found = self._consumers[stage].committed(asked, timeout=ASK_S)
        folded = self._folded() if stage == "rules" else []
        now = time.monotonic()
        with self._lock:
            for tp in found:
                place = places[tp.topic, tp.partition]
                if tp.error is None and tp.offset != place.committed:
                    place.committed, place.moved, place.worked = tp.offset, now, now
                place.end = ends[tp.topic, tp.partition]
                if place.committed >= place.end:
                    place.moved = place.worked = now
                stands = folded[tp.partition] if folded else None
                if stands is not None:
                    if stands > place.folded:
                        place.worked = now
                    place.folded = stands
