"""How long a death is felt: one program killed under steady load, and when everything sent is decided in time again.

A moment is on time when all that was sent up to a second before it is committed by the stage, in every partition.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.job import TOPIC, events
from bench.stack import Stack, running

PEERS_S = 45
"""Kafka Streams, Flink's and Spark's Kafka sources on their defaults: the broker misses a dead member after 45 s
(`session.timeout.ms`), and until then nobody reads its partitions."""
ON_TIME_S = 1.0
SETTLED_S = 5.0
"""On time for so long before the next kill."""
LOOK_S = 0.1
PATIENCE_S = 180.0
STAGES = {"rules": "journal", "validation": TOPIC}
"""And what each reads of the load."""


def recovery(kills: int, rate: int, workers: int, brokers: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds from SIGKILL to full rate, for workers of both stages in turn, and for brokers if there are several.
    ``say`` is told of each."""
    found: dict[str, list[float]] = {}
    with running(workers, brokers) as stack, sending(stack, rate) as sent:
        watch = Watch(stack)
        watch.until_settled()
        for stage in islice(cycle(STAGES), kills):
            found.setdefault(stage, []).append(watch.kill(watch.busiest(stage)))
            say(f"a worker of {stage}: {found[stage][-1]:.1f} s")
        for number in range(1, brokers + 1) if brokers > 1 else ():
            found.setdefault("broker", []).append(watch.kill(f"kafka-{number}"))
            say(f"broker {number}: {found['broker'][-1]:.1f} s")
        watch.close()
        total = sent()
    workers_all = [one for kind, each in found.items() if kind != "broker" for one in each]
    return {
        "workers_of_each_stage": workers,
        "brokers": brokers,
        "events_per_second": rate,
        "events": total,
        **{f"seconds_to_full_rate_{kind}": [round(one, 1) for one in each] for kind, each in found.items()},
        "median_of_workers": round(statistics.median(workers_all), 1),
        "worst_of_workers": round(max(workers_all), 1),
        "peers_seconds_before_anybody_takes_over": PEERS_S,
        "load_average": round(os.getloadavg()[1], 1),
    }


@contextmanager
def sending(stack: Stack, rate: int) -> Iterator[Any]:
    """A steady load while the block runs. Yields what tells how many records were sent."""
    stop, count = threading.Event(), [0]

    def send() -> None:
        producer, topic = stack.producer(**{"linger.ms": 5, "message.timeout.ms": 120_000}), stack.topic(TOPIC)
        started = time.monotonic()
        for n, (key, value) in enumerate(events(10**9)):
            ahead = started + n / rate - time.monotonic()
            if ahead > 0 and stop.wait(ahead):
                break
            producer.produce(topic, value, key)
            producer.poll(0)
            count[0] = n + 1
        producer.flush(60)

    thread = threading.Thread(target=send, name="load")
    thread.start()
    try:
        yield lambda: count[0]
    finally:
        stop.set()
        thread.join()


@dataclass
class Seen:
    """Where a partition ended, moment by moment, as far as that is not yet known to be committed."""

    ends: deque[tuple[float, int]] = field(default_factory=deque)
    end: int = 0

    def late(self, now: float, end: int, committed: int) -> float:
        """Seconds since the oldest moment whose end is not committed."""
        if end > self.end:
            self.ends.append((now, end))
            self.end = end
        while self.ends and self.ends[0][1] <= committed:
            self.ends.popleft()
        return now - self.ends[0][0] if self.ends else 0.0

    def blind(self, now: float) -> float:
        """The same while nobody answers: more was sent, or is waiting to be."""
        return self.late(now, self.end if self.ends else self.end + 1, -1)


class Watch:
    """Looks at both stages many times a second."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._admin = AdminClient({"bootstrap.servers": stack.told["kafka"], "log_level": 0})
        self._stages = {stage: _Stage(stack, stage, topic) for stage, topic in STAGES.items()}

    def late(self) -> float:
        """How late the latest partition of either stage is."""
        now = time.monotonic()
        return max(stage.late(now) for stage in self._stages.values())

    def until_settled(self) -> None:
        since = began = time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            if self.late() > ON_TIME_S:
                since = time.monotonic()
            if since - began > PATIENCE_S:
                raise SystemExit(f"the load is never on time: {self._stack.run('status')}")
            time.sleep(LOOK_S)

    def busiest(self, stage: str) -> str:
        """The worker that has most partitions of what the load goes through."""
        [future] = self._admin.describe_consumer_groups([self._stack.topic(stage)]).values()
        wanted = self._stack.topic(STAGES[stage])
        held = {
            member.client_id: sum(place.topic == wanted for place in member.assignment.topic_partitions)
            for member in future.result(10).members
        }
        return max(held, key=lambda worker: held[worker])

    def kill(self, name: str) -> float:
        """SIGKILL a program; seconds until all is on time again and stays so."""
        state = json.loads((self._stack.directory / ".offerflow" / "state.json").read_text())
        pid = next(program["pid"] for program in state["programs"] if program["name"] == name)
        killed = last_late = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while time.monotonic() - max(last_late, killed + 2) < SETTLED_S:
            if self.late() > ON_TIME_S:
                last_late = time.monotonic()
            if last_late - killed > PATIENCE_S:
                raise SystemExit(f"{name} was killed and the load is not on time again: {self._stack.run('status')}")
            time.sleep(LOOK_S)
        return last_late - killed

    def close(self) -> None:
        for stage in self._stages.values():
            stage.close()


class _Stage:
    def __init__(self, stack: Stack, stage: str, topic: str) -> None:
        # Not stable offsets: a transaction that the dead one left open must not hide how far the others are.
        self._config = {
            "bootstrap.servers": stack.told["kafka"], "group.id": stack.topic(stage), "enable.auto.commit": False,
            "isolation.level": "read_uncommitted", "log_level": 0, "reconnect.backoff.max.ms": 1000,
        }  # fmt: skip
        self._consumer = Consumer(self._config)
        name = stack.topic(topic)
        partitions = self._consumer.list_topics(name, timeout=10).topics[name].partitions
        self._places = [TopicPartition(name, partition) for partition in partitions]
        self._seen = {partition: Seen() for partition in partitions}

    def late(self, now: float) -> float:
        try:
            committed = self._consumer.committed(self._places, timeout=2)
            ends = {place.partition: self._end(place) for place in self._places}
        except KafkaException:  # a broker was killed
            # A client that knew it was seen to wait for that very one for a minute and more, while others had answers.
            self._consumer.close()
            self._consumer = Consumer(self._config)
            return max(seen.blind(now) for seen in self._seen.values())
        return max(self._seen[tp.partition].late(now, ends[tp.partition], tp.offset) for tp in committed)

    def _end(self, place: TopicPartition) -> int:
        """Without what is no record: after the last one, markers follow that the stage passes only when idle."""
        return int(self._consumer.get_watermark_offsets(place, timeout=2)[1]) - 1

    def close(self) -> None:
        self._consumer.close()
