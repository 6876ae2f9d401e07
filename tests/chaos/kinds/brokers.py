"""Brokers that are asked to leave, die, or stop answering; among three, those who lead and coordinate."""

from __future__ import annotations

import signal

from confluent_kafka.admin import AdminClient

from tests.chaos.kinds.kind import Act, Kind, Scene
from tests.chaos.servers import Broker
from tests.chaos.world import PREFIX


def _leader(scene: Scene, topic: str, partition: int) -> Broker:
    found = AdminClient({"bootstrap.servers": scene.world.bootstrap, "log_level": 0}).list_topics(topic, timeout=10)
    number = found.topics[topic].partitions[partition].leader
    return next(one for one in scene.world.brokers if one.number == number)


def _coordinator(scene: Scene, topic: str, name: str) -> Broker:
    """The leader of the partition that the name of a group, or of a transactional id, belongs to."""
    found = AdminClient({"bootstrap.servers": scene.world.bootstrap, "log_level": 0}).list_topics(topic, timeout=10)
    hashed = 0
    for character in name:
        hashed = (31 * hashed + ord(character)) & 0xFFFFFFFF
    return _leader(scene, topic, (hashed & 0x7FFFFFFF) % len(found.topics[topic].partitions))


def _journal(scene: Scene) -> Broker:
    return _leader(scene, PREFIX + "journal", scene.random.randrange(8))


def _of_group(scene: Scene) -> Broker:
    return _coordinator(scene, "__consumer_offsets", PREFIX + scene.random.choice(("validation", "rules")))


def _of_transactions(scene: Scene) -> Broker:
    workers = [one.name for one in scene.world.workers.all if one.stage != "webhooks"]
    return _coordinator(scene, "__transaction_state", f"{PREFIX}{scene.random.choice(workers)}.producer")


CHOSEN = {"leader": _journal, "group coordinator": _of_group, "transaction coordinator": _of_transactions}


def _ended(who: str, number: signal.Signals) -> Act:
    def act(scene: Scene) -> None:
        broker = CHOSEN[who](scene)
        scene.tell(broker.name)
        if number == signal.SIGKILL:
            broker.kill()
        else:
            broker.stop()
        if len(scene.world.brokers) > 1:
            scene.wait(scene.random.uniform(0, 5))
        broker.start()
        scene.world.await_brokers()

    return act


def _stopped(scene: Scene) -> None:
    broker = scene.random.choice(scene.world.brokers)
    seconds = scene.random.uniform(3, 10)
    scene.tell(f"{broker.name} {seconds:.1f} s")
    broker.signal(signal.SIGSTOP)
    try:
        scene.wait(seconds)
    finally:
        broker.signal(signal.SIGCONT)
    scene.world.await_brokers()


def kinds(several: bool) -> list[Kind]:
    found = [
        Kind(f"broker: {what} of the {who}", "brokers", _ended(who, number), 0.9)
        for who in CHOSEN
        for what, number in (("SIGKILL", signal.SIGKILL), ("SIGTERM", signal.SIGTERM))
    ]
    if not several:
        found = [
            Kind("broker: SIGKILL", "brokers", _ended("leader", signal.SIGKILL), 1.5),
            Kind("broker: SIGTERM", "brokers", _ended("leader", signal.SIGTERM), 1.5),
        ]
    return [*found, Kind("broker: SIGSTOP, SIGCONT", "brokers", _stopped, 1)]
