"""The index of what arrived, by the program on a real broker behind real validation: killed, and built again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from offerflow.runtime.store.events import event_counts, events, events_complete
from offerflow.runtime.store.transactions import reading
from tests.consumers.history.said import opened
from tests.deployment import OFFERFLOW, Deployment
from tests.waiting import until

pytestmark = pytest.mark.broker

SCHEMA = {
    "type": "record", "namespace": "events", "name": "TeaBrewed", "event": ["Tea Brewed", "Brewed"],
    "fields": [{"name": "meta", "type": "events.Meta"}, {"name": "cups", "type": "int"}],
}  # fmt: skip
SOURCES = '- {id: kitchen, origin: backend, topics: ["raw.backend"]}\n'


class World:
    """A deployment with a plan of one event, validation, and a history in a store of its own."""

    def __init__(self, here: Deployment) -> None:
        self._here = here
        self.url = f"sqlite:///{here.directory / 'store.db'}"
        workspace = here.directory / "workspace"
        workspace.mkdir()
        (workspace / "brewed.avsc").write_text(json.dumps(SCHEMA))
        (workspace / "sources.yaml").write_text(SOURCES)
        here.create_topics()
        here.apply(workspace)
        here.validation()
        self.engine: Engine = opened(self.url)

    def send(self, numbers: Iterable[int]) -> None:
        """An event each, by a user of its own; every third is broken."""
        records = []
        for number in numbers:
            said = {"event": "Brewed", "event_id": f"e-{number}", "user_id": f"u-{number}", "time": 1000 + number,
                    "properties": {"cups": number if number % 3 else "many"}}  # fmt: skip
            records.append((f"u-{number}".encode(), json.dumps(said).encode(), ()))
        self._here.produce("raw.backend", records)

    def rows(self) -> list[dict[str, Any]]:
        with reading(self.engine) as connection:
            return [dict(row) for row in connection.execute(select(events)).mappings()]

    def await_rows(self, number: int) -> list[dict[str, Any]]:
        def look() -> list[dict[str, Any]] | None:
            with reading(self.engine) as connection:
                if not events_complete(connection):
                    return None
            rows = self.rows()
            return rows if len(rows) >= number else None

        return until(look, f"{number} rows", 60, lambda: [program.tail(900) for program in self._here.programs])  # type: ignore[return-value]

    def counted(self) -> int:
        with reading(self.engine) as connection:
            return sum(connection.scalars(select(event_counts.c["count"])))

    def cli(self, *arguments: str) -> Any:
        done = subprocess.run(
            [OFFERFLOW, "history", *arguments, "--output", "json"], cwd=self._here.directory, check=False,
            env=self._here.environment(OFFERFLOW_STORE__URL=self.url), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0 or (arguments == ("show",) and done.returncode == 1), done.stderr
        return json.loads(done.stdout)


def place(row: dict[str, Any]) -> dict[str, Any]:
    """Without the segment, which is of the way it came in."""
    return {name: value for name, value in row.items() if name != "segment"}


def test_an_index_that_is_killed_and_built_again(deployment: Callable[..., Deployment]) -> None:
    """Each event is there once, with its verdict, though the program is killed; SIGTERM ends it with 0. The command
    shows how far it is, changes nothing unless told to, and an emptied index is filled with the same rows again by the
    program that runs."""
    here = deployment(partitions=2)
    world = World(here)
    world.send(range(30))
    history = here.start("consumers.history", "history", OFFERFLOW_STORE__URL=world.url).wait_ready()
    world.await_rows(30)
    history.kill()
    world.send(range(30, 60))
    history = here.start("consumers.history", "history", OFFERFLOW_STORE__URL=world.url).wait_ready()
    rows = world.await_rows(60)
    assert sorted(row["event_id"] for row in rows) == sorted(f"e-{number}" for number in range(60))
    assert {row["event_id"]: row["user_id"] for row in rows} == {f"e-{n}": f"u-{n}" for n in range(60)}
    verdicts = {row["event_id"]: (row["event"], row["reason"], row["time"]) for row in rows}
    assert verdicts["e-1"] == ("Tea Brewed", None, 1001)
    assert verdicts["e-3"] == ("Brewed", "schema_violation", 1003)
    assert sum(row["dead"] for row in rows) == 20
    assert world.counted() == 60

    whole = {"events": (60, 0, True), "outputs": (0, 0, True)}

    def shown() -> dict[str, tuple[int, int, bool]]:
        return {part: (one["rows"], one["behind"], one["complete"]) for part, one in world.cli("show").items()}

    until(lambda: shown() == whole, "both parts to be complete", state=shown)
    assert world.cli("rebuild", "events")["emptied"] is False
    assert len(world.rows()) == 60
    assert world.cli("rebuild", "events", "--yes")["rows"] == 60
    again = world.await_rows(60)
    assert sorted(map(place, again), key=str) == sorted(map(place, rows), key=str)
    assert world.counted() == 60
    assert "claiming again" in history.tail(20_000)
    assert history.stop() == 0
    world.engine.dispose()
