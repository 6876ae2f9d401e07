"""A run: faults in four lanes at once, one after the other in each, until there were enough; then everything heals,
and what is left is judged."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Condition, Event, Thread

from rich.console import Console

from tests.chaos.judging import announced, judged
from tests.chaos.kinds.kind import Kind, NotMet, Scene
from tests.chaos.result import Fault, Result
from tests.chaos.watching import LOOK_S
from tests.chaos.world import Sending, Size, World, running, standing
from tests.waiting import until

RUN = "run.json"
LANES = ("validation", "rules", "redis", "brokers")
RECOVERS_WITHIN_S = 240.0
BETWEEN_S = 0.5
FIRST_HEAP, HEAP, HEAP_EVERY_S = 5000, 15_000, 90.0
CHANGE_EVERY_S = 150.0
ENDS_WITHIN_S = 420.0


@dataclass(frozen=True)
class Limits:
    """The run ends when there were ``faults`` faults and ``events`` events, or after ``seconds``."""

    seconds: float
    faults: int
    events: int


class Gate:
    """Faults go through it side by side, or one alone."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside, self._alone = 0, False

    @contextmanager
    def through(self, *, alone: bool) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            if alone:
                self._alone = True
                self._changed.wait_for(lambda: self._inside == 0)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if alone:
                    self._alone = False
                self._changed.notify_all()


