"""One deployment with console, validation and the standard plan, for all tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.deployment import ROOT, Deployment, Program, Services, free_port
from tests.interop.browser import Browser, launched
from tests.interop.edge import Edge, start_edge
from tests.interop.front import Front
from tests.waiting import until

WORKSPACE = Path(__file__).parent / "workspace"


def start_console(here: Deployment, name: str = "console", port: int = 0) -> tuple[Program, str]:
    """A console of a deployment and the URL of its registry."""
    port = port or free_port()
    program = here.start("console.web", name, OFFERFLOW_CONSOLE__PORT=str(port))
    return program, f"http://127.0.0.1:{port}/registry"


class Interop:
    """A deployment seen from outside: journal and dead letters are read through the registry, with Confluent's own
    deserializer."""

    def __init__(self, here: Deployment, registry: str) -> None:
        self.here = here
        self.registry = registry
        self.kafka = here.services.kafka
        self.client = SchemaRegistryClient({"url": registry})
        self._deserialize = AvroDeserializer(self.client)
        self._read: dict[str, list[dict[str, Any]]] = {"journal": [], "dead-letter": []}
        self._consumer = Consumer(
            {"bootstrap.servers": self.kafka, "group.id": "interop", "isolation.level": "read_committed"}
        )
        self._consumer.assign(
            [TopicPartition(self.topic(name), n, 0) for name in self._read for n in range(here.partitions)]
        )

    def topic(self, name: str) -> str:
        return self.here.prefix + name

    def event(self, event_id: str) -> dict[str, Any]:
        """The event of this id from the journal, once it is there. Fails as soon as it is a dead letter."""
        return until(lambda: self._find(event_id), f"event {event_id} in the journal", 60)

    def letter(self, key: bytes) -> dict[str, Any]:
        """The dead letter of the raw record with this key, once it is there."""

        def look() -> dict[str, Any] | None:
            self._poll()
            return next((letter for letter in self.letters if letter["key"] == key), None)

        return until(look, f"a dead letter of {key!r}", 60)

    @property
    def letters(self) -> list[dict[str, Any]]:
        return self._read["dead-letter"]

    def deserialize(self, topic: str, value: bytes) -> dict[str, Any]:
        """A record of the journal or of an output."""
        read: Any = self._deserialize(value, SerializationContext(topic, MessageField.VALUE))
        return dict(read)

    def kind(self, value: bytes) -> str:
        """The name of the schema that a framed value was written with, without its namespace."""
        schema = self.client.get_schema(int.from_bytes(value[1:5], "big"))
        return str(json.loads(str(schema.schema_str))["name"])

    def close(self) -> None:
        self._consumer.close()
        self.client.close()

    def _find(self, event_id: str) -> dict[str, Any] | None:
        self._poll()
        mark = event_id.encode()
        bad = [f"{letter['reason']}: {letter['detail']}" for letter in self.letters if mark in (letter["value"] or b"")]
        assert not bad, bad
        found = [one for one in self._read["journal"] if one.get("meta", {}).get("event_id") == event_id]
        assert len(found) < 2, f"event {event_id} is in the journal {len(found)} times"
        return found[0] if found else None

    def _poll(self) -> None:
        for message in self._consumer.consume(100, 0.1):
            topic, value = str(message.topic()), message.value()
            if message.error() is None:
                self._read[topic.removeprefix(self.here.prefix)].append(self.deserialize(topic, value or b""))


@pytest.fixture(scope="package")
def interop(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interop]:
    here = Deployment(stack, tmp_path_factory.mktemp("interop"))
    try:
        here.create_topics()
        console, registry = start_console(here)
        here.apply(ROOT / "schemas" / "events", WORKSPACE)
        validation = here.validation()
        console.wait_ready()
        validation.wait_ready()
        interop = Interop(here, registry)
        yield interop
        interop.close()
    finally:
        here.close()


@pytest.fixture(scope="package")
def edge(interop: Interop) -> Iterator[Edge]:
    """An edge with validation behind it, for every client of this folder."""
    edge = start_edge(interop)
    try:
        yield edge
    finally:
        edge.close()


@pytest.fixture(scope="package")
def _front(edge: Edge) -> Iterator[Front]:
    with Front(edge.url) as front:
        yield front


@pytest.fixture
def front(_front: Front) -> Front:
    """Stands between clients and the edge, and for this test nothing was asked of it yet."""
    _front.forget()
    return _front


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser
