"""Everything of one run: brokers, Redis, the network between, workers, what is sent and who receives."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from redis.exceptions import RedisError

from offerflow.runtime.settings import KafkaSettings, RedisSettings, Settings
from tests.chaos.load import CHANGED, TOPICS, WORKSPACE, Load
from tests.chaos.network import Network
from tests.chaos.receiving import Receiving
from tests.chaos.servers import HOST, Ports, RedisServer, make_brokers
from tests.chaos.watching import Watching
from tests.chaos.workers import Worker, Workers
from tests.deployment import OFFERFLOW, Deployment, Services
from tests.waiting import until

PREFIX = "chaos."
PARTITIONS = 8
SLICE_S = 0.25
ENDPOINT = "partner"


@dataclass(frozen=True)
class Size:
    brokers: int = 3
    workers: int = 3
    seed: int = 1


class World:
    """Made by ``running``, in which everything is up and at work."""

    def __init__(self, directory: Path, size: Size) -> None:
        self.directory, self.size = directory, size
        self.random = random.Random(size.seed)
        self.ports = Ports()
        self.brokers = make_brokers(directory, self.ports, size.brokers)
        self.redis = RedisServer(directory / "valkey", self.ports)
        self.network = Network(directory, self.ports)
        self.changes: list[Path] = [WORKSPACE]
        """What was applied, one after the other."""
        for one in self.brokers:
            self.network.route(f"kafka-{one.number}", one.listened, kafka=True, port=one.advertised)
        self.bootstrap = ",".join(f"{HOST}:{one.port}" for one in self.brokers)
        proxied = ",".join(f"{HOST}:{one.advertised}" for one in self.brokers)
        self.receiving = Receiving()
        direct = Services(self.bootstrap, f"redis://{HOST}:{self.redis.port}/0")
        self.deployment = Deployment(direct, directory, PREFIX, PARTITIONS)
        self._store = f"sqlite:///{directory / 'store.db'}"
        self.workers = Workers([
            Worker(name, directory, self.ports, self._environment(name, proxied))
            for name in (*(f"{stage}-{n}" for stage in ("validation", "rules") for n in range(1, size.workers + 1)),
                         "webhooks-1")
        ])  # fmt: skip

    @property
    def settings(self) -> Settings:
        """For clients of the judge's and of faults: straight to the services."""
        return Settings(
            kafka=KafkaSettings(bootstrap_servers=self.bootstrap), topic_prefix=PREFIX, partitions=PARTITIONS,
            redis=RedisSettings(url=self.deployment.services.redis),
        )  # fmt: skip

    def _environment(self, name: str, proxied: str) -> dict[str, str]:
        redis = self.network.route(f"redis-{name}", self.redis.port, kafka=False)
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("OFFERFLOW_")},
            "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": proxied,
            "OFFERFLOW_REDIS__URL": f"redis://{HOST}:{redis}/0",
            **self._common(),
        }

    def _common(self) -> dict[str, str]:
        return {
            "OFFERFLOW_TOPIC_PREFIX": PREFIX, "OFFERFLOW_PARTITIONS": str(PARTITIONS),
            "OFFERFLOW_STORE__URL": self._store, "OFFERFLOW_WEBHOOKS__ALLOW_HTTP": "true",
            "OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS": "127.0.0.0/8",
        }  # fmt: skip

    def command(self, *arguments: object, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """``offerflow …`` upon this deployment, not through the proxy."""
        return subprocess.run(
            [OFFERFLOW, *map(str, arguments)], cwd=self.directory, env=self.deployment.environment(**self._common()),
            capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def must(self, *arguments: object) -> str:
        done = self.command(*arguments)
        if done.returncode:
            raise RuntimeError(f"offerflow {arguments[0]} exited with {done.returncode}: {done.stderr}")
        return done.stdout

    def answers(self, brokers: int) -> bool:
        """Whether so many brokers are there and every partition has a leader."""
        try:
            found = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=3)
        except Exception:
            return False
        leaders = (one.leader for topic in found.topics.values() for one in topic.partitions.values())
        return len(found.brokers) >= brokers and all(leader >= 0 for leader in leaders)

    def await_brokers(self, seconds: float = 90) -> None:
        until(lambda: self.answers(len(self.brokers)), "all brokers to answer", seconds)

    def serve(self, closing: ExitStack) -> None:
        """Start the services alone; ``closing`` ends them again."""
        for one in self.brokers:
            closing.callback(one.kill)
            one.start()
        closing.callback(self.redis.kill)
        self.redis.start()
        self.await_brokers()

    def begin(self, closing: ExitStack) -> None:
        """Start everything; ``closing`` ends it again."""
        self.serve(closing)
        closing.callback(self.network.stop)
        self.network.start()
        closing.callback(self.receiving.stop)
        self.receiving.start()
        # A broker that has just come up may keep its first callers waiting.
        until(lambda: self.command("topics", "create").returncode == 0, "the topics", 90)
        self.must("apply", WORKSPACE, "--yes")
        self.must("webhooks", "add", ENDPOINT, self.receiving.url, "--event", "reward.reversed")
        inputs = {"validation": [PREFIX + one for one in (*TOPICS, "raw.replay", "raw.import", "raw.integration")],
                  "rules": [PREFIX + "journal"]}  # fmt: skip
        self.watching = Watching(self.bootstrap, PREFIX, inputs, PARTITIONS, self.folded)
        closing.callback(self.workers.stop)
        self.workers.start()
        self.watching.start()
        closing.callback(self.watching.stop)
        until(self.settled, "the workers to begin", 120, lambda: self.watching.standing(0))

    def folded(self) -> list[int | None]:
        """The next record that Redis awaits, by partition of the journal."""
        try:
            with self.redis.client(seconds=1) as redis, redis.pipeline(transaction=False) as asked:
                for partition in range(PARTITIONS):
                    asked.hget(f"{{of:{PREFIX}journal:{partition}}}:meta", "next")
                return [int(next_ or 0) for next_ in asked.execute()]
        except RedisError:
            return [None] * PARTITIONS

    def settled(self) -> bool:
        return self.watching.moved_since(0) and self.watching.left("validation") + self.watching.left("rules") == 0

    def change_rules(self) -> None:
        """Apply the other rules."""
        other = CHANGED if self.changes[-1] == WORKSPACE else WORKSPACE
        # Brokers that have just come back may keep it waiting: then somebody says it again.
        until(lambda: self.command("apply", other, "--yes").returncode == 0, f"{other} to be applied", 180)
        self.changes.append(other)


@contextmanager
def running(directory: Path, size: Size) -> Iterator[World]:
    directory.mkdir(parents=True)
    with ExitStack() as closing:
        world = World(directory, size)
        world.begin(closing)
        yield world


@contextmanager
def standing(directory: Path, size: Size, changes: list[str]) -> Iterator[World]:
    """The services of a run that was kept, with its data and without anybody at work."""
    with ExitStack() as closing:
        world = World(directory, size)
        world.changes = [Path(one) for one in changes]
        world.serve(closing)
        yield world


class Sending:
    """Publishes in a thread at ``rate`` events per second until told to stop, ``heap`` of them at once to begin with.
    What the brokers do not take now is taken later: nothing of it is lost."""

    def __init__(self, world: World, rate: float, heap: int = 0) -> None:
        self._load = Load(world.size.seed, world.deployment.schema_ids())
        self.rate, self._due = rate, float(heap)
        self._stop, self._failed = Event(), list[str]()
        self.sent = 0
        self._producer = Producer({
            "bootstrap.servers": world.bootstrap, "enable.idempotence": True, "partitioner": "murmur2_random",
            "compression.type": "lz4", "linger.ms": 20, "log_level": 2, "message.timeout.ms": 0,
            "queue.buffering.max.messages": 500_000, "reconnect.backoff.max.ms": 1000,
        })  # fmt: skip
        self._thread = Thread(target=self._run, name="sending", daemon=True)

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        left = self._producer.flush(180)
        if left or self._failed:
            raise RuntimeError(f"{left} raw events were not taken, {len(self._failed)} failed: {self._failed[:3]}")

    def add(self, heap: int) -> None:
        """So many more at once."""
        self._due += heap

    def _told(self, error: object, _message: object) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _run(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(SLICE_S):
            now = time.monotonic()
            self._due += (now - before) * self.rate
            before = now
            count = min(int(self._due), 5000)
            self._due -= count
            for topic, key, value, headers in self._load.take(count):
                while True:
                    try:
                        self._producer.produce(
                            PREFIX + topic, value, key, headers=list(headers), on_delivery=self._told
                        )
                        break
                    except BufferError:
                        self._producer.poll(0.1)
                        if self._stop.is_set():
                            return
            self.sent += count
            self._producer.poll(0)
