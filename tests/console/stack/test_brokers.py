"""Three real brokers: everything has three copies, and one may die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.console.stack.stacks import Stack
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def services(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console.stack.services", *arguments, "--dir", str(stack.directory)],
        env=stack.environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_one_of_three_may_die(make_stack: Callable[[str], Stack]) -> None:
    """Topics and bookkeeping have three copies; while one broker is dead a write that all must have goes through, and
    the broker comes back where it was. Another number is refused, and `down` leaves nothing."""
    stack = make_stack("three")
    done = services(stack, "up", "--brokers", "3", "--proxied")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["kafka"].split(",")) == len(told["proxied"]) == 3
    admin = AdminClient({"bootstrap.servers": told["kafka"], "log_level": 0})

    def in_sync() -> bool:
        """Whether every partition has all of its three copies."""
        there = admin.list_topics(timeout=10)
        partitions = [one for topic in there.topics.values() for one in topic.partitions.values()]
        assert {len(one.replicas) for one in partitions} == {3}
        assert {"offerflow.journal", "__consumer_offsets", "__transaction_state"} <= set(there.topics)
        return len(there.brokers) == 3 and all(len(one.isrs) == 3 for one in partitions)

    until(in_sync, "every copy to be there", 60)
    programs = stack.programs()
    assert set(programs) == {"valkey", "kafka-1", "kafka-2", "kafka-3"}
    os.kill(programs["kafka-2"]["pid"], signal.SIGKILL)
    producer = Producer({"bootstrap.servers": told["kafka"], "acks": "all", "log_level": 0})
    for partition in range(8):
        producer.produce("offerflow.raw.sdk", b"{}", partition=partition)
    assert producer.flush(60) == 0
    until(in_sync, "the dead one to come back", 90)
    after = stack.programs()
    assert {name: one["restarts"] for name, one in after.items()} == {
        "valkey": 0, "kafka-1": 0, "kafka-2": 1, "kafka-3": 0,
    }  # fmt: skip
    assert all(one["ready"] for one in after.values())
    refused = services(stack, "up", "--brokers", "1")
    assert (refused.returncode, "has 3 brokers" in refused.stderr) == (78, True)
    assert json.loads(services(stack, "up").stdout) == told
    assert services(stack, "down").returncode == 0
    assert stack.processes() == []
