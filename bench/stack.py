"""A stack of the bench's own, started through the command line, and what its processes cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.job import WORKSPACE

OFFERFLOW = Path(sys.executable).parent / "offerflow"
BROKER_HEAP = "1g"
CLIENT = {"partitioner": "murmur2_random", "compression.type": "lz4", "enable.idempotence": True}


@dataclass
class Stack:
    """Addresses of a running stack, and commands upon it."""

    directory: Path
    told: dict[str, Any] = field(default_factory=dict)
    brokers: int = 1

    def run(self, *arguments: object) -> str:
        own = {**os.environ, "OFFERFLOW_STACK__BROKER_HEAP": BROKER_HEAP if self.brokers == 1 else "384m"}
        done = subprocess.run(
            [OFFERFLOW, *map(str, arguments)], cwd=self.directory, env=own, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"offerflow {arguments[0]} exited with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def up(self, validation: int, rules: int) -> None:
        numbers = ("--validation-workers", validation, "--rules-workers", rules, "--brokers", self.brokers)
        self.told = json.loads(self.run("up", "--detach", "--output", "json", *numbers))

    def processes(self) -> dict[str, psutil.Process]:
        """The running programs by name."""
        programs = json.loads(self.run("status", "--output", "json"))["programs"]
        return {one["name"]: psutil.Process(one["pid"]) for one in programs if one["pid"]}

    def topic(self, name: str) -> str:
        return str(self.told["topic_prefix"]) + name

    def producer(self, **more: Any) -> Producer:
        return Producer({"bootstrap.servers": self.told["kafka"], **CLIENT, **more})


@contextmanager
def running(workers: int = 0, brokers: int = 1) -> Iterator[Stack]:
    """A stack with the bench's workspace applied and ``workers`` of each kind; gone at the end, data and all."""
    with tempfile.TemporaryDirectory(prefix="offerflow-bench-") as directory:
        stack = Stack(Path(directory), brokers=brokers)
        try:
            # Applied with workers, since `apply` returns when they have it in force.
            stack.up(1, 1)
            stack.run("apply", WORKSPACE, "--yes")
            stack.run("wait", "--idle")
            stack.up(workers, workers)
            yield stack
        finally:
            stack.run("down", "--purge", "--yes")


class Positions:
    """Committed offsets and ends of a stage's inputs, asked over one connection."""

    def __init__(self, stack: Stack, stage: str, topics: list[str]) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": stack.told["kafka"], "group.id": stack.topic(stage), "enable.auto.commit": False,
            "isolation.level": "read_committed",
        })  # fmt: skip
        names = [stack.topic(topic) for topic in topics]
        known = self._consumer.list_topics(timeout=10).topics
        self._places = [TopicPartition(name, p) for name in names for p in known[name].partitions]

    def committed(self) -> int:
        return sum(max(place.offset, 0) for place in self._consumer.committed(self._places, timeout=10))

    def ends(self) -> int:
        return sum(self._consumer.get_watermark_offsets(place, timeout=10)[1] for place in self._places)

    def close(self) -> None:
        self._consumer.close()


@dataclass
class Cost:
    """CPU seconds of each process since the meter began, and the largest resident size seen."""

    cpu: dict[str, float]
    rss_mb: dict[str, float]


class Meter:
    """Looks at processes; ``look`` must be called while they work so that peaks are seen."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._processes = processes
        self._began = {name: _cpu(process) for name, process in processes.items()}
        self._peaks = dict.fromkeys(processes, 0.0)
        self.started = time.monotonic()

    def look(self) -> None:
        for name, process in self._processes.items():
            self._peaks[name] = max(self._peaks[name], process.memory_info().rss / 1e6)

    def cost(self) -> Cost:
        self.look()
        cpu = {name: _cpu(process) - self._began[name] for name, process in self._processes.items()}
        return Cost(cpu, dict(self._peaks))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
