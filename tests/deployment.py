"""One deployment under test: topics under a prefix of its own on a shared broker, and programs as real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.oracle import topics, wire
from tests.oracle.model import Record
from tests.oracle.verdict import Examined, examine
from tests.waiting import until

ROOT = Path(__file__).parents[1]
OFFERFLOW = Path(sys.executable).parent / "offerflow"
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Services:
    """Where Kafka and Redis are."""

    kafka: str
    redis: str

    def environment(self) -> dict[str, str]:
        return {"OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": self.kafka, "OFFERFLOW_REDIS__URL": self.redis}


def services(verb: str, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """``up`` or ``down`` of Kafka and Redis with their data in ``directory``. Up prints the addresses as JSON."""
    command = [sys.executable, "-m", "console.stack.services", verb, "--dir", str(directory), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@dataclass
class Program:
    """A process of ours, with its log and the address of its health server."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200. Fails with the log if the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def wait_ready(self, seconds: float = 60) -> Program:
        until(self.ready, f"{self.name} to be ready", seconds, self.tail)
        return self

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels, as the program shows it now."""
        return metric_of(f"{self.url}/metrics", name)

    def tail(self, characters: int = 3000) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self.process.kill()
        self.process.wait(30)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM; the exit code. Fails with the log if it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not end within {seconds:g} s:\n{self.tail()}") from None
        return int(self.process.returncode)


@dataclass
class Deployment:
    """Everything under one topic prefix. ``close`` ends what was started and removes the topics."""

    services: Services
    directory: Path
    prefix: str = field(default_factory=lambda: new_prefix())
    partitions: int = 8
    programs: list[Program] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """For any program of this deployment; ``more`` on top."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFERFLOW_")}
        own = {
            "OFFERFLOW_TOPIC_PREFIX": self.prefix,
            "OFFERFLOW_PARTITIONS": str(self.partitions),
            "OFFERFLOW_STORE__URL": f"sqlite:///{self.directory / 'offerflow-store.db'}",
        }
        return {**kept, **self.services.environment(), **own, **more}

    def command(
        self, *arguments: str | Path, seconds: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``offerflow …``; the caller judges the exit code."""
        return subprocess.run(
            [OFFERFLOW, *map(str, arguments)], cwd=self.directory, env=self.environment(**environment),
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def create_topics(self) -> None:
        """The fixed topics with their first commits."""
        done = self.command("topics", "create")
        assert done.returncode == 0, done.stderr

    def limit(self, topic: str, limit: int) -> None:
        """Set the largest compressed record that a topic takes."""
        entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.prefix + topic, incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.services.kafka})
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(30)

    def apply(self, *workspaces: Path) -> None:
        done = self.command("apply", *workspaces, "--yes")
        assert done.returncode == 0, done.stderr

    def schema_ids(self) -> dict[tuple[str, int], int]:
        """The schema id of each (event type, version) that was applied."""
        return wire.schema_ids(self.read("catalog"))

    def start(self, module: str, name: str, **environment: str) -> Program:
        """``python -m module`` as worker ``name``. Does not wait: ``wait_ready`` does."""
        port = free_port()
        own = {"OFFERFLOW_WORKER": name, "OFFERFLOW_METRICS__PORT": str(port), **environment}
        log = self.directory / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", module], cwd=ROOT, env=self.environment(**own), stdout=file, stderr=file,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        program = Program(name, process, log, f"http://127.0.0.1:{port}")
        self.programs.append(program)
        return program

    def validation(self, number: int = 1, **environment: str) -> Program:
        return self.start("consumers.validation", f"validation-{number}", **environment)

    def rules(self, number: int = 1, **environment: str) -> Program:
        return self.start("consumers.rules", f"rules-{number}", **environment)

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None, Headers]]) -> None:
        """Publish (key, value, headers) to a topic named without its prefix, acknowledged when this returns."""
        publish(self.services.kafka, ((self.prefix + topic, *record) for record in records))

    def read(self, topic: str) -> list[Record]:
        """All records of a topic named without its prefix, read_committed."""
        return topics.read(self.services.kafka, [self.prefix + topic])[self.prefix + topic]

    def ends(self, topic: str) -> int:
        """Sum of the end offsets of a topic: it only grows."""
        return sum(end for _, end in offsets(self.services.kafka, self.prefix + topic, None).values())

    def idle(self, stage: str, *raw: str) -> bool:
        """Whether the stage has committed the end of all its inputs (``raw``: topics without prefix)."""
        group = self.prefix + stage
        places = [offsets(self.services.kafka, self.prefix + topic, group) for topic in raw]
        return all(committed >= end for found in places for committed, end in found.values())

    def wait_idle(self, raw: Iterable[str], seconds: float = 120) -> None:
        """Validation, then rules, at the end of their inputs, and no record between them."""
        inputs = list(raw)

        def look() -> bool:
            before = self.ends("journal")
            done = self.idle("validation", *inputs) and self.idle("rules", "journal")
            return done and before == self.ends("journal")

        until(look, f"both stages of {self.prefix} to be idle", seconds, self._positions)

    def _positions(self) -> object:
        return {
            "journal": offsets(self.services.kafka, self.prefix + "journal", self.prefix + "rules"),
            "logs": {program.name: program.tail(600) for program in self.programs},
        }

    def examine(self, *workspaces: Path, later: Iterable[Path] = (), planned_at: Sequence[int] = ()) -> Examined:
        """What the oracle says of it."""
        return examine(self.services.kafka, self.prefix, workspaces, False, later, planned_at)

    def close(self) -> None:
        for program in self.programs:
            if program.process.poll() is None:
                program.kill()
        remove_topics(self.services.kafka, self.prefix)


def new_prefix() -> str:
    """A topic prefix that nobody else has."""
    return f"t{uuid.uuid4().hex[:10]}."


def remove_topics(bootstrap: str, prefix: str) -> None:
    mine = [name for name in topics.existing(bootstrap) if name.startswith(prefix)]
    if mine:
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for future in admin.delete_topics(mine).values():
            future.result(30)


def publish(bootstrap: str, records: Iterable[tuple[str, bytes | None, bytes | None, Headers]]) -> None:
    """Publish (topic, key, value, headers), idempotent, acknowledged when this returns; order per partition is kept."""
    failed: list[str] = []
    producer = _producer(bootstrap)
    for topic, key, value, headers in records:
        while True:
            try:
                producer.produce(
                    topic, value, key, headers=list(headers),
                    on_delivery=lambda error, _: failed.append(str(error)) if error else None,
                )  # fmt: skip
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(60)
    if failed or left:
        _producer.cache_clear()
    assert not failed, f"{len(failed)} records failed: {failed[:3]}"
    assert not left, f"{left} records were not acknowledged"


@lru_cache(maxsize=1)
def _producer(bootstrap: str) -> Producer:
    """Kept from one call to the next: an idempotent producer takes half a second to be given its id."""
    return Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "partitioner": "murmur2_random",
        "compression.type": "lz4", "linger.ms": 5, "log_level": 2,
        "message.max.bytes": 1_000_000_000, "queue.buffering.max.kbytes": 1_000_000,  # counted before compression
    })  # fmt: skip


def offsets(bootstrap: str, topic: str, group: str | None) -> dict[int, tuple[int, int]]:
    """Per partition (committed offset of ``group`` or -1, read_committed end offset)."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group or "tests", "isolation.level": "read_committed",
        "enable.auto.commit": False,
    })  # fmt: skip
    try:
        partitions = consumer.list_topics(topic, timeout=15).topics[topic].partitions
        places = [TopicPartition(topic, p) for p in partitions]
        committed = dict.fromkeys(partitions, -1)
        if group:
            committed |= {place.partition: place.offset for place in consumer.committed(places, timeout=40)}
        return {
            place.partition: (committed[place.partition], consumer.get_watermark_offsets(place, timeout=15)[1])
            for place in places
        }
    finally:
        consumer.close()


def metric_of(url: str, name: str) -> float:
    """Sum of a metric over its labels; 0 for a program that does not have it."""
    lines = httpx.get(url, timeout=5).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parse(done: subprocess.CompletedProcess[str]) -> Mapping[str, object]:
    """The JSON a command printed; fails with what it said otherwise."""
    assert done.returncode == 0, f"{done.args} exited with {done.returncode}:\n{done.stderr}"
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value
