"""Producers that know nothing of offerflow but a registry's URL: their events are validated and reach the journal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.deployment import ROOT
from tests.interop import java, node
from tests.interop.conftest import Interop

pytestmark = pytest.mark.broker
PAGE = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
PURCHASE = (ROOT / "schemas" / "events" / "PurchaseCompleted.avsc").read_text(encoding="utf-8")


def program(language: str) -> str:
    """The first program of a language in docs/registry.md."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"docs/registry.md has no program in {language}"
    return found[1]


def check(done: subprocess.CompletedProcess[str], interop: Interop, event_id: str, order: str) -> None:
    """The program ended well, and its purchase is in the journal with what validation adds."""
    assert done.returncode == 0, done.stdout + done.stderr
    event = interop.event(event_id)
    assert (event["order_id"], event["amount"], event["currency"]) == (order, 59.9, "EUR")
    meta = event["meta"]
    assert (meta["user_id"], meta["anonymous_id"]) == ("anna", None)
    assert (meta["source"], meta["origin"], meta["lateness"]) == ("shop-backend", "backend", "normal")
    assert abs((meta["received_at"] - meta["time"]).total_seconds()) < 60
    assert meta["content_hash"] != 0


def test_the_python_program_of_the_page(interop: Interop, tmp_path: Path) -> None:
    """Confluent's serializer as it comes: its purchase is validated and read back."""
    arguments = (interop.kafka, interop.registry, interop.topic("raw.shop"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program("python"), *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    check(done, interop, "python-1", "o-1")


def test_the_javascript_program_of_the_page(interop: Interop) -> None:
    """Confluent's serializer for Node.js with kafkajs: its purchase is validated and read back."""
    arguments = (interop.kafka, interop.registry, interop.topic("raw.shop"))
    check(node.installed().run(program("js"), *arguments), interop, "javascript-1", "o-2")


def test_the_java_program_of_the_page(interop: Interop, tmp_path: Path) -> None:
    """Kafka's client and Apache Avro, with the id from the registry: its purchase is validated and read back."""
    arguments = (interop.kafka, interop.registry, interop.topic("raw.shop"))
    check(java.run(program("java"), tmp_path, *arguments), interop, "java-1", "o-3")


JS_WAYS = """
import { AvroDeserializer, AvroSerializer, SchemaRegistryClient, SerdeType } from '@confluentinc/schemaregistry';
const [registry, topic, id] = process.argv.slice(-3);
const client = new SchemaRegistryClient({ baseURLs: [registry] });
const purchase = { meta: { user_id: 'u', time: 1 }, order_id: 'o', amount: 1, currency: 'EUR' };
const ways = [
  { useLatestVersion: true, subjectNameStrategy: () => 'events.PurchaseCompleted' },
  { useLatestWithMetadata: { event: 'Order Completed' } },
  { useSchemaId: Number(id) },
];
for (const way of ways) {
  const bytes = await new AvroSerializer(client, SerdeType.VALUE, way).serialize(topic, purchase);
  const read = await new AvroDeserializer(client, SerdeType.VALUE, {}).deserialize(topic, bytes);
  console.log(JSON.stringify([bytes.readInt32BE(1), read.order_id]));
}
const fresh = new SchemaRegistryClient({ baseURLs: [registry] });
try {
  await new AvroSerializer(fresh, SerdeType.VALUE, { autoRegisterSchemas: true }).serialize(topic, purchase);
} catch (error) {
  console.log(JSON.stringify([error.status ?? error.response?.status, error.errorCode, error.message]));
}
"""


def test_every_way_of_the_javascript_serializer(interop: Interop) -> None:
    """By subject, by the event's name, by id: the same schema. One that it made up itself is refused, with a reason."""
    known = interop.client.get_latest_version("events.PurchaseCompleted").schema_id
    done = node.installed().run(JS_WAYS, interop.registry, interop.topic("raw.shop"), str(known))
    assert done.returncode == 0, done.stderr
    *found, refused = map(json.loads, done.stdout.splitlines())
    assert found == [[known, "o"]] * 3
    assert refused[:2] == [422, 42205]
    assert "offerflow apply" in refused[2]


WITH_META = Schema(PURCHASE, "AVRO", [SchemaReference("events.Meta", "events.Meta", 1)])


def test_every_configuration_of_the_python_serializer(interop: Interop) -> None:
    """With and without automatic registration, under every subject strategy, with the registry's text, a plain one of
    the producer's own, or the file of the plan referring to events.Meta: the event schema's id is found."""
    topic = interop.topic("raw.shop")
    meta = {"user_id": "u", "time": 1, **FILLED}
    purchase = {"meta": meta, "order_id": "o", "amount": 1.0, "currency": "EUR", **NULLS}
    latest = interop.client.get_latest_version("events.PurchaseCompleted")
    for schema in (latest.schema, stripped(str(latest.schema.schema_str)), WITH_META):
        for strategy, register in product((None, "TOPIC", "RECORD", "TOPIC_RECORD"), (None, True, False)):
            given = {"subject.name.strategy.type": strategy, "auto.register.schemas": register}
            conf = {name: value for name, value in given.items() if value is not None}
            with SchemaRegistryClient({"url": interop.registry}) as client:
                serialize = AvroSerializer(client, schema, conf=conf)
                value = serialize(purchase, SerializationContext(topic, MessageField.VALUE))
            assert value is not None, conf
            assert int.from_bytes(value[1:5], "big") == latest.schema_id, conf


FILLED = {"event_id": "", "anonymous_id": None, "received_at": 0, "source": "", "origin": "sdk", "lateness": "normal",
          "content_hash": 0}  # fmt: skip
NULLS = dict.fromkeys(("coupon", "item_count", "product_ids", "category", "payment_method", "email"))


def stripped(text: str) -> str:
    """The schema with nothing in it but what the encoding needs."""

    def bare(part: Any) -> Any:
        if isinstance(part, list):
            return [bare(one) for one in part]
        if isinstance(part, dict):
            kept = ("type", "name", "namespace", "fields", "items", "values", "symbols", "size")
            return {key: bare(part[key]) for key in kept if key in part}
        return part

    return json.dumps(bare(json.loads(text)))


def test_a_schema_that_was_never_applied(interop: Interop) -> None:
    """The serializer fails at the producer, before anything is sent, with the field that differs and what to do."""
    schema = json.loads(str(interop.client.get_latest_version("events.PurchaseCompleted").schema.schema_str))
    schema["fields"].append({"name": "shop", "type": "string"})
    serialize = AvroSerializer(interop.client, json.dumps(schema))
    context = SerializationContext(interop.topic("raw.shop"), MessageField.VALUE)
    with pytest.raises(SchemaRegistryError) as caught:
        serialize({}, context)
    assert (caught.value.http_status_code, caught.value.error_code) == (422, 42205)
    assert "'shop'" in caught.value.error_message
    assert "offerflow apply" in caught.value.error_message
    ours = interop.client.test_compatibility_all_versions(
        "events.PurchaseCompleted", Schema(json.dumps(schema), "AVRO")
    )
    assert ours is False


def test_values_of_every_type_come_through(interop: Interop) -> None:
    """Times, lists, numbers, pii and null: the journal holds what was sent, canonical, and null for what is pii."""
    serialize = AvroSerializer(interop.client, interop.client.get_latest_version("events.PurchaseCompleted").schema)
    topic = interop.topic("raw.shop")
    at = datetime(2026, 3, 5, 10, 0, 0, 250_000, tzinfo=UTC)
    purchase = {
        "meta": {"user_id": "u-7", "event_id": "types-1", "time": at, "source": "nobody", "origin": "sdk"},
        "order_id": "ö-1", "amount": 0.1, "currency": "EUR", "coupon": "SAVE-10", "item_count": 2147483647,
        "product_ids": ["a", "", "ü"], "email": "anna@example.org",
    }  # fmt: skip
    value = serialize(purchase, SerializationContext(topic, MessageField.VALUE))
    interop.here.produce("raw.shop", [(b"u-7", value, ())])
    event = interop.event("types-1")
    assert (event["meta"]["time"], event["meta"]["source"], event["meta"]["origin"]) == (at, "shop-backend", "backend")
    assert {name: event[name] for name in purchase if name not in ("meta", "email")} == {
        name: purchase[name] for name in purchase if name not in ("meta", "email")
    }
    assert event["email"] is None
