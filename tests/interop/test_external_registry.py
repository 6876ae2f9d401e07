"""A registry of the user's own, played by the facade of another deployment: its ids are not those of the plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.deployment import ROOT, Deployment, Program, free_port
from tests.interop.conftest import WORKSPACE, Interop, start_console
from tests.waiting import until

pytestmark = pytest.mark.broker
PURCHASE = {"order_id": "o", "amount": 1.0, "currency": "EUR"}
FIRST = {
    "type": "record",
    "namespace": "events",
    "name": "Aardvark",
    "fields": [{"name": "meta", "type": "events.Meta"}],
}


def framed(interop: Interop, record: str, event_id: str, **properties: Any) -> tuple[bytes, int]:
    """An event under the id that the external registry has for it, and that id."""
    serialize = AvroSerializer(interop.client, interop.client.get_latest_version(f"events.{record}").schema)
    event = {"meta": {"user_id": "eva", "event_id": event_id, "time": 1_700_000_000_000}, **properties}
    value = serialize(event, SerializationContext(interop.topic("raw.shop"), MessageField.VALUE))
    assert value is not None
    return value, int.from_bytes(value[1:5], "big")


def test_ids_of_another_registry(interop: Interop, deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Its ids become the plan's by what the schemas encode, one that it does not have is `unknown_schema`; while it is
    away nothing is judged, and all of it is once it is back."""
    here = deployment()
    here.create_topics()
    (tmp_path / "first.avsc").write_text(json.dumps(FIRST))
    here.apply(tmp_path)
    here.apply(ROOT / "schemas" / "events", WORKSPACE)
    port = free_port()
    console, url = start_console(interop.here, "console-2", port)
    console.wait_ready()
    validation = here.validation(OFFERFLOW_REGISTRY__URL=url).wait_ready()

    value, theirs = framed(interop, "PurchaseCompleted", "ext-1", **PURCHASE)
    nobody = b"\x00" + (1_000_000).to_bytes(4, "big") + value[5:]
    here.produce("raw.shop", [(b"eva", value, ()), (b"nobody", nobody, ())])
    [event] = until(lambda: events(here), "the event in the journal", 60, validation.tail)
    ours = int.from_bytes(event[1:5], "big")
    assert ours == id_in_the_catalog(here, "PurchaseCompleted") != theirs
    assert b"ext-1" in event
    [letter] = until(lambda: here.read("dead-letter"), "the dead letter", 60, validation.tail)
    assert letter.key == b"nobody"
    assert b"unknown_schema" in dict(letter.headers).values()

    console.stop()
    later, _ = framed(interop, "AccountCreated", "ext-2")
    here.produce("raw.shop", [(b"eva", later, ())])
    until(lambda: "schema registry" in why(validation), "validation to wait for the registry", 60, validation.tail)
    assert len(events(here)) == 1
    assert len(here.read("dead-letter")) == 1
    start_console(interop.here, "console-2", port)
    until(lambda: len(events(here)) == 2, "the event that waited", 60, validation.tail)
    assert len(here.read("dead-letter")) == 1


def events(here: Deployment) -> list[bytes]:
    """Events of the journal: what the journal itself writes has small ids."""
    values = [record.value or b"" for record in here.read("journal")]
    return [value for value in values if int.from_bytes(value[1:5], "big") >= 1000]


def id_in_the_catalog(here: Deployment, name: str) -> int:
    [found] = [record.value for record in here.read("catalog") if record.key == f"event/{name}@1".encode()]
    return int(json.loads(found or b"{}")["schema_id"])


def why(program: Program) -> str:
    """What ``/readyz`` says is missing."""
    return str(httpx.get(f"{program.url}/readyz", timeout=5).json().get("why"))
