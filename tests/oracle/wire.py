"""Avro in Confluent's wire format, decoded with the schema files and the ids that the catalog gave them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

from tests.oracle.model import Event, Record
from tests.oracle.workspace import Workspace, with_meta

SCHEMAS = Path(__file__).parents[2] / "schemas"
TICK, RULESET_ACTIVATED = 1, 2
REQUESTS = {3: "EnterOffer", 4: "FulfilReward", 5: "ReverseReward"}


def plain(schema: Any) -> Any:
    """The schema with times left as milliseconds; decimals stay decimals."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = ("logicalType",) if schema.get("logicalType") == "timestamp-millis" else ()
    return {name: plain(value) for name, value in schema.items() if name not in dropped}


@cache
def output_schemas() -> dict[int, Any]:
    """Schemas of outputs, dead letters and the journal's own records, by their reserved ids."""
    files = [*(SCHEMAS / "outputs").glob("*.avsc"), *(SCHEMAS / "internal").glob("*.avsc")]
    read = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return {one["id"]: fastavro.parse_schema(plain(with_meta(one))) for one in read if "id" in one}


def event_schemas(plan: Workspace, catalog: Iterable[Record]) -> dict[int, tuple[str, int, Any]]:
    """Schema id to (event type, version, schema): ids from the catalog, schemas from the workspace's files."""
    return {
        schema_id: (*key, fastavro.parse_schema(plain(with_meta(plan.versions[key].schema))))
        for key, schema_id in schema_ids(catalog).items()
        if key in plan.versions
    }


def schema_ids(catalog: Iterable[Record]) -> dict[tuple[str, int], int]:
    """(event type, version) to its schema id, for every version that ever was in the catalog."""
    found = {}
    for record in catalog:
        kind, _, rest = (record.key or b"").decode().partition("/")
        if kind == "event" and record.value is not None:
            name, _, version = rest.rpartition("@")
            found[name, int(version)] = _id_in(json.loads(record.value))
    return found


def _id_in(definition: Mapping[str, Any]) -> int:
    return int(definition["schema_id"] if "schema_id" in definition else definition["id"])


def unframe(value: bytes | None, where: str) -> tuple[int, bytes]:
    """(schema id, body) of a framed value. Raises ValueError for anything else."""
    if value is None or len(value) < 5 or value[0] != 0:
        raise ValueError(f"{where} is not in Confluent wire format: {value!r:.60}")
    return int.from_bytes(value[1:5], "big"), value[5:]


def decode(body: bytes, schema: Any, where: str) -> dict[str, Any]:
    """One value, which must fill its bytes."""
    stream = BytesIO(body)
    decoded = fastavro.schemaless_reader(stream, schema, None)
    if stream.tell() != len(body):
        raise ValueError(f"{where} has {len(body) - stream.tell()} bytes after its value")
    return dict(decoded)  # type: ignore[arg-type]


def event_of(name: str, version: int, decoded: dict[str, Any]) -> tuple[Event, dict[str, Any]]:
    """The event of a decoded journal record, and its meta."""
    meta = decoded.pop("meta")
    fields = ("event_id", "user_id", "anonymous_id", "time", "received_at", "source", "origin")
    return Event(name, version, *(meta[field] for field in fields), decoded, meta["lateness"]), meta
