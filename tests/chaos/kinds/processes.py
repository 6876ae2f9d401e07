"""Workers that die, fall asleep and wake up as somebody from the past, and groups that never come to rest."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from confluent_kafka import Consumer

from offerflow.runtime.steps import Step
from tests.chaos.kinds.kind import Act, Kind, NotMet, Scene
from tests.chaos.kinds.stores import went_back
from tests.chaos.load import TOPICS
from tests.chaos.workers import Worker, armed
from tests.chaos.world import PREFIX

COMES_BY_S = 25.0
_TRANSACTION = (Step.READ, Step.DECIDED, Step.BEGUN, Step.PRODUCED, Step.OFFSETS_SENT, Step.COMMITTED)
STEPS = {"validation": _TRANSACTION, "rules": (*_TRANSACTION, Step.LOADED, Step.APPLIED)}
STIRRED = (Step.ASSIGNED, Step.REVOKED, Step.CLAIMED)
"""Steps that nobody comes by unless something is changed."""


class Guest:
    """A member that joins a group, gets its share and does nothing with it; gone when the ``with`` ends."""

    def __init__(self, scene: Scene, stage: str) -> None:
        topics = ["journal"] if stage == "rules" else list(TOPICS)
        self._consumer = Consumer({
            "bootstrap.servers": scene.world.bootstrap, "group.id": PREFIX + stage, "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky", "log_level": 0, "client.id": "guest",
            "session.timeout.ms": 6000,
        })  # fmt: skip
        self._consumer.subscribe([PREFIX + topic for topic in topics])

    def __enter__(self) -> Guest:
        return self

    def stay(self, seconds: float) -> None:
        """Take part, and read nothing that matters."""
        self._consumer.poll(seconds)

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _one(scene: Scene, stage: str) -> Worker:
    there = [one for one in scene.world.workers.of(stage) if one.pid is not None]
    if not there:
        raise NotMet(f"no worker of {stage} runs")
    return scene.random.choice(there)


def _at(stage: str, step: Step, number: signal.Signals) -> Act:
    def act(scene: Scene) -> None:
        worker, passes = _one(scene, stage), scene.random.randrange(4)
        scene.tell(f"{worker.name} after {passes}")
        pid = worker.pid
        if not armed(worker, step, passes, number, COMES_BY_S):
            raise NotMet(f"{worker.name} did not come by {step} {passes + 1} times")
        if number == signal.SIGSTOP and pid is not None:
            scene.wait(scene.random.uniform(8, 14))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return act


def _stirred(stage: str, step: Step) -> Act:
    """All of them are armed: whoever comes by first dies, and others who come by before that is seen."""

    def act(scene: Scene) -> None:
        workers = scene.world.workers.of(stage)
        for one in workers:
            one.trigger.arm(step, 0, signal.SIGKILL)
        try:
            if step is Step.CLAIMED and stage == "rules":
                went_back(scene)
                _until_off(scene, workers, COMES_BY_S)
            else:
                # Whoever is in the middle of a transaction while others join is refused, and claims again.
                for _ in range(4):
                    with Guest(scene, stage) as guest:
                        gone = _until_off(scene, workers, 4, guest)
                    if gone or _until_off(scene, workers, 2):
                        break
        finally:
            for one in workers:
                one.trigger.disarm()
        died = [one.name for one in workers if one.trigger.gone_off]
        if not died:
            raise NotMet(f"nobody came by {step}")
        scene.tell(" ".join(died))

    return act


def _until_off(scene: Scene, workers: list[Worker], seconds: float, guest: Guest | None = None) -> bool:
    for _ in range(int(seconds / 0.1)):
        if any(one.trigger.gone_off for one in workers):
            return True
        if guest is None:
            scene.wait(0.1)
        else:
            guest.stay(0.1)
    return False


def _stopped(stage: str) -> Act:
    """SIGSTOP at a step past the session's end, so that another has its partitions when it goes on."""

    def act(scene: Scene) -> None:
        step = scene.random.choice(STEPS[stage])
        scene.tell(f"at {step}")
        _at(stage, step, signal.SIGSTOP)(scene)

    return act


def _killed_together(stage: str) -> Act:
    def act(scene: Scene) -> None:
        for one in scene.world.workers.of(stage):
            one.signal(signal.SIGKILL)

    return act


def _left(stage: str) -> Act:
    """Politely: it is started again as soon as it is gone."""

    def act(scene: Scene) -> None:
        worker = _one(scene, stage)
        scene.tell(worker.name)
        worker.signal(signal.SIGTERM)
        scene.wait(1)

    return act


def _rebalanced(stage: str) -> Act:
    """Somebody joins or leaves every two seconds, ten times."""

    def act(scene: Scene) -> None:
        for _ in range(5):
            with Guest(scene, stage) as guest:
                guest.stay(2)
            scene.wait(2)

    return act


def _webhooks_killed(scene: Scene) -> None:
    scene.world.workers.of("webhooks")[0].signal(signal.SIGKILL)


KINDS = [
    kind
    for stage, steps in STEPS.items()
    for kind in (
        *(Kind(f"{stage}: SIGKILL at {step}", stage, _at(stage, step, signal.SIGKILL), 2) for step in steps),
        *(Kind(f"{stage}: SIGKILL at {step}", stage, _stirred(stage, step), 1.5) for step in STIRRED),
        Kind(f"{stage}: SIGSTOP past the session, SIGCONT", stage, _stopped(stage), 2.5),
        Kind(f"{stage}: all SIGKILLed at once", stage, _killed_together(stage)),
        Kind(f"{stage}: SIGTERM", stage, _left(stage)),
        Kind(f"{stage}: rebalances every 2 s", stage, _rebalanced(stage), 0.7),
    )
] + [Kind("webhooks: SIGKILL", "redis", _webhooks_killed, 0.7)]
