"""The edge looks at Kafka and the catalog for as long as it runs, and says what it found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from offerflow.runtime.errors import Disturbed, KafkaDown
from offerflow.runtime.health import Health
from producers.ingest.readiness import Readiness


def watch(readiness: Readiness, until: Callable[[], bool]) -> None:
    """Run the watch until something holds."""

    async def run() -> None:
        task = asyncio.create_task(readiness.watch())
        async with asyncio.timeout(20):
            while not until() and not task.done():
                await asyncio.sleep(0.005)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_it_waits_for_kafka_and_gets_ready_by_itself() -> None:
    """Not ready with the reason while Kafka is away, ready once it answers, without being told."""
    health = Health()
    seen: list[tuple[int, object]] = []
    answers = iter([KafkaDown("no broker"), KafkaDown("no topics"), None])

    def check() -> None:
        seen.append((health.readiness()[0], health.readiness()[1].get("why")))
        error = next(answers, None)
        if error is not None:
            raise error

    readiness = Readiness(check, lambda: None, health)
    watch(readiness, lambda: readiness.why is None)
    assert seen[:3] == [(503, "starting"), (503, "no broker"), (503, "no topics")]
    assert health.readiness()[0] == 200


def test_an_unread_catalog_keeps_it_from_being_ready() -> None:
    """Keys it has not read would be refused, so it waits."""
    health = Health()
    seen: list[tuple[int, object]] = []
    failures = iter([KafkaDown("no catalog")])

    def follow() -> None:
        seen.append((health.readiness()[0], health.readiness()[1].get("why")))
        for error in failures:
            raise error

    readiness = Readiness(lambda: None, follow, health)
    watch(readiness, lambda: readiness.why is None)
    assert seen[:2] == [(503, "starting"), (503, "no catalog")]
    assert health.readiness()[0] == 200


def test_a_doubt_makes_it_look_at_once() -> None:
    """A failed delivery is followed by a look at Kafka long before the next regular one."""
    checks: list[int] = []
    readiness = Readiness(lambda: checks.append(1), lambda: None, Health())

    async def run() -> None:
        task = asyncio.create_task(readiness.watch())
        async with asyncio.timeout(20):
            while readiness.why is not None:
                await asyncio.sleep(0.005)
            before = len(checks)
            readiness.doubt(KafkaDown("timed out"))
            while len(checks) == before:
                await asyncio.sleep(0.005)
        task.cancel()

    asyncio.run(run())
    assert len(checks) == 2


def test_draining_is_not_undone_by_the_next_look() -> None:
    """Once told to stop it stays not ready, though Kafka answers."""
    health = Health()
    looks: list[int] = []
    readiness = Readiness(lambda: None, lambda: looks.append(1), health)
    readiness.drain()
    watch(readiness, lambda: len(looks) >= 1)
    assert health.readiness() == (503, {"ready": False, "why": "draining"})


def test_what_only_a_new_process_can_mend_ends_the_watch() -> None:
    """A broken client is not retried: the program ends and is started again."""

    def check() -> None:
        raise Disturbed("broken")

    readiness = Readiness(check, lambda: None, Health())
    with pytest.raises(Disturbed):
        asyncio.run(readiness.watch())
