"""The real stages in simulated processes: they do their work, the same way for the same seed, and die as told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offerflow.runtime.steps import Step
from tests.schedules.deployment import Deployment
from tests.schedules.journey import begin, digest, feed, travel

ROOT = Path(__file__).parents[2]
OF_RULES = [step for step in Step if step is not Step.CLAIMED]
OF_VALIDATION = [step for step in OF_RULES if step not in (Step.LOADED, Step.APPLIED)]
PASSED = [("rules", step) for step in OF_RULES] + [("validation", step) for step in OF_VALIDATION]


def counts(world: Deployment) -> dict[str, int]:
    topics = ("journal", "dead-letter", "offer-entry", "reward-satisfied")
    return {topic: len(world.records(topic)) for topic in topics}


def test_a_journey() -> None:
    """Raw records become journal records and dead letters, those become outputs, and everybody comes to rest."""
    with Deployment(1) as world:
        assert travel(world, 80)
        found = counts(world)
        raw = len(world.records("raw.backend")) + len(world.records("raw.sdk"))
        assert (world.crashes, world.refusals, world.hangs) == ([], [], 0)
    assert raw >= 80
    assert all(found.values()), found


def test_the_same_seed_goes_the_same_way() -> None:
    """Trace and topics are equal to the last switch, under faults as well; another seed goes another way."""
    assert digest(3) == digest(3)
    assert digest(3) != digest(4)


def test_no_hash_seed_leaks_in() -> None:
    """Two interpreters that hash text differently go the same way."""
    found = {
        subprocess.run(
            [sys.executable, "-m", "tests.schedules.journey", "5"], cwd=ROOT, check=True, timeout=120,
            capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    }  # fmt: skip
    assert found == {digest(5) + "\n"}


@pytest.mark.parametrize(("stage", "step"), PASSED)
def test_death_at_every_step(stage: str, step: Step) -> None:
    """A worker that is killed at a step of a batch is replaced, and everything comes to rest all the same."""
    with Deployment(7) as world:
        begin(world)
        fed = feed(world)
        assert world.run(lambda: all(slot.process and slot.process.beat for slot in world.slots))
        workers = [slot.process for slot in world.slots if slot.stage == stage and slot.process]
        for worker in workers:
            world.kill_at(worker, step)
        if step is Step.REVOKED:
            world.ask_to_stop(workers[0])
        assert world.run(lambda: any(worker.dead for worker in workers))
        assert world.run(lambda: fed() and world.idle())
        assert (world.crashes, world.hangs) == ([], 0)


def test_a_zombie_comes_back() -> None:
    """A stopped worker loses its partitions; when it goes on it does no harm, and everything comes to rest."""
    with Deployment(11) as world:
        begin(world)
        fed = feed(world)
        assert world.run(lambda: len(world.records("journal")) > world.partitions + 3)
        for slot in [slot for slot in world.slots if slot.name in ("validation-1", "rules-1")]:
            assert slot.process is not None
            world.pause(slot.process, 9.0)
            world.replace(slot)
        world.run(seconds=12.0)
        assert world.zombies
        world.quiet()
        assert world.run(lambda: fed() and world.idle())
        assert (world.crashes, world.hangs) == ([], 0)
