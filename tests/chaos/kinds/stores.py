"""Redis that dies, sleeps, forgets, goes back, or has no room."""

from __future__ import annotations

import signal

from tests.chaos.kinds.kind import Kind, Scene
from tests.chaos.world import PARTITIONS, PREFIX


def _killed(scene: Scene) -> None:
    scene.world.redis.kill()
    scene.wait(scene.random.uniform(0, 3))
    scene.world.redis.start()


def _stopped(scene: Scene) -> None:
    seconds = scene.random.uniform(3, 9)
    scene.tell(f"{seconds:.1f} s")
    scene.world.redis.signal(signal.SIGSTOP)
    try:
        scene.wait(seconds)
    finally:
        scene.world.redis.signal(signal.SIGCONT)


def _emptied(scene: Scene) -> None:
    with scene.world.redis.client() as redis:
        redis.flushall()


def _lost(scene: Scene) -> None:
    scene.world.redis.lose()


def _older(scene: Scene) -> None:
    """A copy taken a while ago, under load."""
    scene.world.redis.save()
    scene.wait(scene.random.uniform(1, 6))
    scene.world.redis.restore()


def _much_older(scene: Scene) -> None:
    """The copy that the last fault of this kind left."""
    if not scene.world.redis.saved.exists():
        scene.world.redis.save()
        scene.wait(3)
    scene.world.redis.restore()
    scene.wait(1)
    scene.world.redis.save()


def _partition_lost(scene: Scene) -> None:
    partition = scene.random.randrange(PARTITIONS)
    scene.tell(f"partition {partition}")
    pattern = f"{{of:{PREFIX}journal:{partition}}}*"
    script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end"
    with scene.world.redis.client() as redis:
        redis.eval(script, 0, pattern)


def went_back(scene: Scene) -> None:
    """What went back is one partition alone, position and all, while everybody runs."""
    partition = scene.random.randrange(PARTITIONS)
    scene.tell(f"partition {partition}")
    pattern = f"{{of:{PREFIX}journal:{partition}}}*"
    keys = "local found = {} for _, key in ipairs(redis.call('KEYS', ARGV[1])) do"
    dump = keys + " found[#found + 1] = key; found[#found + 1] = redis.call('DUMP', key) end return found"
    back = (
        "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end"
        " for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1]) end"
    )
    with scene.world.redis.client() as redis:
        before = redis.eval(dump, 0, pattern)
        scene.wait(scene.random.uniform(0.5, 4))
        redis.eval(back, 0, pattern, *before)


def _full(scene: Scene) -> None:
    """No room for another byte, for a while."""
    seconds = scene.random.uniform(2, 8)
    scene.tell(f"{seconds:.1f} s")
    with scene.world.redis.client() as redis:
        redis.config_set("maxmemory", max(1, int(redis.info("memory")["used_memory"])))
        try:
            scene.wait(seconds)
        finally:
            redis.config_set("maxmemory", 0)


KINDS = [
    Kind("redis: SIGKILL", "redis", _killed, 1.5),
    Kind("redis: SIGSTOP, SIGCONT", "redis", _stopped, 1.5),
    Kind("redis: emptied", "redis", _emptied, 0.7, early=True),
    Kind("redis: killed, comes back empty", "redis", _lost, 0.5, early=True),
    Kind("redis: older RDB", "redis", _older, 1.5),
    Kind("redis: much older RDB", "redis", _much_older, 0.6),
    Kind("redis: keys of one partition removed", "redis", _partition_lost, 1, most=16),
    Kind("redis: one partition goes back", "redis", went_back, 1.5),
    Kind("redis: maxmemory hit", "redis", _full, 1.5),
]
