"""The worker as a process on a real broker, with a real receiver, driven by the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import reading
from offerflow.runtime.store.webhooks import DELIVERED, deliveries
from schemas.announce import Announcer
from tests.consumers.history.said import entered, satisfied, taken_back
from tests.deployment import OFFERFLOW, Deployment
from tests.receiver import Receiver, answer, serving
from tests.waiting import until

pytestmark = pytest.mark.broker


def test_rewards_arrive_signed_though_the_worker_is_killed(deployment: Callable[..., Deployment]) -> None:
    """Announced rewards reach the receiver and verify; a SIGKILL loses none, and what comes twice has the same id; what
    was never committed does not come; commands tell and change what the worker does; SIGTERM ends it with 0."""
    here = deployment(partitions=2)
    here.create_topics()
    environment = {
        "OFFERFLOW_STORE__URL": f"sqlite:///{here.directory / 'store.db'}",
        "OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS": "127.0.0.0/8", "OFFERFLOW_WEBHOOKS__ALLOW_HTTP": "true",
    }  # fmt: skip
    settings = load_settings(kafka={"bootstrap_servers": here.services.kafka}, topic_prefix=here.prefix)
    announce = Announcer(settings)
    producer = TransactionalProducer(settings, f"{here.prefix}test", "test")

    store = open_store(load_settings(store={"url": environment["OFFERFLOW_STORE__URL"]}))

    def cli(*arguments: object) -> Any:
        command = [OFFERFLOW, "webhooks", *map(str, arguments), "--output", "json"]
        done = subprocess.run(
            command,
            cwd=here.directory,
            env=here.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with serving(Receiver()) as receiver:
        secret = cli("add", "crm", receiver.url, "--event", "reward.satisfied", "--event", "reward.reversed")["secret"]
        assert cli("test", "crm")["outcome"] == "delivered"
        assert receiver.got.pop().verify(secret)["type"] == "offerflow.test"
        worker = here.start("consumers.webhooks", "webhooks", **environment).wait_ready()
        producer.publish([announce(one) for one in (entered(), satisfied("w-1"), taken_back("w-1"))], {}, None)
        until(lambda: len(receiver.got) == 2, "the first messages", 30, worker.tail)

        receiver.behave = answer(500)
        producer.publish([announce(satisfied(f"w-{n}")) for n in range(2, 7)], {}, None)
        until(lambda: len(receiver.got) > 4, "failures", 30, worker.tail)
        worker.kill()
        producer.publish([announce(satisfied(f"w-{n}")) for n in range(7, 12)], {}, None)
        receiver.behave = answer(200)
        cli("resume", "crm")
        worker = here.start("consumers.webhooks", "webhooks", **environment).wait_ready()
        wanted = {f"w-{n}" for n in range(1, 12)}

        def delivered() -> set[str]:
            with reading(store) as connection:
                done = select(deliveries.c.message_id).where(deliveries.c.state == DELIVERED)
                return set(connection.scalars(done))

        until(lambda: wanted <= delivered(), "all rewards", 60, lambda: (worker.tail(), cli("show", "crm")))
        assert {got.json["type"] for got in receiver.got} == {"reward.satisfied", "reward.reversed"}
        assert {got.id for got in receiver.got if got.verify(secret)["type"] == "reward.satisfied"} == wanted
        (shown,) = cli("list")
        assert (shown["waiting"], shown["parked"], shown["breaker"]) == (0, 0, "closed")
        assert worker.metric("offerflow_webhook_deliveries_total") >= 5

        before = len(receiver.got)
        cli("replay", "crm", "w-1", "--yes")
        until(lambda: len(receiver.got) > before, "the replay", 30, worker.tail)
        assert receiver.got[-1].id == "w-1"
        assert worker.stop() == 0
    producer.close()
    store.dispose()
