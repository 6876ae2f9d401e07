"""The traffic of ``coffee`` in every form a raw record may have, with what can be wrong about each form besides."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import fastavro

from tests.deployment import Headers
from tests.end_to_end.coffee import WORKSPACE, Raw, Traffic, hostile
from tests.oracle import wire
from tests.oracle.forms import NAMED_BY_TYPE
from tests.oracle.shape import MisfitError, bare, fit_field, milliseconds
from tests.oracle.workspace import EventType, Workspace, read, with_meta

NEXT = WORKSPACE.with_name("coffee-next")
"""A second version of one event type, applied over ``coffee``; what was written under the first is still taken."""

SPOILT, HOSTILE, NATIVE = 0.05, 0.03, 0.25
META = {"received_at": 0, "source": "", "origin": "sdk", "lateness": "ignore", "content_hash": -1}
"""What a sender puts where only validation has a say."""


class ThreeForms:
    """An endless, repeatable stream. ``ids`` are the schema ids that the deployment gave each (type, version)."""

    def __init__(self, seed: int, ids: Mapping[tuple[str, int], int], users: int = 500) -> None:
        self._random = random.Random(seed)
        self._traffic = Traffic(seed, users)
        self._hostile = self._endless_hostile(seed)
        self._plan = read([WORKSPACE, NEXT], local_server=False)
        self._ids = ids
        self._writers = {
            key: fastavro.parse_schema(wire.plain(with_meta(one.schema))) for key, one in self._plan.versions.items()
        }

    def take(self, count: int) -> list[Raw]:
        return [self._next() for _ in range(count)]

    @staticmethod
    def _endless_hostile(seed: int) -> Iterator[Raw]:
        while True:
            seed += 1
            yield from hostile(seed, 500)

    def _next(self) -> Raw:
        draw, chance = self._random, self._random.random()
        if chance < HOSTILE:
            return next(self._hostile)
        native = self._traffic.take(1)[0]
        envelope = _envelope(native)
        if chance < HOSTILE + NATIVE or envelope is None:
            return native
        made = draw.choice((self._structured, self._binary, self._framed, self._framed))(native, self._more(envelope))
        if made is None:
            return native
        return self._spoil(made) if draw.random() < SPOILT else made

    def _more(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Here and there what only the second version has, good and bad."""
        draw = self._random
        if envelope["event"] in ("☕ Brewed", "brew.finished") and draw.random() < 0.3:
            milk = {"kind": draw.choice(["oat", "soy", "goat"]), "millilitres": draw.choice([0, 30, 501])}
            more = {"milk": {**milk, "farmer": "J. Doe"}, "barista": draw.choice([None, "ann"])}
            return {**envelope, "properties": {**envelope.get("properties", {}), **more}}
        return envelope

    # -- CloudEvents ------------------------------------------------------------------------------------------------

    def _attributes(self, envelope: dict[str, Any]) -> dict[str, str]:
        """Attributes of an envelope; a source must be named, so one that is not declared stands for none."""
        draw, time = self._random, envelope.get("time")
        user = envelope.get("user_id")
        told = {
            "specversion": "1.0", "id": envelope["event_id"], "type": envelope["event"],
            "source": envelope.get("source") or "//till.example/7",
            draw.choice(["subject", "userid"]): user, "anonymousid": envelope.get("anonymous_id"),
            "time": time if isinstance(time, str) else None, "dataschema": "urn:x" if draw.random() < 0.1 else None,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}

    def _structured(self, native: Raw, envelope: dict[str, Any]) -> Raw:
        draw, event = self._random, dict[str, Any](self._attributes(envelope))
        properties = envelope.get("properties")
        if draw.random() < 0.1:
            event["data_base64"] = base64.b64encode(json.dumps(properties or {}).encode()).decode()
        elif properties is not None:
            event["data"] = properties
        if draw.random() < 0.3:
            event["datacontenttype"] = draw.choice(["application/json", "application/vnd.x+json; charset=utf-8"])
        headers: Headers = draw.choice([
            (), (("content-type", b"application/cloudevents+json; charset=UTF-8"),),
            (("Content-Type", b"application/cloudevents+json"), ("ce_id", b"not this one")),
        ])  # fmt: skip
        return native[0], native[1], json.dumps(event, ensure_ascii=draw.random() < 0.5).encode(), headers

    def _binary(self, native: Raw, envelope: dict[str, Any]) -> Raw:
        draw, properties = self._random, envelope.get("properties")
        headers = [(f"ce_{name}", value.encode()) for name, value in self._attributes(envelope).items()]
        draw.shuffle(headers)
        headers.append(
            draw.choice([("content-type", b"application/json"), ("trace", b"x"), ("Content-Type", b"text/json")])
        )
        value = draw.choice([None, b"", b"null"]) if not properties else json.dumps(properties).encode()
        return native[0], native[1], value, headers

    # -- Avro -------------------------------------------------------------------------------------------------------

    def _framed(self, native: Raw, envelope: dict[str, Any]) -> Raw | None:
        """Under any version of the type; None for what its schema cannot hold."""
        newest = self._plan.types.get(envelope["event"])
        if newest is None:
            return None
        version = self._random.choice([one for (name, _), one in self._plan.versions.items() if name == newest.name])
        time = envelope.get("time")
        moment = milliseconds(time) if isinstance(time, str) else time
        try:
            properties = _properties(version, envelope.get("properties") or {})
        except MisfitError:
            return None
        who = {name: envelope.get(name) for name in ("user_id", "anonymous_id")}
        meta = {
            **META,
            **who,
            "event_id": envelope["event_id"],
            "time": 1_780_000_000_000 if moment is None else moment,
        }
        value = self.frame(version, {**properties, "meta": {**meta, "source": envelope.get("source", "")}})
        return native[0], native[1], value, native[3]

    def frame(self, version: EventType, record: Mapping[str, Any]) -> bytes:
        """The record in Confluent's wire format."""
        key = version.name, version.version
        body = BytesIO()
        fastavro.schemaless_writer(body, self._writers[key], record)
        return b"\x00" + self._ids[key].to_bytes(4, "big") + body.getvalue()

    # -- what can be wrong ------------------------------------------------------------------------------------------

    def _spoil(self, raw: Raw) -> Raw:
        draw = self._random
        topic, key, value, headers = raw
        broken = bytearray(value or b"")
        kinds = [bytes(broken[: len(broken) // 2]), bytes(broken) + b"\x00", _flipped(broken, draw)]
        if broken[:1] == b"\x00":
            unknown = draw.choice([0, 25, 999, 4_000_000_000]).to_bytes(4, "big")
            kinds += [b"\x00" + unknown + bytes(broken[5:]), bytes(broken[:4]), bytes(broken[:5])]
            return topic, key, draw.choice(kinds), headers
        if headers and any(name.startswith("ce_") for name, _ in headers):
            gone = draw.choice(["ce_id", "ce_type", "ce_specversion"])
            lost = [(name, one) for name, one in headers if name != gone]
            odd = draw.choice([
                ("ce_type", b"\xff"), ("ce_specversion", b"0.3"), ("ce_time", b"noon"), ("ce_id", None),
                ("content-type", b"text/plain"), ("ce_subject", b"x" * 513), ("ce_time", b"2999-01-01T00:00:00Z"),
            ])  # fmt: skip
            return topic, key, value, draw.choice([lost, [*headers, odd]])
        for name, wrong in (("specversion", 1.0), ("id", ""), ("data", [1]), ("data_base64", "?"), ("time", 5),
                            ("datacontenttype", "text/xml"), ("type", None), ("anonymousid", {})):  # fmt: skip
            changed = {**json.loads(bytes(broken)), name: wrong}
            kinds.append(json.dumps(changed).encode())
        kinds.append(bytes(broken))
        odd = draw.choice(["application/cloudevents-batch+json", "application/cloudevents+xml", "application/json"])
        return topic, key, draw.choice(kinds), draw.choice([headers, [("content-type", odd.encode())]])


def _envelope(raw: Raw) -> dict[str, Any] | None:
    """The members of a native record that has an event of its own, an id, and nothing but texts in them."""
    try:
        envelope = json.loads(raw[2] or b"")
    except ValueError:
        return None
    if not isinstance(envelope, dict) or envelope.get("type") in NAMED_BY_TYPE:
        return None
    return envelope if isinstance(envelope.get("event"), str) and envelope.get("event_id") else None


def _properties(version: EventType, properties: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: bare(fit_field(properties, one)) for one in version.fields}


def _flipped(value: bytearray, draw: random.Random) -> bytes:
    flipped = bytearray(value)
    if flipped:
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def plan() -> Workspace:
    """What the deployment has in force once both workspaces are applied."""
    return read([WORKSPACE, NEXT], local_server=False)
