"""What workers must refuse: offsets that somebody set, and a Redis that is another deployment's."""

from __future__ import annotations

import time

import httpx
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from offerflow.runtime.kafka.admin import Admin, Place
from tests.chaos.kinds.kind import Act, Kind, Scene, Unexpected
from tests.chaos.load import TOPICS
from tests.chaos.servers import make_brokers
from tests.chaos.workers import Worker
from tests.chaos.world import PARTITIONS, PREFIX, World
from tests.deployment import Deployment, Program, Services
from tests.waiting import until

REFUSED_WITHIN_S = 60.0


def _set(world: World, stage: str, offsets: list[TopicPartition]) -> None:
    client = AdminClient({"bootstrap.servers": world.bootstrap, "log_level": 3})
    [future] = client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(PREFIX + stage, offsets)]).values()
    future.result(30)


def _refusing(workers: list[Worker], reasons: tuple[str, ...]) -> bool:
    lines = [line for one in workers for line in one.metrics().splitlines() if line.startswith("offerflow_refusing{")]
    return any(line.endswith(" 1.0") and f'reason="{reason}"' in line for line in lines for reason in reasons)


def _reset(stage: str, forward: bool) -> Act:
    """One partition's offset is moved while the stage is down; it refuses to go on; what was there is put back."""

    def act(scene: Scene) -> None:
        world = scene.world
        workers = world.workers.of(stage)
        world.workers.rest(workers)
        try:
            names = ("journal",) if stage == "rules" else TOPICS
            place: Place = (PREFIX + scene.random.choice(names), scene.random.randrange(PARTITIONS))
            admin = Admin(world.settings)
            until(lambda: not admin.members(PREFIX + stage), "the group to be empty", 60)
            end, found = admin.ends([place])[place], admin.committed(PREFIX + stage, [place])[place]
            by = scene.random.randrange(1, 300)
            to = min(end, found.offset + by) if forward else max(0, found.offset - by)
            if to == found.offset:  # at the end of the log: backward is all there is
                to = max(0, found.offset - by)
            scene.tell(f"{place[0]}/{place[1]} from {found.offset} to {to}")
            _set(world, stage, [TopicPartition(*place, to)])
            world.workers.work(workers)
            what = f"a worker to refuse offset {to} of {place}"
            until(lambda: _refusing(workers, ("offset_foreign", "redis_ahead")), what, REFUSED_WITHIN_S)
            world.workers.rest(workers)
            until(lambda: not admin.members(PREFIX + stage), "the group to be empty", 60)
            now = admin.committed(PREFIX + stage, [place])[place]
            if now.offset != to:
                raise Unexpected(f"{place} moved from {to} to {now.offset} although it was refused")
            _put_back(world, stage, place, found.offset, found.metadata)
        finally:
            world.workers.work(workers)

    return act


def _put_back(world: World, stage: str, place: Place, offset: int, metadata: str) -> None:
    consumer = Consumer({"bootstrap.servers": world.bootstrap, "group.id": PREFIX + stage, "enable.auto.commit": False})
    try:
        consumer.commit(offsets=[TopicPartition(*place, offset, metadata)], asynchronous=False)
    finally:
        consumer.close()


def _two_deployments(scene: Scene) -> None:
    """A rules worker of another cluster, with the same topics, is given the Redis of this one."""
    world = scene.world
    directory = world.directory / "other"
    directory.mkdir(exist_ok=True)
    [broker] = make_brokers(directory / f"cluster{time.monotonic_ns()}", world.ports, 1)
    other = Deployment(
        Services(f"127.0.0.1:{broker.port}", world.deployment.services.redis), directory, PREFIX, PARTITIONS
    )
    broker.start()
    try:
        until(lambda: other.command("topics", "create").returncode == 0, "the other cluster's topics", 90)
        worker = other.rules(9)
        until(lambda: _is_refusing(worker), "the other deployment's worker to refuse", REFUSED_WITHIN_S, worker.tail)
        worker.stop()
    finally:
        for program in other.programs:
            if program.process.poll() is None:
                program.kill()
        broker.kill()


def _is_refusing(worker: Program) -> bool:
    try:
        return worker.metric("offerflow_refusing") >= 1
    except httpx.TransportError:
        return False


KINDS = [
    Kind(f"{stage}: offset set {'forward' if forward else 'back'}, refused", stage, _reset(stage, forward), 0.5,
         alone=True, most=2)
    for stage in ("validation", "rules")
    for forward in (False, True)
] + [Kind("redis: a second deployment on it, refused", "redis", _two_deployments, 0.3, most=2)]  # fmt: skip
