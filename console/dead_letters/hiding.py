"""What is personal hidden in a record: by the types of its own event schema as far as they reach, else by the names of
all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from console.dead_letters.masking import Personal, mask
from schemas.personal import SPELLINGS
from schemas.plan import EventSchema, Plan

Hide = Callable[[Mapping[str, Any]], dict[str, Any]]
Path = tuple[str, ...]
"""Names of fields from the outside in; lists and maps between them leave no trace."""
IMPERSONAL: Mapping[str, tuple[str, ...]] = {
    "library": ("name", "version"),
    "app": ("name", "version", "build", "namespace"),
    "os": ("name", "version"),
    "device": ("manufacturer", "brand", "model", "type"),
    "campaign": ("name", "source", "medium", "term", "content"),
}
"""Members of a context whose meaning SDKs agree on, and which are of no person, though a personal property may have
their name. A device's own name and its ids are somebody's, and titles and paths of pages may have anybody's name."""
_SCALAR = (str, int, float)
_TEXTS = frozenset({"string", "enum"})
_NUMBERS = frozenset({"int", "long", "float", "double", "boolean"})


def known_schema(plan: Plan, event: str | None) -> EventSchema | None:
    """The newest of the event type that has this name; None where the plan has none."""
    return None if event is None else plan.by_name.get(event)


def versions_of(plan: Plan, schema: EventSchema) -> list[EventSchema]:
    """Every version of its event type that the plan knows, and of those that had one of its names; itself first."""
    names = set(schema.names)
    others = (one for one in plan.by_id.values() if one.name == schema.name or names.intersection(one.names))
    return [schema, *others]


def hiding(personal: Personal, plan: Plan, schema: EventSchema | None) -> Hide:
    """Hides what is personal in properties of an event type: what any version of it has marked, and all that has a
    personal name, save what ``schema`` has planned in that very place and not marked."""
    if schema is None:
        return lambda properties: _by_names(properties, personal)
    own = _Own(schema, versions_of(plan, schema))
    return lambda properties: own.members(properties, _by_names(properties, personal))


def hidden_document(body: Any, personal: Personal, hide: Hide, *, framed: bool) -> Any:
    """A raw record with what is personal hidden; its properties are where its form has them, and nowhere else.
    ``framed``: it was Avro."""
    masked = mask(body, personal)
    if not isinstance(body, Mapping):
        return masked
    if framed:
        return {**masked, **hide({name: value for name, value in body.items() if name != "meta"})}
    place = "properties" if body.get("specversion") is None else "data"
    if isinstance(body.get(place), Mapping) and isinstance(masked[place], dict):
        masked[place] = hide(body[place])
    for name in ("context", "via"):
        if isinstance(body.get(name), Mapping) and isinstance(masked[name], dict):
            _unhide(body[name], masked[name])
    return masked


class _Own:
    """What an event type says itself. A value and what names leave of it are walked together with its type."""

    def __init__(self, schema: EventSchema, versions: list[EventSchema]) -> None:
        self._root = {"type": "record", "fields": schema.definition["fields"][1:]}
        self._marked = {path for one in versions for path in _marked(one.definition, ())}
        self._leading = {path[:end] for path in self._marked for end in range(1, len(path) + 1)}

    def members(self, properties: Mapping[str, Any], masked: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = self._shown(properties, masked, [self._root], ())
        return shown

    def _shown(self, value: Any, masked: Any, kind: Any, path: Path) -> Any:
        if value is None or path in self._marked:
            return masked
        branches = list(_branches(kind))
        if isinstance(value, Mapping):
            return self._object(value, masked, branches, path)
        if isinstance(value, list):
            items = [branch["items"] for branch in branches if branch["type"] == "array"]
            if not items:
                return masked
            below = masked if isinstance(masked, list) else [masked] * len(value)
            return [self._shown(item, below[place], items, path) for place, item in enumerate(value)]
        return value if path not in self._leading and _takes(branches, value) else masked

    def _object(self, value: Mapping[str, Any], masked: Any, branches: list[dict[str, Any]], path: Path) -> Any:
        values = [branch["values"] for branch in branches if branch["type"] == "map"]
        if values:  # keys are data too: what lies directly below them goes by names
            if not isinstance(masked, Mapping):
                return masked
            return {
                name: self._shown(item, masked[name], values, path)
                if isinstance(item, Mapping | list) and isinstance(masked[name], type(item)) else masked[name]
                for name, item in value.items()
            }  # fmt: skip
        fields: dict[str, list[Any]] = {}
        for branch in branches:
            for field in branch.get("fields", ()):
                fields.setdefault(field["name"], []).append(field["type"])
        if isinstance(masked, Mapping):
            below = masked
        elif value.keys() <= fields.keys():
            below = dict.fromkeys(value, masked)
        else:
            return masked
        return {
            name: self._shown(item, below[name], fields[name], (*path, name)) if name in fields else below[name]
            for name, item in value.items()
        }


def _by_names(properties: Mapping[str, Any], personal: Personal) -> dict[str, Any]:
    masked: dict[str, Any] = mask(properties, personal)
    return masked


def _branches(kind: Any) -> Iterator[dict[str, Any]]:
    """The types that a value may have, each as an object."""
    if isinstance(kind, list):
        for one in kind:
            yield from _branches(one)
    elif isinstance(kind, dict) and isinstance(kind["type"], dict | list):
        yield from _branches(kind["type"])
    else:
        yield kind if isinstance(kind, dict) else {"type": kind}


def _marked(kind: Any, path: Path) -> Iterator[Path]:
    for branch in _branches(kind):
        for inner in ("items", "values"):
            if inner in branch:
                yield from _marked(branch[inner], path)
        for field in branch.get("fields", ()):
            name = field["name"]
            if field.get("pii"):
                yield from ((*path, one) for one in (name, SPELLINGS.get(name, name)))
            yield from _marked(field["type"], (*path, name))


def _takes(branches: list[dict[str, Any]], value: Any) -> bool:
    if isinstance(value, str):
        return any(branch["type"] in _TEXTS or "logicalType" in branch for branch in branches)
    return isinstance(value, _SCALAR) and any(branch["type"] in _NUMBERS for branch in branches)


def _unhide(said: Mapping[str, Any], masked: dict[str, Any]) -> None:
    for part, members in IMPERSONAL.items():
        whole, hidden = said.get(part), masked.get(part)
        if isinstance(whole, Mapping) and isinstance(hidden, dict):
            hidden.update({name: whole[name] for name in members if isinstance(whole.get(name), _SCALAR)})
