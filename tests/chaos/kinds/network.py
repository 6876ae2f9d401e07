"""What lies between worker and broker, and between worker and Redis: slow, cut, half-open, and requests that arrive
when nobody expects them any more."""

from __future__ import annotations

from tests.chaos.kinds.kind import Act, Kind, NotMet, Scene

HELD_S = 20.0
COMES_BY_S = 20.0


def _worker(scene: Scene, stage: str) -> str:
    return scene.random.choice(scene.world.workers.of(stage)).name


def _request(stage: str, what: str, least: float, most: float) -> Act:
    """The next such request of one worker arrives late."""

    def act(scene: Scene) -> None:
        worker, seconds = _worker(scene, stage), scene.random.uniform(least, most)
        scene.tell(f"{worker} {seconds:.1f} s")
        with scene.world.network.trouble(what, client=worker, seconds=seconds) as trouble:
            for _ in range(int(COMES_BY_S / 0.1)):
                if trouble.struck:
                    break
                scene.wait(0.1)
            else:
                raise NotMet(f"{worker} sent no such request")
            scene.wait(seconds)

    return act


def _slow(stage: str) -> Act:
    def act(scene: Scene) -> None:
        worker, piece = _worker(scene, stage), scene.random.choice((0.02, 0.1, 0.4))
        scene.tell(f"{worker} {piece:g} s")
        with scene.world.network.trouble("delay", route="kafka", client=worker, seconds=piece):
            scene.wait(scene.random.uniform(4, 9))

    return act


def _cut(stage: str) -> Act:
    def act(scene: Scene) -> None:
        whom = scene.random.choice((_worker(scene, stage), stage))
        times = scene.random.choice((1, 1, 4))
        scene.tell(f"{whom} {times}")
        for _ in range(times):
            scene.world.network.cut(route="kafka", client=whom)
            scene.wait(0.3)

    return act


def _half_open(stage: str) -> Act:
    def act(scene: Scene) -> None:
        worker, seconds = _worker(scene, stage), scene.random.uniform(3, 12)
        scene.tell(f"{worker} {seconds:.1f} s")
        with scene.world.network.trouble("stall", route="kafka", client=worker):
            scene.wait(seconds)

    return act


def _redis_slow(scene: Scene) -> None:
    worker, piece = _worker(scene, "rules"), scene.random.choice((0.02, 0.1, 0.4))
    scene.tell(f"{worker} {piece:g} s")
    with scene.world.network.trouble("delay", route=f"redis-{worker}", seconds=piece):
        scene.wait(scene.random.uniform(4, 9))


def _redis_cut(scene: Scene) -> None:
    whom = scene.random.choice(("rules", _worker(scene, "rules")))
    scene.tell(whom)
    for _ in range(scene.random.choice((1, 3, 8))):
        scene.world.network.cut(route=f"redis-{whom}")
        scene.wait(0.1)


def _redis_half_open(scene: Scene) -> None:
    worker, seconds = _worker(scene, "rules"), scene.random.uniform(3, 12)
    scene.tell(f"{worker} {seconds:.1f} s")
    with scene.world.network.trouble("stall", route=f"redis-{worker}"):
        scene.wait(seconds)


KINDS = [
    kind
    for stage in ("validation", "rules")
    for kind in (
        Kind(f"{stage}: EndTxn held back 20 s", stage, _request(stage, "hold", HELD_S, HELD_S), 1.2),
        Kind(f"{stage}: cut at EndTxn, which arrives later", stage, _request(stage, "late", 0.1, 3), 2.5),
        Kind(
            f"{stage}: cut at TxnOffsetCommit, which arrives later", stage, _request(stage, "late_offsets", 0.1, 3), 2
        ),
        Kind(f"{stage}: Kafka slow", stage, _slow(stage)),
        Kind(f"{stage}: Kafka cut", stage, _cut(stage), 1.5),
        Kind(f"{stage}: Kafka half-open", stage, _half_open(stage), 1.2),
    )
] + [
    Kind("rules: Redis slow", "rules", _redis_slow),
    Kind("rules: Redis cut", "rules", _redis_cut, 2),
    Kind("rules: Redis half-open", "rules", _redis_half_open, 1.2),
]
