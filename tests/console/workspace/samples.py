"""Definitions that the tests of this folder start from."""

from __future__ import annotations

import json
from typing import Any

from tests.console.workspace.conftest import Files

META = {"name": "meta", "type": "events.Meta"}
X = {"name": "x", "type": "double"}


def event(*fields: dict[str, Any], name: str = "A", version: int = 1, **more: Any) -> str:
    """An event schema; its fields are meta and ``fields``, or x if none are given."""
    return json.dumps({"type": "record", "name": name, "version": version, **more, "fields": [META, *(fields or (X,))]})


def optional(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None, **more}


CONDITION = "kind: condition\nid: c\nevent: A\nwhere: x > 1\n"
OFFER = "kind: offer\nid: o\nname: Old\nentry: {condition: c}\n"
SOURCES = "- {id: shop, origin: backend, topics: [raw.backend]}\n- {id: app, origin: sdk}\n"
ALL: Files = {"A.avsc": event(), "c.yaml": CONDITION, "o.yaml": OFFER, "s.yaml": SOURCES}


def with_(**files: str) -> Files:
    """ALL with files replaced or added; ``A2_avsc`` is A2.avsc."""
    return {**ALL, **{name.replace("_", "."): text for name, text in files.items()}}
