"""A journey without faults: a deployment is made, raw records come in, and everything comes to rest.

``python -m tests.schedules.journey SEED`` prints a digest of all that happens for a seed, which tests compare between
interpreters.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable

from tests.schedules import workload
from tests.schedules.deployment import Deployment
from tests.schedules.schedule import run

UPLOADS = 25
OFTEN = 0.02
"""How often something is uploaded between two decisions."""


def begin(world: Deployment) -> None:
    """Topics, the first ruleset, and workers on their way."""
    world.create()
    world.catalog(workload.change(1), workload.named(1))
    world.start()


def feed(world: Deployment, uploads: int = UPLOADS) -> Callable[[], bool]:
    """Have records sent while the workers work; what it returns says whether all were."""
    traffic, left = workload.Traffic(world.random), [uploads]

    def upload() -> None:
        if left[0] and world.random.random() < OFTEN:
            left[0] -= 1
            for raw in traffic.take(int(world.wall() * 1000)):
                world.send(raw.topic, world.random.randrange(world.partitions), raw.key, raw.value)

    world.between.append(upload)
    return lambda: not left[0]


def travel(world: Deployment, uploads: int = UPLOADS) -> bool:
    """From nothing to rest; whether it came to rest."""
    begin(world)
    fed = feed(world, uploads)
    return world.run(lambda: fed() and world.idle())


def digest(seed: int) -> str:
    """Of a journey without faults, its topics included, and of the schedule of that seed with all of them."""
    with Deployment(seed, trace=True) as world:
        rests = travel(world)
        told = [*world.trace, world.fingerprint(), str(rests)]
    told += run(seed, trace=True).trace
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


if __name__ == "__main__":
    print(digest(int(sys.argv[1])))
