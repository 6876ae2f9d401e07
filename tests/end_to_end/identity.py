"""Raw = journal + dead letters + switched off, with workers killed all the while: a trial of any size.

``python -m tests.end_to_end.identity --events 1000000`` starts Kafka, Redis and validation workers of its own,
publishes mixed events in three forms, kills a worker every few seconds, settles every raw record with the oracle, and
prints what it found. Exit code 0 when every record is accounted for exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from tests.deployment import Deployment, Program, Services, offsets, publish, services
from tests.end_to_end.coffee import RAW, WORKSPACE, Raw
from tests.end_to_end.three_forms import NEXT, ThreeForms, plan
from tests.oracle.ledger import Balance, audit
from tests.waiting import until

SLICE = 5000


class Trial:
    """A deployment with nothing but validation, and the traffic for it."""

    def __init__(self, deployment: Deployment, seed: int, **environment: str) -> None:
        deployment.create_topics()
        deployment.apply(WORKSPACE, NEXT)
        self.traffic = ThreeForms(seed, deployment.schema_ids(), users=20_000)
        self.sent = 0
        self._deployment = deployment
        self._environment = environment
        self._workers: dict[int, Program] = {}

    def publish(self, raws: list[Raw]) -> None:
        publish(self._deployment.services.kafka, ((self._deployment.prefix + topic, *raw) for topic, *raw in raws))
        self.sent += len(raws)

    def start(self, number: int) -> None:
        self._workers[number] = self._deployment.validation(number, **self._environment)

    def kill(self, number: int) -> None:
        """SIGKILL, and another process in its place at once."""
        self._workers[number].kill()
        self.start(number)

    def judged(self) -> float:
        """The share of what was sent that validation has committed."""
        group, name = self._deployment.prefix + "validation", self._deployment.prefix
        places = [offsets(self._deployment.services.kafka, name + topic, group).values() for topic in RAW]
        done = sum(max(committed, 0) for found in places for committed, _ in found)
        return done / max(self.sent, 1)

    def idle(self) -> bool:
        return self._deployment.idle("validation", *RAW)

    def state(self) -> object:
        return {program.name: program.tail(1500) for program in self._workers.values()}

    def settle(self) -> Balance:
        """What became of every record; call it once validation is idle."""
        return audit(self._deployment.services.kafka, self._deployment.prefix, plan())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.end_to_end.identity", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="raw records (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="validation workers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of traffic and kills (default: %(default)s)")
    parser.add_argument(
        "--every", type=float, default=12, help="seconds between kills, on average (default: %(default)s)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offerflow-identity-") as scratch, _deployment(Path(scratch)) as deployment:
        trial = Trial(deployment, given.seed)
        started = time.monotonic()
        with _publishing(trial, given.events) as published:
            kills = _kill_until_judged(trial, given.workers, given.every, published, random.Random(given.seed))
        took = time.monotonic() - started
        balance = trial.settle()
        _print(balance, kills, took, time.monotonic() - started - took)
        return 0 if balance.even and balance.raw == given.events else 1


@contextmanager
def _deployment(directory: Path) -> Iterator[Deployment]:
    up = services("up", directory)
    if up.returncode:
        raise SystemExit(f"no broker: {up.stderr}")
    told = json.loads(up.stdout)
    try:
        deployment = Deployment(Services(told["kafka"], told["redis"]), directory)
        try:
            yield deployment
        finally:
            deployment.close()
    finally:
        services("down", directory, "--purge")


@contextmanager
def _publishing(trial: Trial, events: int) -> Iterator[Event]:
    """Publish in the background; the event is set when all is sent. Raises what went wrong there."""
    done, stop = Event(), Event()
    failed: list[BaseException] = []

    def publish() -> None:
        try:
            while trial.sent < events and not stop.is_set():
                trial.publish(trial.traffic.take(min(SLICE, events - trial.sent)))
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    thread = Thread(target=publish, name="publisher")
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


def _kill_until_judged(trial: Trial, workers: int, every: float, published: Event, draw: random.Random) -> int:
    """Kill some worker now and then until everything was sent, then wait until all of it is judged."""
    for number in range(1, workers + 1):
        trial.start(number)
    kills = 0
    while not published.wait(draw.uniform(0.5, 1.5) * every):
        trial.kill(draw.randint(1, workers))
        kills += 1
        print(f"{trial.sent:>9,} sent, {trial.judged():5.1%} judged, {kills} kills", file=sys.stderr)
    until(trial.idle, "everything to be judged", 1800, trial.state)
    return kills


def _print(balance: Balance, kills: int, took: float, audited: float) -> None:
    report = balance.report
    print(f"raw records        {balance.raw:>10,}   in {took:.0f} s with {kills} kills; settled in {audited:.0f} s")
    for form, count in sorted(balance.forms.items()):
        print(f"  {form:<22} {count:>10,}")
    print(f"journal            {balance.journal:>10,}")
    print(f"dead letters       {sum(balance.dead.values()):>10,}")
    for reason, count in sorted(balance.dead.items()):
        print(f"  {reason:<22} {count:>10,}")
    print(f"switched off       {balance.dropped:>10,}")
    print(f"left over          {balance.raw - balance.journal - sum(balance.dead.values()) - balance.dropped:>10,}")
    print(f"missing {len(report.missing)}, doubled {len(report.doubled)}, wrong {len(report.wrong)}")
    for line in [*report.missing, *report.doubled, *report.wrong][:20]:
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
