"""The history as a process on a real broker: killed, started again, and built again from nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from offerflow.rules.outcomes import Output
from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.settings import Settings, load_settings
from offerflow.runtime.store import outcomes
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import reading, writing
from schemas.announce import Announcer
from tests.consumers.history.said import entered, exited, fulfilled, satisfied, taken_back
from tests.deployment import Deployment, Program
from tests.waiting import until

pytestmark = pytest.mark.broker


class World:
    """A deployment with topics of outputs, and a history of them in a store of its own."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.path = deployment.directory / "store.db"
        self._environment = {"OFFERFLOW_STORE__URL": f"sqlite:///{self.path}"}
        self._settings: Settings = load_settings(
            kafka={"bootstrap_servers": deployment.services.kafka}, topic_prefix=deployment.prefix
        )
        self._announce = Announcer(self._settings)
        self._producer = TransactionalProducer(self._settings, f"{deployment.prefix}test", "test")

    def start(self) -> Program:
        return self._deployment.start("consumers.history", "history", **self._environment).wait_ready()

    def say(self, *outputs: Output) -> None:
        """One transaction, as the rules write it."""
        self._producer.publish([self._announce(output) for output in outputs], {}, None)

    def close(self) -> None:
        self._producer.close()

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        engine = open_store(load_settings(store={"url": f"sqlite:///{self.path}"}))
        try:
            with reading(engine) as connection:
                found = {table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                         for table in (outcomes.entries, outcomes.rewards)}  # fmt: skip
                return found if outcomes.complete(connection) else {}
        finally:
            engine.dispose()

    def tamper(self) -> None:
        """Somebody sets the positions back to the start."""
        engine = open_store(load_settings(store={"url": f"sqlite:///{self.path}"}))
        with writing(engine) as connection:
            connection.execute(update(outcomes.positions).values(next=0))
        engine.dispose()

    def await_states(self, **states: int) -> dict[str, list[dict[str, Any]]]:
        """The tables once they hold so many rewards by state."""

        def look() -> dict[str, list[dict[str, Any]]] | None:
            tables = self.tables()
            found = [row["state"] for row in tables.get("reward", ())]
            return tables if {state: found.count(state) for state in set(found)} == states else None

        return until(look, f"rewards {states}", 60, self.tables)  # type: ignore[return-value]


def comparable(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without the order in which things were read."""
    rows = {name: [{key: row[key] for key in row if key != "seq"} for row in found] for name, found in tables.items()}
    return {name: sorted(found, key=str) for name, found in rows.items()}


def test_a_history_that_is_killed_started_and_emptied(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Nothing is lost or doubled by a SIGKILL, or by positions that others moved; SIGTERM ends it with 0; an emptied
    store gets the same rows again, with numbers beyond those of the one before; what is no output is counted and passed
    by."""
    here = deployment(partitions=2)
    here.create_topics()
    world = World(here)
    history = world.start()
    world.say(*(entered(f"i-{n}", user_id=f"u-{n}") for n in range(20)))
    world.say(*(satisfied(f"w-{n}", user_id=f"u-{n}") for n in range(20)), fulfilled("w-3"))
    world.await_states(satisfied=19, fulfilled=1)
    world.tamper()
    world.say(satisfied("w-20"))
    world.await_states(satisfied=20, fulfilled=1)
    assert "claiming again" in history.tail()
    history.kill()
    here.produce("reward-satisfied", [(b"u-1", b"no output", ())])
    world.say(*(exited(f"i-{n}", user_id=f"u-{n}") for n in range(10)), taken_back("w-3"), taken_back("w-4", "expired"))
    history = world.start()
    before = world.await_states(satisfied=19, reversed=1, expired=1)
    assert sum(row["exit_reason"] == "completed" for row in before["entry"]) == 10
    assert history.metric("offerflow_unreadable_outputs_total") == 1
    assert history.stop() == 0
    world.say(satisfied("w-99"))
    for file in here.directory.glob("store.db*"):
        file.unlink()
    history = world.start()
    after = world.await_states(satisfied=20, reversed=1, expired=1)
    assert comparable(before)["entry"] == comparable(after)["entry"]
    rebuilt = [row for row in comparable(after)["reward"] if row["id"] != "w-99"]
    assert comparable(before)["reward"] == rebuilt
    assert min(row["seq"] for row in after["reward"]) > max(row["seq"] for row in before["reward"])
    assert history.stop() == 0
    world.close()
