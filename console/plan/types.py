"""The Avro type of what was seen. Nothing is coerced, and nothing is guessed that a sample would contradict."""

from __future__ import annotations

from typing import Any

from console.plan.names import pascal
from console.plan.record_names import RESERVED
from console.plan.shapes import Shape
from schemas.values import is_name

MAX_MEMBERS = 60
"""Members of a record inside a property; an object with more is drafted as a map."""
_LOOSE_FROM, _LOOSE_SHARE = 8, 0.3
_TIMESTAMP = {"type": "long", "logicalType": "timestamp-millis"}


class Untypable(ValueError):
    """No Avro type holds all values without loss; the message says which did not fit."""


class Typing:
    """The types of one schema. ``strict``: what all samples have may be required. Names of types inside begin with
    the record's, so that code generated from several schemas does not collide."""

    def __init__(self, record: str, *, enums: bool, strict: bool, taken: set[str] | None = None) -> None:
        self.strict = strict
        self.properties = 0
        self._record = record
        self._enums = enums
        self._taken = {record} | RESERVED | (taken or set())

    def of(self, shape: Shape, path: tuple[str, ...], notes: list[str]) -> Any:
        """A type, or a union if values of several came; null among them if null did. Raises Untypable."""
        branches: list[Any] = [
            *(["boolean"] if shape.booleans else []),
            *self._numbers(shape, path),
            *self._strings(shape, path, notes),
        ]
        if shape.arrays:
            branches.append({"type": "array", "items": self._items(shape, path, notes)})
        if shape.objects:
            branches.append(self._object(shape, path, notes))
        if shape.nulls:
            branches = ["null", *branches]
        return branches if len(branches) > 1 else branches[0]

    def _numbers(self, shape: Shape, path: tuple[str, ...]) -> list[str]:
        numbers = shape.numbers
        if not numbers.integers and not numbers.floats:
            return []
        if numbers.long and not numbers.floats:
            return ["long"]
        if numbers.exact:
            return ["double"]
        if numbers.each:
            return ["long", "double"]
        raise Untypable(f"{_inside(path)}it holds integers that neither long nor double carries without loss")

    def _strings(self, shape: Shape, path: tuple[str, ...], notes: list[str]) -> list[Any]:
        strings = shape.strings
        if not strings.count:
            return []
        alone = strings.count == shape.seen - shape.nulls
        if strings.times and alone:
            notes.append(f"{_inside(path)}all values are RFC 3339 times; kept to the millisecond, in UTC")
            return [dict(_TIMESTAMP)]
        values = strings.values or {}
        if self._enums and alone and len(values) * 3 <= strings.count and values and all(map(is_name, values)):
            notes.append(f"{_inside(path)}an enum of {len(values)} symbols; one more later is a change of the type")
            return [{"type": "enum", "name": self._name(path), "symbols": sorted(values)}]
        return ["string"]

    def _items(self, shape: Shape, path: tuple[str, ...], notes: list[str]) -> Any:
        return self._inside(shape.items, (*path, "item"), notes, "only empty arrays were seen")

    def _inside(self, shape: Shape | None, path: tuple[str, ...], notes: list[str], empty: str) -> Any:
        """The type of items or values, of which there may have been none."""
        if shape is None or not shape.seen:
            notes.append(f"{_inside(path[:-1])}{empty}; string is a guess")
            return "string"
        if shape.nulls == shape.seen:
            notes.append(f"{_inside(path[:-1])}only null was seen in it; string is a guess")
            return ["null", "string"]
        return self.of(shape, path, notes)

    def _object(self, shape: Shape, path: tuple[str, ...], notes: list[str]) -> dict[str, Any]:
        why = _loose(shape)
        if why is not None:
            values = shape.values()
            if shape.keys or shape.loose:
                notes.append(f"{_inside(path)}a map, since {why}")
            return {
                "type": "map",
                "values": self._inside(values, (*path, "value"), notes, "only empty objects were seen"),
            }
        name = self._name(path)
        fields: list[dict[str, Any]] = []
        for key, member in shape.keys.items():
            if member.nulls == member.seen:
                notes.append(f"{_inside((*path, key))}left out, only null was seen")
                continue
            kind = self.of(member, (*path, key), notes)
            if self.strict and member.seen == shape.objects and not member.nulls:
                fields.append({"name": key, "type": kind})
            else:
                branches = [branch for branch in kind if branch != "null"] if isinstance(kind, list) else [kind]
                fields.append({"name": key, "type": ["null", *branches], "default": None})
        return {"type": "record", "name": name, "fields": fields}

    def _name(self, path: tuple[str, ...]) -> str:
        stem = self._record + ("".join(pascal(step) for step in path)[:100] or "Part")
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name


def _inside(path: tuple[str, ...]) -> str:
    """Where in its property something is, for notes; nothing for the property itself."""
    return f"{'.'.join(path[1:])} in it: " if len(path) > 1 else ""


def _loose(shape: Shape) -> str | None:
    """Why the objects are a map rather than a record, or None."""
    if shape.loose is not None or len(shape.keys) > MAX_MEMBERS:
        return "its keys are too many for a record"
    odd = next((key for key in shape.keys if not is_name(key)), None)
    if odd is not None:
        return "some keys are no Avro names"
    if all(member.nulls == member.seen for member in shape.keys.values()):
        return "no member with a type was seen"
    present = sum(member.seen for member in shape.keys.values())
    if len(shape.keys) >= _LOOSE_FROM and present < _LOOSE_SHARE * shape.objects * len(shape.keys):
        return "its keys differ from sample to sample"
    return None
