"""The diff between two states of definitions, one line per definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.workspace.differences import Detail, differences
from console.workspace.event_differences import event_differences, field_text
from console.workspace.state import Content, State, version_of
from offerflow.rules.compiling import Size


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change means for somebody. ``kind``: ``breaks`` (something that worked is refused or lost from now on),
    ``touches`` (an offer or condition that uses it), ``reads`` (which versions can read which), ``note``. ``names`` are
    the definitions concerned, such as ``offer/upgrade`` or ``source/shop``."""

    kind: str
    text: str
    names: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "text": self.text, "names": list(self.names)}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diff: ``action`` is add, change or remove. ``details`` are what changed inside; for a new version
    of an event type against the version before, which ``against`` names. ``size``: what a condition or an offer costs
    in state per user."""

    action: str
    kind: str
    id: str
    details: tuple[Detail, ...] = ()
    effects: tuple[Effect, ...] = ()
    against: str | None = None
    size: Size | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.id}"

    def brief(self) -> dict[str, Any]:
        return {"action": self.action, "kind": self.kind, "id": self.id}

    def as_json(self) -> dict[str, Any]:
        return {
            **self.brief(), "against": self.against, "details": [one.as_json() for one in self.details],
            "effects": [one.as_json() for one in self.effects],
            "bytes_per_user": self.size.as_json() if self.size is not None else None,
        }  # fmt: skip


_ORDER = ("event", "settings", "condition", "offer", "source")


def lines_between(before: State, after: State) -> list[Line]:
    """Without effects. Events first, since the others stand on them; ids in order, versions by number."""
    names = sorted({*before, *after}, key=_place)
    lines = []
    for name in names:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind, _, identifier = name.partition("/")
        action = "add" if old is None else "remove" if new is None else "change"
        lines.append(Line(action, kind, identifier, *_inside(kind, identifier, old, new, before)))
    return lines


def _place(name: str) -> tuple[int, str, int]:
    kind, _, identifier = name.partition("/")
    event, _, version = identifier.rpartition("@") if kind == "event" else (identifier, "", "0")
    return _ORDER.index(kind), event, int(version)


def _inside(
    kind: str, identifier: str, old: Content | None, new: Content | None, before: State
) -> tuple[tuple[Detail, ...], tuple[Effect, ...], str | None]:
    if kind == "event" and new is not None and old is None:
        older = [schema for name, schema in before.items()
                 if name.startswith(f"event/{new['name']}@") and version_of(schema) < version_of(new)]  # fmt: skip
        if older:
            last = max(older, key=version_of)
            return tuple(event_differences(last, new)), (), f"{new['name']}@{version_of(last)}"
        return tuple(_whole(new)), (), None
    if old is not None and new is not None:
        found = event_differences(old, new) if kind == "event" else differences(old, new)
        return tuple(found), (), None
    return (), (), None


def _whole(schema: Content) -> list[Detail]:
    """A first version: its fields."""
    return [Detail("add", field["name"], f"field {field_text(field)}", None, field) for field in schema["fields"][1:]]
