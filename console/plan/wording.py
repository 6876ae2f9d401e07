"""What a field of a schema asks for, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.plan.entries import Entry
from schemas.type_names import type_name


@dataclass(frozen=True, slots=True)
class Row:
    """One property in words."""

    name: str
    type: str
    needed: str
    bounds: str
    marks: str
    doc: str


def rows_of(entry: Entry) -> list[Row]:
    """The properties of an entry; none for one that was planned by name."""
    found = []
    for field in [] if entry.untyped else entry.properties:
        marks = [mark for mark, on in (("pii", field.get("pii")), ("unique", field["name"] in entry.unique)) if on]
        marks += [str(field["unit"])] if "unit" in field else []
        doc = str(field.get("doc", ""))
        found.append(Row(field["name"], type_name(field["type"]), needed(field), bounds(field), " ".join(marks), doc))
    return found


def needed(field: Mapping[str, Any]) -> str:
    """``required``, or what stands for it where it is absent."""
    return f"default {json.dumps(field['default'])}" if "default" in field else "required"


def bounds(field: Mapping[str, Any]) -> str:
    """``0 to 100``, ``at least 0``, ``matches ^[A-Z]{3}$``; empty if there are none."""
    low, high = field.get("minimum"), field.get("maximum")
    said = []
    if low is not None and high is not None:
        said.append(f"{low} to {high}")
    elif low is not None or high is not None:
        said.append(f"at least {low}" if low is not None else f"at most {high}")
    if "pattern" in field:
        said.append(f"matches {field['pattern']}")
    return ", ".join(said)