class Run:
    """Lanes under way. ``result`` grows."""

    def __init__(self, world: World, limits: Limits, kinds: Sequence[Kind], console: Console) -> None:
        self.world, self.limits, self.console = world, limits, console
        self.result = Result()
        self._kinds = {lane: [kind for kind in kinds if kind.lane == lane] for lane in LANES}
        self._gate, self._over = Gate(), Event()
        self._began = time.monotonic()
        self._count = Counter[str]()

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def go(self, sending: Sending) -> None:
        threads = [
            Thread(target=self._lane, args=(lane,), name=lane, daemon=True) for lane in LANES if self._kinds[lane]
        ]
        for thread in threads:
            thread.start()
        heap_at, change_at = HEAP_EVERY_S, CHANGE_EVERY_S / 2
        while not self._over.wait(1.0):
            spent = self.spent
            if spent >= heap_at:
                heap_at += HEAP_EVERY_S
                sending.add(HEAP)
            if spent >= change_at:
                change_at += CHANGE_EVERY_S
                self._change()
            enough = len(self.result.faults) >= self.limits.faults and sending.sent >= self.limits.events
            if enough or spent > self.limits.seconds or not any(thread.is_alive() for thread in threads):
                self._over.set()
        for thread in threads:
            thread.join()

    def _change(self) -> None:
        """Other rules, in mid-stream; under faults a command may fail, and then somebody would say it again."""
        with self._gate.through(alone=True):
            try:
                self.world.change_rules()
            except Exception as error:
                self._problem(f"the rules were not changed: {error}")

    def _lane(self, lane: str) -> None:
        draw = random.Random(f"{self.world.size.seed}/{lane}")
        while not self._over.wait(BETWEEN_S):
            late = self.spent > self.limits.seconds / 2
            kinds = [
                kind for kind in self._kinds[lane] if self._count[kind.name] < kind.most and not (late and kind.early)
            ]
            if not kinds:
                return
            # Those that were seldom are likelier, so that a short run is varied too.
            weights = [kind.weight / (1 + self._count[kind.name]) for kind in kinds]
            [kind] = draw.choices(kinds, weights)
            with self._gate.through(alone=kind.alone):
                if not self._over.is_set():
                    self._inject(kind, Scene(self.world, draw))

    def _inject(self, kind: Kind, scene: Scene) -> None:
        watching = self.world.watching
        fault = Fault(kind.name, time.time())
        watching.begin(fault.began, kind.stages)
        self._count[kind.name] += 1
        try:
            kind.act(scene)
            self._await_recovery(kind)
        except NotMet as none:
            self._say(f"{kind.name}: {none}")
            watching.end(fault.began)
            return
        except Exception as error:
            self._problem(f"{kind.name} ({' '.join(scene.told)}): {type(error).__name__}: {error}")
        fault.over, fault.told = time.time(), " ".join(scene.told)
        fault.stall = watching.end(fault.began)
        self.result.faults.append(fault)
        self._say(f"{kind.name} ({fault.told}): {fault.over - fault.began:.1f} s, stood {fault.stall:.1f} s")

    def _await_recovery(self, kind: Kind) -> None:
        """Until every partition of the stages that it hit has moved since the fault was over."""
        # What a look finds moved may have moved before it.
        since = time.monotonic() + 2 * LOOK_S
        until(
            lambda: self.world.watching.moved_since(since, kind.stages),
            f"everything to move after {kind.name}",
            RECOVERS_WITHIN_S,
            lambda: {
                "standing": self.world.watching.standing(), "watching": self.world.watching.trouble,
                "logs": self._logs(),
            },
        )  # fmt: skip

    def _logs(self) -> dict[str, str]:
        return {one.name: one.tail(1200) for one in self.world.workers.all}

    def _problem(self, text: str) -> None:
        self.result.problems.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        left = self.world.watching.left("validation"), self.world.watching.left("rules")
        self.console.print(
            f"{self.spent:6.0f} s  {len(self.result.faults):4} faults  behind {left[0]:6,} {left[1]:6,}  {text}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def run(directory: Path, size: Size, limits: Limits, kinds: Sequence[Kind], console: Console) -> Result:
    """Everything, from the first broker to the verdict. ``directory`` is made, and holds data and logs afterwards."""
    console.print(f"seed {size.seed}; starting {size.brokers} brokers, Redis, {size.workers} workers of each stage …")
    with running(directory, size) as world:
        result = broken(world, limits, kinds, console)
        kept = {"size": asdict(size), "changes": [str(one) for one in world.changes], **result.document()}
        (directory / RUN).write_text(json.dumps(kept, indent=2))
        _judge(world, result, console)
    return result


def broken(world: World, limits: Limits, kinds: Sequence[Kind], console: Console) -> Result:
    """Faults and events until there were enough; then everything has healed, all is done and nobody works any more."""
    console.print("breaking everything …")
    rate = limits.events / limits.seconds * 1.1
    run = Run(world, limits, kinds, console)
    with Sending(world, rate, min(FIRST_HEAP, limits.events // 4)) as sending:
        run.go(sending)
        if sending.sent < limits.events and len(run.result.faults) >= limits.faults:
            sending.add(limits.events - sending.sent)
    run.result.totals |= {"seconds": round(run.spent), "sent": sending.sent}
    console.print(f"{sending.sent:,} events sent; waiting until all is done …")
    _rest(world, run.result)
    return run.result


def judge_again(directory: Path, console: Console) -> Result:
    """The verdict on a run whose directory was kept."""
    kept = json.loads((directory / RUN).read_text())
    result = Result.of(kept)
    with standing(directory, Size(**kept["size"]), kept["changes"]) as world:
        _judge(world, result, console)
    return result


def _judge(world: World, result: Result, console: Console) -> None:
    console.print("judging …")
    began = time.monotonic()
    try:
        judged(world, result, console)
    except Exception:
        result.problems.append(f"the judge gave up: {traceback.format_exc()}")
    result.totals["judging_seconds"] = round(time.monotonic() - began)
    console.print("offerflow verify …")
    began = time.monotonic()
    _verify(world, result)
    result.totals["verifying_seconds"] = round(time.monotonic() - began)


def _verify(world: World, result: Result) -> None:
    """Byte by byte, by the command that people have."""
    done = world.command("verify", "--output", "json", seconds=3600)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        result.problems.append(f"offerflow verify exited with {done.returncode}: {done.stderr}")
        return
    result.totals["verify"] = {name: found[name] for name in ("identical", "records", "checks")}
    if not found["identical"]:
        result.problems.append(f"offerflow verify: {json.dumps(found['differences'][:3])}")


def _rest(world: World, result: Result) -> None:
    """Until nothing is left to do, then everybody stops."""
    world.await_brokers()
    try:
        until(world.settled, "both stages to reach the end", ENDS_WITHIN_S, world.watching.standing)
        _await_webhooks(world, result)
        until(world.settled, "both stages to reach the end again", ENDS_WITHIN_S, world.watching.standing)
    except AssertionError as error:
        result.problems.append(str(error))
    world.workers.rest([one for one in world.workers.all if one.stage == "validation"])
    until(lambda: world.watching.left("rules") == 0, "the rules to reach the end", 120)
    world.workers.rest([one for one in world.workers.all if one.stage != "validation"])


def _await_webhooks(world: World, result: Result) -> None:
    """Whatever was announced to the endpoint has arrived at least once."""
    due = announced(world)
    until(lambda: due <= world.receiving.ids, "all webhooks to arrive", 180,
          lambda: f"{len(due - world.receiving.ids)} of {len(due)} are missing")  # fmt: skip
    result.totals["webhooks"] = len(due)
