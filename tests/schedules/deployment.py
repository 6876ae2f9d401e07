"""A whole deployment in one thread: the real stages as simulated processes, on doubles of Kafka and Redis.

``with Deployment(seed) as world`` puts the doubles where workers look for the real things (offerflow.runtime.outside)
and takes them away again. Everything that is random comes from ``world.random``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from random import Random
from typing import Any, Self

from offerflow.catalog.view import Value
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.program import WATCHDOG_S
from offerflow.runtime.settings import BatchSettings, FuseSettings, KafkaSettings, Settings
from offerflow.runtime.steps import Step
from offerflow.runtime.topics import create_topics
from schemas.journal import RULESET_ACTIVATED
from tests.doubles.kafka import Cluster
from tests.doubles.store import RedisDouble
from tests.schedules import surroundings
from tests.schedules.process import Process
from tests.schedules.scheduler import START_S, Pace, Scheduler, Task

EPOCH_S = 1_790_000_000.0 - START_S
RESTART_S = 2.0
LOOK_S = WATCHDOG_S / 10
_ASKS_NOBODY = frozenset({"get_watermark_offsets", "consumer_group_metadata", "assign", "incremental_unassign"})
Headers = Sequence[tuple[str, bytes | None]]


@lru_cache(maxsize=256)
def _settings(worker: str, partitions: int, max_records: int) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="double:9092"),
        fuse=FuseSettings(enabled=False),
        batch=BatchSettings(max_records=max_records, gather_ms=2.0, spacing_ms=0.0),
        topic_prefix="of.",
        partitions=partitions,
        worker=worker,
    )


@dataclass(eq=False)
class Slot:
    """A place of a worker, which the supervisor keeps filled."""

    name: str
    stage: str
    process: Process | None = None


class Deployment:
    """``crashes`` are errors that ended a worker for good or that no program of ours ends with; there must be none."""

    def __init__(
        self, seed: int, *, partitions: int = 3, validations: int = 2, rules: int = 2, max_records: int = 100,
        pace: Pace | None = None, trace: bool = False,
    ) -> None:  # fmt: skip
        self.scheduler = Scheduler(seed, pace, trace=trace)
        self.random: Random = self.scheduler.random
        self.between = self.scheduler.between
        self.partitions = partitions
        self.max_records = max_records
        self.jumped = 0.0
        self.redis = RedisDouble()
        self.cluster: Cluster = Cluster(now=self.now, pause=self._pause, wall=self._broker_wall)
        self.slots = [Slot(f"validation-{n + 1}", "validation") for n in range(validations)]
        self.slots += [Slot(f"rules-{n + 1}", "rules") for n in range(rules)]
        self.processes: list[Process] = []
        self.refusals: list[tuple[str, str, str]] = []
        self.crashes: list[tuple[str, BaseException]] = []
        self.hangs = 0
        self.supervised = True
        self._numbers = 0
        self._stack = ExitStack()
        self.scheduler.ended = self._ended
        self.redis.on_call = self.scheduler.point
        self.cluster.on_call = self._called
        self.cluster.owner = self._owner

    def __enter__(self) -> Self:
        self._stack.enter_context(surroundings.installed(self))
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            for process in self.processes:
                process.dead = True
            self.scheduler.close()
        finally:
            self._stack.close()

    # -- time -------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds."""
        return self.scheduler.now

    def wall(self) -> float:
        """Seconds since 1970, as the process that asks has them."""
        process = self.process
        return EPOCH_S + self.jumped + self.scheduler.now + (process.skew if process is not None else 0.0)

    def _broker_wall(self) -> float:
        return EPOCH_S + self.jumped + self.scheduler.now

    def jump(self, seconds: float) -> None:
        """Let the time of day move on for everybody. No time-out passes by that."""
        self.jumped += seconds

    @property
    def process(self) -> Process | None:
        """The process whose task runs now."""
        owner = self.scheduler.owner
        return owner if isinstance(owner, Process) else None

    def _pause(self, seconds: float) -> None:
        self.scheduler.wait(seconds)

    def _called(self, name: str) -> None:
        if name not in _ASKS_NOBODY:
            self.scheduler.point(name)

    def _owner(self) -> int:
        process = self.process
        return process.number if process is not None else 0

    # -- what is there ----------------------------------------------------------------------------------------------

    def settings(self, worker: str = "") -> Settings:
        return _settings(worker, self.partitions, self.max_records)

    def create(self, raw_topics: Sequence[str] = ()) -> None:
        """All topics, and the first commits."""
        create_topics(self.settings(), raw_topics)

    def catalog(self, records: Mapping[str, Value | None], activate: str | None = None) -> None:
        """Write to the catalog, and put a ruleset of it in force from here on in the journal."""
        settings = self.settings()
        others = []
        if activate is not None:
            value = RULESET_ACTIVATED.encode({"ruleset": activate})
            others = [
                Output(settings.topic("journal"), None, value, partition=partition)
                for partition in range(self.partitions)
            ]
        with CatalogWriter(settings) as writer:
            writer.write(records, others)

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """A raw record, as a producer without transactions writes it. ``topic`` is a short name."""
        self.cluster.append(self.settings().topic(topic), value, key, partition, list(headers or []))

    # -- workers ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        for slot in self.slots:
            self._fill(slot)

    def _fill(self, slot: Slot) -> None:
        self._numbers += 1
        process = Process(self.scheduler, slot.name, self._numbers, self.settings(slot.name))
        slot.process = process
        self.processes.append(process)
        self.scheduler.note(f"starts {process}")
        main = surroundings.MAINS[slot.stage]

        def live() -> None:
            process.exit_code = main()

        process.task = self.scheduler.spawn(repr(process), live, process)
        self.scheduler.after(LOOK_S, partial(self._watch, process))

    def _watch(self, process: Process) -> None:
        """What the watchdog's thread does, which is stopped where its process is."""
        if process.dead:
            return
        stopped = process.stopped_until > self.now()
        if not stopped and process.beat is not None and self.now() - process.beat > WATCHDOG_S:
            self.scheduler.note(f"the main loop of {process} hangs at {process.task.at if process.task else '?'}")
            self.hangs += 1
            self._bury(process)
        else:
            self.scheduler.after(LOOK_S, partial(self._watch, process))

    def _ended(self, task: Task) -> None:
        """A task came to its end: of a process, when it was the main one or the process is dead."""
        process = task.owner
        if not isinstance(process, Process):
            return
        if task.failure is not None:
            self.crashes.append((repr(process), task.failure))
            self.scheduler.note(f"crashed: {task.failure!r}")
        if task is process.task or process.dead:
            self._bury(process)

    def kill(self, process: Process) -> None:
        """SIGKILL, wherever it is. To be called by the hub (``between``)."""
        if not process.dead:
            self.scheduler.note(f"kill -9 {process} at {process.task.at if process.task else '?'}")
        self._bury(process)

    def _bury(self, process: Process) -> None:
        if process not in self.processes:
            return
        process.dead = True
        self.cluster.kill(process.number)
        self.processes.remove(process)
        self.scheduler.end(process)
        for slot in self.slots:
            if slot.process is process:
                slot.process = None
                if self.supervised:
                    self.scheduler.after(0.1 + self.random.random() * RESTART_S, partial(self._refill, slot))

    def _refill(self, slot: Slot) -> None:
        if slot.process is None and self.supervised:
            self._fill(slot)

    def kill_at(self, process: Process, step: Step, nth: int = 1) -> None:
        """SIGKILL when it has come to a step for the nth time from now."""
        process.kills[step] = nth

    def pause(self, process: Process, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after that time."""
        self.scheduler.note(f"stop {process} for {seconds:.1f} s")
        process.stopped_until = max(process.stopped_until, self.now() + seconds)
        self.cluster.freeze(process.number)
        self.scheduler.after(seconds, partial(self._continued, process))

    def resume(self, process: Process) -> None:
        """SIGCONT."""
        process.stopped_until = 0.0
        self._continued(process)

    def _continued(self, process: Process) -> None:
        if not process.dead and process.stopped_until <= self.now():
            self.scheduler.note(f"continue {process}")
            self.cluster.thaw(process.number)

    def replace(self, slot: Slot) -> None:
        """Start another process of the same name while the one that is there lives on: a supervisor that lost sight
        of it."""
        self.scheduler.note(f"replace {slot.process}")
        self._fill(slot)

    def skew(self, process: Process, seconds: float) -> None:
        """Set its clock ahead of the broker's."""
        process.skew = seconds

    def hang(self, process: Process, seconds: float) -> None:
        """Its next call of the client that is bounded from outside does nothing for so long, and carries on then."""
        process.hang = seconds

    def ask_to_stop(self, process: Process) -> None:
        """SIGTERM."""
        self.scheduler.note(f"SIGTERM {process}")
        process.stop.set()

    @property
    def zombies(self) -> list[Process]:
        """Those that live on although their place was given to another."""
        kept = [slot.process for slot in self.slots]
        return [process for process in self.processes if process not in kept]

    # -- running ----------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool] | None = None, *, seconds: float = 3600.0, decisions: int = 50_000) -> bool:
        """Let everybody go on until that is so, or until one of the bounds is met; whether it is so."""
        end, left = self.now() + seconds, self.scheduler.decisions + decisions
        step, at = self.scheduler.step, self.scheduler
        while at.now < end and at.decisions < left:
            step()
            if until is not None and at.decisions % 8 == 0 and until():
                return True
        return until is not None and until()

    def quiet(self) -> None:
        """No more faults: what is stopped goes on, what was delayed arrives, what lost its place is asked to end."""
        for zombie in self.zombies:
            self.ask_to_stop(zombie)
        self.scheduler.note("quiet")
        self.redis.well()
        self.redis.torn_load = False
        for process in self.processes:
            process.kills.clear()
            process.skew = process.hang = 0.0
            if process.stopped_until:
                self.resume(process)
        while self.cluster.late:
            self.cluster.deliver_late()

    def idle(self) -> bool:
        """Whether everything read is journaled, folded, published and applied, and all workers are at work."""
        if any(slot.process is None for slot in self.slots) or self.zombies or self.cluster.late:
            return False
        settings = self.settings()
        for stage in ("validation", "rules"):
            committed = self.cluster.committed(settings.group(stage))
            for (topic, partition), (offset, _) in committed.items():
                if offset < self.cluster.ends(topic)[partition]:
                    return False
                if stage == "rules" and self.redis.next(partition) != offset:
                    return False
        # A transaction that somebody left open hides what others wrote after it until it times out.
        return self.cluster.settled()

    def committed(self, stage: str) -> dict[tuple[str, int], tuple[int, str]]:
        return dict(self.cluster.committed(self.settings().group(stage)))

    def records(self, topic: str, partition: int | None = None) -> list[Any]:
        """Committed records of a topic by its short name, by partition and in the order of the log."""
        return list(self.cluster.records(self.settings().topic(topic), partition))

    @property
    def trace(self) -> list[str]:
        return self.scheduler.trace or []

    def fingerprint(self) -> str:
        """Everything that is in the topics, as one text: equal after two runs of one seed."""
        lines = [repr(sorted(self.committed("rules").items()))]
        for topic in sorted(self.cluster.topics):
            for message in self.cluster.records(topic):
                place = f"{topic}/{message.partition()}@{message.offset()}"
                lines.append(f"{place} {message.timestamp()} {message.key()!r} {message.value()!r}")
        return "\n".join(lines)
