"""Consumers that know nothing of offerflow but a registry's URL."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.deployment import ROOT
from tests.interop import node
from tests.interop.conftest import Interop
from tests.waiting import until

pytestmark = pytest.mark.broker
PAGE = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
READ_IN_JAVASCRIPT = """
import { AvroDeserializer, SchemaRegistryClient, SerdeType } from '@confluentinc/schemaregistry';
const [registry, topic, value] = process.argv.slice(-3);
const deserializer = new AvroDeserializer(new SchemaRegistryClient({ baseURLs: [registry] }), SerdeType.VALUE, {});
const read = await deserializer.deserialize(topic, Buffer.from(value, 'base64'));
console.log(JSON.stringify([read.reward, read.user_id, read.evidence.length]));
"""


@pytest.fixture(scope="module")
def rewarded(interop: Interop) -> Iterator[Interop]:
    """Two purchases of one user have come in as JSON, and a record that is none; rules have decided."""
    rules = interop.here.rules()
    rules.wait_ready()
    purchases = [
        {"event": "Purchase Completed", "user_id": "ben", "event_id": f"ben-{n}",
         "properties": {"order_id": f"b-{n}", "amount": 9.5, "currency": "EUR"}}
        for n in (1, 2)
    ]  # fmt: skip
    records = [(b"ben", json.dumps(purchase).encode(), ()) for purchase in purchases]
    interop.here.produce("raw.shop", [*records, (b"broken", b"\xff\x00 no JSON", (("trace", None),))])
    yield interop
    rules.stop()


def values(interop: Interop, topic: str) -> list[bytes]:
    """What a topic holds of Ben, once it holds something."""

    def look() -> list[bytes]:
        return [record.value or b"" for record in interop.here.read(topic) if record.key == b"ben"]

    return until(look, f"a record of Ben in {topic}", 60)


def test_confluents_deserializer_reads_outputs(rewarded: Interop) -> None:
    """Entry and reward, with decimals and times as its users know them."""
    with SchemaRegistryClient({"url": rewarded.registry}) as client:
        deserialize = AvroDeserializer(client)

        def read(topic: str) -> dict[str, object]:
            context = SerializationContext(rewarded.topic(topic), MessageField.VALUE)
            return dict(deserialize(values(rewarded, topic)[0], context))  # type: ignore[call-overload]

        reward, entry = read("reward-satisfied"), read("offer-entry")
    assert (reward["user_id"], reward["reward"], reward["currency"]) == ("ben", "voucher", "EUR")
    assert reward["value"] == Decimal("5.0000")
    assert (entry["user_id"], entry["offer"], entry["via"]) == ("ben", "second-order", "event")
    assert reward["satisfied_at"] >= entry["entered_at"]  # type: ignore[operator]


def test_confluents_deserializer_reads_dead_letters(rewarded: Interop) -> None:
    """Key, value and headers byte for byte, with the reason."""
    letter = rewarded.letter(b"broken")
    assert (letter["reason"], letter["value"]) == ("undecodable", b"\xff\x00 no JSON")
    assert letter["headers"] == [{"key": "trace", "value": None}]


def test_the_javascript_deserializer_reads_a_reward(rewarded: Interop) -> None:
    """Confluent's for Node.js, under the topic's subject."""
    value = base64.b64encode(values(rewarded, "reward-satisfied")[0]).decode()
    done = node.installed().run(READ_IN_JAVASCRIPT, rewarded.registry, rewarded.topic("reward-satisfied"), value)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["voucher", "ben", 1]


def test_the_reading_program_of_the_page(rewarded: Interop) -> None:
    """It prints the reward, and goes on waiting."""
    program = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1]
    topic = rewarded.topic("reward-satisfied")
    values(rewarded, "reward-satisfied")
    command = [sys.executable, "-c", program, rewarded.kafka, rewarded.registry, topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout is not None
            line = reader.stdout.readline()
        finally:
            reader.kill()
        assert reader.stderr is not None
        assert "'reward': 'voucher'" in line, reader.stderr.read()


def test_the_browser_of_a_registry_finds_its_way(rewarded: Interop) -> None:
    """What tools ask to show a registry: subjects, versions, levels, the mode; nothing can be deleted."""
    client = rewarded.client
    subjects = client.get_subjects()
    assert rewarded.topic("reward-satisfied-value") in subjects
    assert client.get_versions("events.PurchaseCompleted") == [1]
    assert client.get_compatibility() == client.get_compatibility("events.PurchaseCompleted") == "FULL_TRANSITIVE"
    assert client.get_global_mode() == "READONLY"
    found = client.get_version("outputs.DeadLetter", 1)
    places = {place.subject for place in client.get_schema_versions(found.schema_id)}
    assert places == {"outputs.DeadLetter", rewarded.topic("dead-letter-value")}
    assert client.get_schema_types() == ["AVRO"]
    with pytest.raises(SchemaRegistryError, match="offerflow apply"):
        client.delete_subject("events.PurchaseCompleted")
