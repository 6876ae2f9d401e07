"""One real stack through its life: up, death and restart of each part, workers joining and leaving, down.

The tests share the stack and each leaves it running, so any of them can run alone.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from offerflow.runtime.keys import check_key
from tests.console.stack.stacks import Stack
from tests.deployment import OFFERFLOW
from tests.waiting import until

pytestmark = pytest.mark.broker
ALL = {"kafka", "valkey", "validation-1", "rules-1", "history", "webhooks", "ingest", "console"}


@pytest.fixture(scope="module")
def stack(make_stack: Callable[[str], Stack]) -> Stack:
    return make_stack("stack")


@pytest.fixture
def told(stack: Stack) -> dict[str, Any]:
    """What ``up`` says of the stack, with one worker of each kind."""
    return stack.up("--validation-workers", 1, "--rules-workers", 1)


def test_up_tells_where_everything_is(stack: Stack, told: dict[str, Any]) -> None:
    """One JSON object with the agreed keys; every address in it answers, and the key is a whole one."""
    assert list(told) == [
        "kafka", "redis", "ingest", "console", "registry", "metrics", "topic_prefix", "api_key", "logs",
    ]  # fmt: skip
    assert re.fullmatch(r"127\.0\.0\.1:\d+", told["kafka"])
    assert re.fullmatch(r"redis://127\.0\.0\.1:\d+/0", told["redis"])
    assert told["topic_prefix"] == "offerflow."
    assert told["registry"] == told["console"] + "/registry"
    assert check_key(told["api_key"])
    assert told["api_key"].startswith("sk_")
    assert len(told["metrics"]) == 6
    assert all("offerflow_" in httpx.get(url).text for url in told["metrics"])
    assert httpx.get(told["ingest"]).status_code < 500
    assert httpx.get(told["console"]).json()["registry"] == told["registry"]
    assert httpx.get(told["registry"] + "/schemas/types").json() == ["AVRO"]
    assert {path.stem for path in Path(told["logs"]).glob("*.log")} >= ALL | {"supervisor"}


def test_up_again_changes_nothing(stack: Stack, told: dict[str, Any]) -> None:
    """The same answer and the same processes, however often it is run."""
    before = stack.pids()
    assert set(before) == ALL
    assert stack.up() == told
    assert stack.pids() == before


def test_no_log_has_the_key(stack: Stack, told: dict[str, Any]) -> None:
    """Where stdout is no terminal the table of ``up`` is without it, unless it is asked for; every program's metrics
    are there by name."""
    kept = stack.run("up", "--detach")
    assert kept.returncode == 0, kept.stderr
    assert told["api_key"] not in kept.stdout + kept.stderr
    assert "metrics of rules-1" in kept.stdout
    assert f"api_key                  {told['api_key']}\n" in stack.run("up", "--detach", "--show-key").stdout


def test_programs_are_detached_from_the_caller(stack: Stack, told: dict[str, Any]) -> None:
    """Each leads a session of its own and has no descriptor of a terminal or of a pipe to whoever ran ``up``."""
    for process in [stack.supervisor(), *stack.processes()]:
        assert os.getsid(process.pid) == process.pid
        fds = Path(f"/proc/{process.pid}/fd")
        if fds.is_dir():
            standard = [str((fds / number).readlink()) for number in "012"]
            assert standard[0] == "/dev/null"
            assert all(target.startswith(told["logs"]) for target in standard[1:])


def test_a_killed_worker_is_replaced_and_nothing_else_is_touched(stack: Stack, told: dict[str, Any]) -> None:
    """kill -9 of a worker: another pid under its name, one restart counted, the others as they were."""
    before = stack.programs()
    stack.kill("rules-1")
    after = stack.programs()
    assert after["rules-1"]["restarts"] == before["rules-1"]["restarts"] + 1
    assert {n: p["pid"] for n, p in after.items() if n != "rules-1"} == {
        n: p["pid"] for n, p in before.items() if n != "rules-1"
    }
    assert stack.up() == told


def test_workers_join_and_leave(stack: Stack, told: dict[str, Any]) -> None:
    """More workers join, fewer leave, none at all is possible; who stays is not restarted."""
    first = stack.pids()
    more = stack.up("--validation-workers", 2, "--rules-workers", 3)
    assert len(more["metrics"]) == 9
    second = stack.pids()
    assert set(second) == ALL | {"validation-2", "rules-2", "rules-3"}
    assert {name: second[name] for name in ALL} == first
    stack.up("--rules-workers", 0)
    third = stack.pids()
    assert set(third) == ALL - {"rules-1"} | {"validation-2"}
    assert third["validation-2"] == second["validation-2"]
    assert stack.up("--validation-workers", 1, "--rules-workers", 1)["kafka"] == told["kafka"]
    last = stack.programs()
    assert set(last) == ALL
    assert last["rules-1"]["pid"] != first["rules-1"]
    assert all(program["ready"] for program in last.values())


def test_a_killed_broker_comes_back_at_its_address(stack: Stack, told: dict[str, Any]) -> None:
    """Kafka and Valkey are restarted where they were, and the programs find them again."""
    stack.kill("valkey")
    stack.kill("kafka")
    assert stack.run("wait").returncode == 0
    assert stack.up() == told


def test_a_killed_supervisor_leaves_nothing_in_the_way(stack: Stack, told: dict[str, Any]) -> None:
    """Without its supervisor the stack counts as not running; ``up`` ends what it left and starts anew, same key."""
    left = stack.processes()
    supervisor = stack.supervisor()
    supervisor.kill()
    until(lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE, "its death")
    done = stack.run("status")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == f"error: no stack is running in {stack.directory}; start it with `offerflow up --detach`\n"
    assert stack.up() == told
    assert not any(process.is_running() for process in left)


def test_wait_idle_returns_when_there_is_nothing_to_do(stack: Stack, told: dict[str, Any]) -> None:
    """An empty stack is idle at once, and says so without a word on stdout."""
    done = stack.run("wait", "--idle", "--timeout", "1m")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    behind = json.loads(stack.run("status", "--output", "json").stdout)["lag"]
    assert behind == {"validation": 0, "rules": 0, "history": 0, "webhooks": 0}


def test_the_foreground_shows_the_stack_and_an_interrupt_stops_it(stack: Stack, told: dict[str, Any]) -> None:
    """``up`` without --detach joins the running stack; SIGINT, as Ctrl-C sends it, stops everything."""
    process = subprocess.Popen(
        [OFFERFLOW, "up", "--output", "json", "--dir", str(stack.directory)],
        env=stack.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert '"kafka"' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert said.endswith("stopping\n")
    assert stack.processes() == []


def test_down_stops_everything_and_keeps_the_data(stack: Stack, told: dict[str, Any]) -> None:
    """No process of the stack is left; the next ``up`` has the same key and addresses, --purge forgets them."""
    done = stack.run("down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "stopped\n")
    assert stack.processes() == []
    assert not stack.files.supervised()
    assert stack.run("status").returncode == 69
    assert stack.up() == told
    asked = stack.run("down", "--purge")
    assert asked.returncode == 2  # nobody there to answer
    assert stack.files.supervised()
    assert stack.run("down", "--purge", "--yes").returncode == 0
    assert not stack.files.root.exists()
    assert stack.run("down").returncode == 0
