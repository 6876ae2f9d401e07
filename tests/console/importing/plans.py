"""A small event plan for imports, and a judge of it that needs no broker."""

from __future__ import annotations

from typing import Any

import pytest

from console.importing import judging
from offerflow.catalog.view import Catalog
from offerflow.runtime.settings import load_settings
from schemas.channels import Channel

RECEIVED = 1_767_225_600_000
"""2026-01-01."""


def _event(name: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = {"name": "meta", "type": "events.Meta"}
    return {"type": "record", "namespace": "events", "name": name, "version": 1, "fields": [meta, *fields], **more}


def _maybe(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


PAID = _event(
    "Paid", {"name": "amount", "type": "double", "minimum": 0}, _maybe("items", "int"), _maybe("first", "boolean"),
    _maybe("coupon", "string"), _maybe("due", {"type": "long", "logicalType": "timestamp-millis"}),
    _maybe("tags", {"type": "array", "items": "string"}), {**_maybe("email", "string"), "pii": True},
    event=["Paid", "Order Paid"], origins=["backend"],
)  # fmt: skip
IDENTIFIED = _event("Identified", _maybe("plan", "string"))
OPENED = _event("Opened", system=True)
EVENTS = (PAID, {**IDENTIFIED, "event": ["Identified"]}, {**OPENED, "event": ["Opened"]})


def catalog() -> Catalog:
    keys = [f"event/{event['name']}@1" for event in EVENTS]
    schemas = {
        key: {"schema": event, "schema_id": 1000 + at} for at, (key, event) in enumerate(zip(keys, EVENTS, strict=True))
    }
    sources = {
        "source/shop": {"id": "shop", "origin": "backend", "system_events": {"Opened": False}},
        "source/app": {"id": "app", "origin": "sdk"},
    }
    return Catalog({"head": {"definitions": keys, "serial": 1}, **schemas, **sources})


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> judging.Judge:
    """Of the source ``shop``; the topics are as if they were there."""
    prefix = load_settings().topic_prefix
    channels = {
        f"{prefix}raw.import": Channel("raw.import", "", None, None),
        f"{prefix}raw.backend": Channel("raw.backend", "", "backend", None),
    }
    monkeypatch.setattr(judging, "channels_of", lambda *_: channels)
    return judging.Judge(load_settings(), catalog(), "shop", RECEIVED)
