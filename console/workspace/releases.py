"""What was in force when, and who made it so: the records ``release/<serial>`` of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.workspace.state import State, state_of, state_with
from offerflow.catalog.view import Catalog, Value
from offerflow.runtime.errors import OfferflowError

FILES = "apply"
"""``how`` of a release that came from files."""


@dataclass(frozen=True, slots=True)
class Release:
    """``at`` is RFC 3339; it, ``by`` and ``how`` are None for a release written before they were recorded. ``changes``
    are the diff's lines: action, kind, id."""

    serial: int
    at: str | None
    by: str | None
    how: str | None
    ruleset: str
    definitions: tuple[str, ...]
    sources: Mapping[str, Value]
    changes: tuple[dict[str, Any], ...]

    @property
    def author(self) -> str:
        """``by ana@laptop with plan add at 2026-03-05T10:00:00.250Z (release 7)``."""
        if self.by is None:
            return f"before changes were recorded (release {self.serial})"
        return f"by {self.by} with {self.how} at {self.at} (release {self.serial})"


def releases(catalog: Catalog) -> list[Release]:
    """Oldest first. The present one is always among them, whether or not it was recorded."""
    found = {value["serial"]: _release(value) for value in catalog.of_kind("release").values()}
    head = catalog.head
    if head.serial and head.serial not in found:
        sources = {key.partition("/")[2]: value for key, value in catalog.of_kind("source").items()}
        found[head.serial] = Release(head.serial, None, None, None, head.ruleset, head.definitions, sources, ())
    return [found[serial] for serial in sorted(found)]


def release(catalog: Catalog, serial: int) -> Release:
    """One of them. Raises OfferflowError that lists those there are."""
    there = releases(catalog)
    found = next((one for one in there if one.serial == serial), None)
    if found is None:
        known = ", ".join(str(one.serial) for one in there) or "none yet"
        raise OfferflowError(f"there is no release {serial}; there are: {known} (`offerflow rulesets list`)")
    return found


def state_at(catalog: Catalog, one: Release) -> State:
    """Everything that was defined then."""
    if one.serial == catalog.head.serial:
        return state_of(catalog)
    return state_with(catalog, one.definitions, one.sources)


def last_change(catalog: Catalog, name: str) -> Release | None:
    """The release that last added, changed or removed the definition ``name``; None if that was before recording."""
    kind, _, identifier = name.partition("/")
    for one in reversed(releases(catalog)):
        if any(change["kind"] == kind and change["id"] == identifier for change in one.changes):
            return one
    return None


def _release(value: Value) -> Release:
    return Release(
        value["serial"], value.get("at"), value.get("by"), value.get("how"), value["ruleset"],
        tuple(value["definitions"]), value["sources"], tuple(value["changes"]),
    )  # fmt: skip
