"""``offerflow doctor`` on a real deployment: well, and with one thing after another wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from console.cli.main import main
from console.stack.files import StackFiles
from offerflow.runtime.keys import new_key
from offerflow.runtime.settings import Settings, StoreSettings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import writing
from offerflow.runtime.webhooks import endpoints
from tests.deployment import Deployment, Services
from tests.end_to_end.coffee import WORKSPACE
from tests.redis_server import redis_server

MACHINE = {"open-files", "libraries", "python", "store-disk", "redis-memory"}
"""What depends on where the tests run."""
Examined = dict[str, dict[str, Any]]


def _examined(made: Deployment, code: int) -> Examined:
    done = made.command("doctor", "--output", "json", OFFERFLOW_LOCAL__SERVER_KEY=new_key())
    assert done.returncode == code, done.stdout + done.stderr
    checks = {one["id"]: one for one in json.loads(done.stdout)["checks"]}
    assert sum(json.loads(done.stdout)["counts"].values()) == len(checks)
    return checks


def _wrong(found: Examined) -> dict[str, str]:
    return {name: one["verdict"] for name, one in found.items() if one["verdict"] != "ok" and name not in MACHINE}


def _alter(made: Deployment, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, made.prefix + topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": made.services.kafka})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)


def _move(made: Deployment, offset: int) -> None:
    """What a person with an admin tool does while nobody is in the group."""
    consumer = Consumer({"bootstrap.servers": made.services.kafka, "group.id": made.prefix + "rules"})
    try:
        consumer.commit(offsets=[TopicPartition(made.prefix + "journal", 0, offset)], asynchronous=False)
    finally:
        consumer.close()


@pytest.mark.broker
def test_a_deployment_is_well_until_it_is_not(stack: Services, tmp_path: Path) -> None:
    """One broker is the only thing to say of a stack of one; then each thing that is broken turns its own check, and
    no other."""
    with redis_server(tmp_path) as own:
        made = Deployment(Services(stack.kafka, own.url), tmp_path)
        try:
            _well_then_broken(made, own.client)
        finally:
            made.close()


def _well_then_broken(made: Deployment, client: Callable[[], Any]) -> None:
    made.create_topics()
    made.apply(WORKSPACE)
    engine = open_store(Settings(store=StoreSettings(url=f"sqlite:///{made.directory / 'offerflow-store.db'}")))
    with client() as redis:
        redis.config_set("appendonly", "yes")
    workers = [made.validation(), made.rules()]
    made.produce("raw.sdk", [(b"u", b"{", [])])
    for worker in workers:
        worker.wait_ready()
    made.wait_idle(["raw.sdk"])
    found = _examined(made, 0)
    assert _wrong(found) == {"kafka-brokers": "warn"}
    assert found["kafka-brokers"]["found"].startswith("1 broker:")
    assert found["dead-letters-unhandled"]["found"].startswith("1, the oldest ")

    assert workers[1].stop() == 0
    _move(made, 0)
    _alter(made, "journal", "retention.ms", "3600000")
    made.limit("raw.sdk", 1_000_000)
    with client() as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("appendfsync", "no")
    with writing(engine) as connection:
        endpoints.add(connection, "crm", "https://crm.example", ["reward.satisfied"], 1)
        endpoints.disable(connection, "crm", "it failed for 5 days")
    engine.dispose()
    found = _examined(made, 1)
    assert _wrong(found) == {
        "kafka-brokers": "warn", "rules-claims": "bad", "rules-members": "bad", "topics-retention": "bad",
        "topics-record-limit": "warn", "redis-eviction": "bad", "redis-append-only": "warn",
        "webhooks-endpoints": "bad", "journal-covers-copy": "warn",
    }  # fmt: skip
    assert "docs/runbook.md#offset_foreign" in found["rules-claims"]["do"]
    assert f"{made.prefix}journal: 60 min, expected 400 d" in found["topics-retention"]["found"]


@pytest.mark.broker
def test_before_topics_are_made_that_is_said(deployment: Callable[..., Deployment]) -> None:
    """What cannot be looked at without them is unknown, soon, and the command to make them is named."""
    found = _examined(deployment(), 1)
    assert (found["topics-present"]["verdict"], found["topics-present"]["do"]) == ("bad", "offerflow topics create")
    assert found["validation-claims"]["verdict"] == "unknown"
    assert "run `offerflow topics create`" in found["validation-claims"]["found"]
    assert found["store-reachable"]["verdict"] == "warn"


def test_no_service_is_exit_69(tmp_path: Path) -> None:
    """Everything else is unknown, and nothing was made: no file for the store either."""
    environment = {
        "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "OFFERFLOW_REDIS__URL": "redis://127.0.0.1:1/0",
        "OFFERFLOW_STORE__URL": f"sqlite:///{tmp_path / 'none.db'}",
    }  # fmt: skip
    done = CliRunner(env=environment).invoke(main, ["doctor", "--dir", str(tmp_path)])
    assert done.exit_code == 69, done.output
    assert "  bad      kafka-reachable" in done.stdout
    assert "  bad      redis-reachable" in done.stdout
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["doctor", "status"])
def test_where_only_the_demo_runs_its_stack_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a stack of its own below the directory, which nobody guesses."""
    monkeypatch.delenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    demo = StackFiles.find(StackFiles.find(tmp_path).demo)
    demo.make()
    with demo.lock(to_supervise=True):
        done = CliRunner().invoke(main, [command, "--dir", str(tmp_path)])
    assert done.exit_code == 69
    assert f"no stack is running in {tmp_path}" in done.output
    assert f"--dir {tmp_path / '.offerflow' / 'demo'}" in done.output
