"""The worlds in which the contracts of Kafka hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.kafka_worlds import Double, Kafka, Real


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.broker)])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    world = Double() if request.param == "double" else Real(request.getfixturevalue("stack").kafka)
    made = Kafka(world)
    yield made
    made.close()
