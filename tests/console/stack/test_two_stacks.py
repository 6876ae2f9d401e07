"""Several stacks at once, services of one's own, and stacks that do not come up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from redis import Redis

from tests.console.stack.stacks import Stack

pytestmark = pytest.mark.broker
OWN = ("kafka", "redis", "api_key", "logs")


def services(stack: Stack, verb: str) -> subprocess.CompletedProcess[str]:
    """Kafka and Valkey without our programs."""
    return subprocess.run(
        [sys.executable, "-m", "console.stack.services", verb, "--dir", str(stack.directory)],
        env=stack.environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_two_stacks_run_side_by_side(make_stack: Callable[[str], Stack]) -> None:
    """Started at the same moment they share no port, no key and no data; one going down leaves the other alone."""
    one, two = make_stack("one"), make_stack("two")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "console.stack.services", "up", "--dir", str(stack.directory)],
            env=stack.environment(), stdout=subprocess.PIPE, text=True,
        )
        for stack in (one, two)
    ]  # fmt: skip
    first, second = (json.loads(process.communicate(timeout=240)[0]) for process in started)
    assert not {first[name] for name in OWN} & {second[name] for name in OWN}
    with Redis.from_url(first["redis"]) as redis:
        redis.set("whose", "one")
    with Redis.from_url(second["redis"]) as redis:
        assert redis.get("whose") is None
    assert services(one, "down").returncode == 0
    assert one.processes() == []
    assert {process.status() for process in two.processes()} <= {"running", "sleeping"}
    assert len(two.processes()) == 2
    with Redis.from_url(second["redis"]) as redis:
        assert redis.ping()
        config = {**redis.config_get("maxmemory-policy"), **redis.config_get("append*")}  # type: ignore[dict-item]
    assert (config["maxmemory-policy"], config["appendonly"], config["appendfsync"]) == (
        "noeviction",
        "yes",
        "everysec",
    )
    assert json.loads(services(one, "up").stdout) == first
    with Redis.from_url(first["redis"]) as redis:
        assert redis.get("whose") == b"one"
    for stack in (one, two):
        assert services(stack, "down").returncode == 0


def test_services_of_ones_own_are_used_instead(make_stack: Callable[[str], Stack]) -> None:
    """With both addresses in the environment no broker and no Valkey is started, and theirs are told; so is the
    registry that is named."""
    theirs, mine = make_stack("theirs"), make_stack("mine")
    told = json.loads(services(theirs, "up").stdout)
    named = {"OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": told["kafka"], "OFFERFLOW_REDIS__URL": told["redis"],
             "OFFERFLOW_REGISTRY__URL": "http://127.0.0.1:1"}  # fmt: skip
    answer = mine.up(**named, OFFERFLOW_TOPIC_PREFIX="mine.")
    assert (answer["kafka"], answer["redis"], answer["topic_prefix"]) == (told["kafka"], told["redis"], "mine.")
    assert answer["registry"] == "http://127.0.0.1:1"
    assert set(mine.programs()) == {"validation-1", "rules-1", "history", "webhooks", "ingest", "console"}
    assert mine.run("down").returncode == 0
    assert len(theirs.processes()) == 2
    assert services(theirs, "down").returncode == 0


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"OFFERFLOW_REDIS__URL": "redis://:secret@127.0.0.1:1/0"}, "Redis at redis://127.0.0.1:1/0 does not answer"),
        ({"OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "Kafka at 127.0.0.1:1 does not answer"),
    ],
)
def test_a_service_of_ones_own_that_is_away_is_told(
    named: dict[str, str], says: str, make_stack: Callable[[str], Stack]
) -> None:
    """One line that names the service and its address but no password, exit 69, and nothing is left running."""
    stack = make_stack("away")
    done = stack.run("up", "--detach", **named)
    assert done.returncode == 69
    error = done.stderr[done.stderr.index("error:") :]
    assert error.startswith(f"error: {says}")
    assert error.count("\n") == 1
    assert "secret" not in done.stderr
    assert stack.processes() == []


def test_a_broker_that_does_not_come_up_shows_its_log(make_stack: Callable[[str], Stack]) -> None:
    """Damaged data: the error names Kafka's log file and shows why it ended; nothing is left running."""
    stack = make_stack("damaged")
    data = stack.files.broker("kafka") / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=a\nnode.id=7\n")
    done = stack.run("up", "--detach")
    assert done.returncode == 1
    assert f"error: kafka does not come up; see {stack.files.log('kafka')}:\n" in done.stderr
    assert "node.id" in done.stderr or "node id" in done.stderr.lower()
    assert stack.processes() == []
