"""Fixtures of every test: a broker with Redis for the session, and deployments of their own upon it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from tests.deployment import Deployment, Services, services
from tests.postgres import Postgres, postgres
from tests.spread import Spread, slow_first

# No test asserts a duration, and a busy machine must not make one fail.
settings.register_profile("offerflow", deadline=None)
settings.load_profile("offerflow")

# A broker that lives for minutes is sooner up if its JVM does not perfect what it will not run for long.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")

NAMES = ("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "OFFERFLOW_REDIS__URL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Spread:
    return Spread(config, log)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Kafka and Redis: those the environment names, else the local stack, else containers, else the tests fail."""
    named = [os.environ.get(name) for name in NAMES]
    if all(named):
        yield Services(str(named[0]), str(named[1]))
        return
    directory = tmp_path_factory.mktemp("stack")
    up = services("up", directory)
    if up.returncode == 0:
        started = json.loads(up.stdout)
        try:
            yield Services(started["kafka"], started["redis"])
        finally:
            services("down", directory, "--purge")
        return
    yield from _containers(up.stderr)


def _containers(why: str) -> Iterator[Services]:
    try:
        from testcontainers.community.kafka import KafkaContainer
        from testcontainers.community.redis import RedisContainer

        kafka, redis = KafkaContainer().with_kraft(), RedisContainer("valkey/valkey:9-alpine")
        kafka.start()
        redis.start()
    except Exception as error:
        pytest.fail(
            f"no broker for the tests: {' and '.join(NAMES)} are not set, the local stack did not start"
            f" ({why.strip()}), and neither did containers ({error})"
        )
    try:
        address = f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0"
        yield Services(kafka.get_bootstrap_server(), address)
    finally:
        redis.stop()
        kafka.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def deployment(stack: Services, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments with a topic prefix of their own; what they started ends with the test."""
    numbers = count()
    with ExitStack() as closing:

        def make(**given: object) -> Deployment:
            directory = tmp_path / f"deployment{next(numbers)}"
            directory.mkdir()
            made = Deployment(stack, directory, **given)  # type: ignore[arg-type]
            closing.callback(made.close)
            return made

        yield make
