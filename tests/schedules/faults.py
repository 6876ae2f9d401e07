"""What goes wrong in a schedule: seeded faults between any two steps of any worker, beside the traffic.

Kinds are named in KINDS. A fault is injected by the hub, so never in the middle of a step; what the doubles offer
(a commit whose reply is lost, a script that dies half-way) strikes the next call of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from offerflow.runtime.steps import Step
from tests.doubles.kafka import Ending, Sending
from tests.schedules.deployment import Deployment
from tests.schedules.process import Process
from tests.schedules.workload import RULESETS, UNKNOWN, Traffic, change, named

JOURNAL = "of.journal"
MIDST = (Step.READ, Step.LOADED, Step.DECIDED, Step.BEGUN, Step.PRODUCED, Step.OFFSETS_SENT, Step.COMMITTED)
LOADING = ("redis.load", "redis.load.rest")
OPEN = frozenset({"begun", "produce", "produced", "send_offsets_to_transaction", "offsets_sent"})
"""Where a process stands while its transaction is open."""


@dataclass(frozen=True)
class Scene:
    """What happens how often: ``kinds`` by weight, at most ``faults`` of them, ``rate`` per decision of the hub, and so
    for the other chances. ``endings`` and ``sendings`` are those of single commits and of offsets sent to one."""

    kinds: Mapping[str, float]
    faults: int = 8
    rate: float = 0.012
    records: int = 26
    upload: float = 0.06
    jump: float = 0.01
    endings: float = 0.05
    sendings: float = 0.03
    late: float = 0.02
    changes: float = 0.002
    decisions: int = 1500
    max_records: int = 7
    ahead_s: float = 0.0
    in_transactions: float = 0.0
    """How often something late arrives while its producer has another transaction open, beside ``late``."""
    duplicates: bool = False
    """Endings and sendings that go wrong are sent twice, and nothing else."""
    losses_at_rest: bool = False
    """Redis goes back once more when nothing is left to do."""


class Faults:
    """Injects faults and traffic into ``world`` until ``over``. ``ahead``: by how many ms a clock was ahead at most."""

    def __init__(self, world: Deployment, scene: Scene) -> None:
        self.world, self.scene = world, scene
        self.random: Random = world.random
        self.traffic = Traffic(world.random)
        self.left = self.random.randint(0, scene.faults)
        self.records = scene.records
        self.rulesets = 1
        self.ahead = 0
        self.over = False
        self.injected: list[str] = []
        self.excused: set[str] = set()
        """Reasons for which workers may refuse: something was done that only a person can judge."""
        self._losses = 0
        self._stops: list[tuple[Process, Step, float]] = []
        self._kinds = list(scene.kinds)
        self._weights = list(scene.kinds.values())
        self.gone: dict[int, list[Any]] = {}
        """Records of journal partitions as they were before their start was taken."""
        self._copies: dict[int, Any] = {}
        self._tampered: dict[tuple[str, str, int], tuple[tuple[int, str], tuple[int, str] | None]] = {}
        self._bounds: list[tuple[float, Callable[[], None]]] = []
        chance = 0.0
        for share, action in (
            (scene.upload, self._upload), (scene.rate, self._fault), (scene.jump, self._jump),
            (scene.late, self._deliver), (scene.changes, self._change),
        ):  # fmt: skip
            chance += share
            self._bounds.append((chance, action))
        world.cluster.ending = self._ending
        world.cluster.sending = self._sending
        world.cluster.marker_delay = self._marker_delay
        if self.random.random() < 0.5:
            world.cluster.cut = lambda most: self.random.randint(1, most)
        world.between.append(self)

    def __call__(self) -> None:
        if self.over:
            return
        if self._stops:
            self._stop_those_there()
        if self._losses:
            self._lose_if_loading()
        if self.scene.in_transactions and self.world.cluster.late:
            self._deliver_within()
        chance = self.random.random()
        for bound, action in self._bounds:
            if chance < bound:
                action()
                return

    # -- traffic ----------------------------------------------------------------------------------------------------

    def _upload(self) -> None:
        if self.records <= 0:
            return
        world = self.world
        for raw in self.traffic.take(int(world.wall() * 1000)):
            self.records -= 1
            world.send(raw.topic, self.random.randrange(world.partitions), raw.key, raw.value)
        if self.random.random() < 0.02:
            world.cluster.append(JOURNAL, UNKNOWN, b"u:u1", self._partition())

    def _jump(self) -> None:
        self.world.jump(self.random.choice((0.5, 2.0, 6.0, 25.0)))

    def _change(self) -> None:
        """The next ruleset, in force from here on."""
        if self.rulesets < len(RULESETS) and self._up():
            self.rulesets += 1
            self.world.catalog(change(self.rulesets), named(self.rulesets))
            self.world.scheduler.note(f"ruleset {self.rulesets}")

    def _deliver_within(self) -> None:
        """Let a late request come while its producer has another transaction open."""
        for at, late in enumerate(self.world.cluster.late):
            for slot in self.world.slots:
                task = slot.process.task if slot.process is not None else None
                if task is not None and task.at in OPEN and f".{slot.name}." in repr(late):
                    if self._up() and self.random.random() < self.scene.in_transactions:
                        self.world.scheduler.note(f"late, within another: {late!r}")
                        self.world.cluster.deliver_late(at)
                    return

    def _up(self) -> bool:
        return self.world.cluster.up

    def _deliver(self) -> None:
        late = self.world.cluster.late
        if late and self._up():
            at = self.random.randrange(len(late))
            self.world.scheduler.note(f"late: {late[at]!r}")
            self.world.cluster.deliver_late(at)

    # -- single commits ---------------------------------------------------------------------------------------------

    def _ending(self, producer: Any) -> Ending:
        if self.over or self.world.process is None or self.random.random() > self.scene.endings:
            return Ending.PLAIN
        if self.scene.duplicates:
            return self._said(Ending.DUPLICATED)
        return self._said(self.random.choice((*Ending, Ending.DUPLICATED, Ending.LOST_DONE)))

    def _sending(self, producer: Any) -> Sending:
        if self.over or self.world.process is None or self.random.random() > self.scene.sendings:
            return Sending.PLAIN
        return self._said(Sending.DUPLICATED if self.scene.duplicates else self.random.choice(tuple(Sending)))

    def _said(self, what: Any) -> Any:
        self.world.scheduler.note(f"{what} for {self.world.process!r}")
        return what

    def _marker_delay(self) -> float:
        return 0.0 if self.over or self.random.random() < 0.7 else self.random.random() * 0.3

    # -- faults -----------------------------------------------------------------------------------------------------

    def _fault(self) -> None:
        if not self.left:
            return
        self.left -= 1
        kind = self.random.choices(self._kinds, self._weights)[0]
        self.world.scheduler.note(f"FAULT {kind}")
        self.injected.append(kind)
        KINDS[kind](self)

    def _some(self, stage: str | None = None) -> Process | None:
        able = [slot.process for slot in self.world.slots
                if slot.process is not None and stage in (None, slot.stage)]  # fmt: skip
        return self.random.choice(able) if able else None

    def _partition(self) -> int:
        return self.random.randrange(self.world.partitions)

    def kill(self) -> None:
        process = self._some()
        if process is not None:
            self.world.kill(process)

    def kill_at(self) -> None:
        process = self._some()
        if process is not None:
            self.world.kill_at(process, self.random.choice(tuple(Step)), self.random.choice((1, 1, 2)))

    def stop(self) -> None:
        """SIGSTOP: for a moment, or beyond the session time-out."""
        process = self._some()
        if process is not None:
            self.world.pause(process, self.random.choice((0.3, 3.0, 9.0, 20.0)))

    def stop_at(self) -> None:
        """SIGSTOP at a step of a batch, mostly until others have taken over."""
        process = self._some()
        if process is not None:
            self._stops.append((process, self.random.choice(MIDST), self.random.choice((2.0, 7.5, 9.0, 9.0, 14.0))))

    def _stop_those_there(self) -> None:
        for one in list(self._stops):
            process, step, seconds = one
            if process.dead:
                self._stops.remove(one)
            elif process.task is not None and process.task.at == step.value:
                self._stops.remove(one)
                self.world.pause(process, seconds)

    def replace(self) -> None:
        """Another process gets the place, and the name, of one that lives on; sometimes asleep until later."""
        slot = self.random.choice(self.world.slots)
        if slot.process is not None:
            if self.random.random() < 0.5:
                self.world.pause(slot.process, self.random.choice((1.0, 8.0)))
            self.world.replace(slot)

    def hang(self) -> None:
        """The next call of a client does nothing for a while, and acts then, whether or not it was given up."""
        process = self._some()
        if process is not None:
            self.world.hang(process, self.random.choice((0.5, 4.0, 14.0)))

    def leave(self) -> None:
        process = self._some()
        if process is not None:
            self.world.ask_to_stop(process)

    def expel(self) -> None:
        """The broker believes a member dead that is not."""
        slot = self.random.choice(self.world.slots)
        self.world.cluster.expel(self.world.settings().group(slot.stage), slot.name)

    def rebalance(self) -> None:
        self.world.cluster.rebalance(self.world.settings().group(self.random.choice(("rules", "rules", "validation"))))

    def expire(self) -> None:
        """Transactions that are open time out."""
        self.world.cluster.expire_transactions()

    def broker(self) -> None:
        """The broker is away for a while."""
        if self._up():
            self.world.cluster.stop()
            self.world.scheduler.after(self.random.choice((0.2, 1.5, 5.0)), self._start)

    def _start(self) -> None:
        if not self._up():
            self.world.cluster.start()

    def fail_over(self) -> None:
        self.world.redis.fail_over(self.random.randint(1, 4), self.random.choice((None, self._partition())))

    def fail_over_at(self) -> None:
        """A fail-over just when somebody loads."""
        self._losses += 1

    def _lose_if_loading(self) -> None:
        at = self.random.choice(LOADING)
        if any(slot.process is not None and slot.process.task is not None and slot.process.task.at == at
               for slot in self.world.slots):  # fmt: skip
            self._losses -= 1
            self.world.scheduler.note(f"FAULT fail-over at {at}")
            self.world.redis.fail_over(self.random.randint(1, 4))

    def empty(self) -> None:
        self.world.redis.empty(self.random.choice((None, self._partition())))

    def evict(self) -> None:
        """Redis throws away what says how far a partition is folded, and keeps its states."""
        self.world.redis.forget(self._partition(), "meta")

    def half_way(self) -> None:
        self.world.redis.die_half_way(self._partition(), self.random.randint(0, 3))

    def no_reply(self) -> None:
        self.world.redis.lose_reply(self.random.random() < 0.6)

    def redis_down(self) -> None:
        self.world.redis.refuse("down", self.random.randint(1, 12))

    def redis_full(self) -> None:
        self.world.redis.refuse("full", self.random.randint(1, 6))

    def outage(self) -> None:
        """No validation for a while, so that time may not pass."""
        for slot in self.world.slots:
            if slot.stage == "validation" and slot.process is not None:
                self.world.pause(slot.process, self.random.choice((5.0, 15.0)))
        self.world.jump(self.random.choice((6.0, 25.0)))

    def clock(self) -> None:
        """A worker's clock runs ahead of the broker's."""
        process = self._some("rules")
        if process is not None and self.scene.ahead_s:
            seconds = self.random.random() * self.scene.ahead_s
            self.world.skew(process, seconds)
            self.ahead = max(self.ahead, int(seconds * 1000) + 1)

    # -- what only a person can judge -------------------------------------------------------------------------------

    def reset(self) -> None:
        """Somebody moves, or loses, a committed offset of the rules while no worker of theirs runs."""
        self._halt("rules")
        place = (JOURNAL, self._partition())
        group = self.world.settings().group("rules")
        committed = self.world.committed("rules").get(place)
        if committed is None or (group, *place) in self._tampered or self.world.cluster.group(group).pending:
            return
        end = self.world.cluster.ends(JOURNAL)[place[1]]
        to = self.random.choice((None, end, max(0, committed[0] - self.random.randint(1, 6)), 0))
        if to is None:
            self.world.cluster.delete_offset(group, *place)
            self._tampered[group, *place] = committed, None
            self.excused |= {"offset_absent", "redis_ahead"}
            if self.random.random() < 0.5:
                self.world.redis.empty(place[1])
        else:
            self.world.cluster.set_offset(group, *place, to)
            self._tampered[group, *place] = committed, (to, "")
            self.excused |= {"offset_foreign", "offset_outside", "redis_ahead"}

    def set_back(self) -> None:
        """As ``reset``, to a place with the very words that we once committed there, as a restored backup has it."""
        self._halt("rules")
        place = (JOURNAL, self._partition())
        group = self.world.settings().group("rules")
        committed = self.world.committed("rules").get(place)
        if committed is None or (group, *place) in self._tampered or self.world.cluster.group(group).pending:
            return
        to = max(0, committed[0] - self.random.randint(1, 6))
        if self.world.redis.next(place[1]) <= to:
            return  # nobody can tell, and it does no harm as long as Redis stays as it is
        topic_id = committed[1].split(":")[1]
        words = f"of1:{topic_id}:{to}"
        self.world.cluster.set_offset(group, *place, to, words)
        self._tampered[group, *place] = committed, (to, words)
        self.excused.add("redis_ahead")

    def foreign(self) -> None:
        """Redis holds what another deployment folded."""
        partition = self._partition()
        kept = self.world.redis.kept(partition).meta
        if "topic_id" in kept:
            self._halt("rules")
            self.world.redis.kept(partition).states.clear()
            kept["topic_id"] = "another"
            self.excused |= {"topic_recreated", "other_cluster", "other_group"}

    def truncate(self) -> None:
        """Retention takes the start of a journal partition, and Redis loses it: only a copy of Redis helps then."""
        self._halt("rules")
        partition = self._partition()
        begin = self.world.redis.next(partition)
        if not begin or partition in self._copies:
            return
        self._copies[partition] = self.world.redis.kept(partition).copy()
        self.gone[partition] = self.world.records("journal", partition)[:]
        self.world.cluster.delete_records(JOURNAL, partition, begin)
        self.world.redis.empty(partition)
        self.excused.add("journal_short")

    def _halt(self, stage: str) -> None:
        """Nobody of the stage runs for now: offsets are moved by hand in an empty group."""
        for process in [one for one in self.world.processes if one.name.startswith(stage)]:
            self.world.kill(process)
        self.world.cluster.expire_transactions()
        self.world.cluster.late.clear()

    def mend(self) -> None:
        """What the refusals ask a person to do: restore offsets and copies, empty a Redis that is another's."""
        for (group, topic, partition), (before, after) in self._tampered.items():
            # Where workers went on from it all the same, there is nothing left to restore.
            if self.world.cluster.committed(group).get((topic, partition)) == after:
                self.world.cluster.set_offset(group, topic, partition, *before)
        self._tampered.clear()
        for partition in range(self.world.partitions):
            if self.world.redis.kept(partition).meta.get("topic_id") == "another":
                self.world.redis.empty(partition)
            if partition in self._copies and not self.world.redis.next(partition):
                self.world.redis.restore(partition, self._copies[partition])


KINDS: dict[str, Callable[[Faults], None]] = {
    "kill": Faults.kill, "kill at a step": Faults.kill_at, "stop": Faults.stop, "replace": Faults.replace,
    "leave": Faults.leave, "expel": Faults.expel, "rebalance": Faults.rebalance, "time-out": Faults.expire,
    "broker away": Faults.broker, "fail-over": Faults.fail_over, "empty": Faults.empty,
    "half-way": Faults.half_way, "no reply": Faults.no_reply, "redis down": Faults.redis_down,
    "redis full": Faults.redis_full, "outage": Faults.outage, "clock": Faults.clock, "reset": Faults.reset,
    "set back": Faults.set_back, "foreign": Faults.foreign, "truncate": Faults.truncate, "hang": Faults.hang,
    "stop at a step": Faults.stop_at, "fail-over at a load": Faults.fail_over_at,
    "evict": Faults.evict,
}  # fmt: skip
