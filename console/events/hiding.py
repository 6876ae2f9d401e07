"""What is personal hidden in events: by the plan where one can be laid upon them, else by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.dead_letters.masking import mask
from console.events.sent import ABSENT
from console.events.stored import Stored
from console.events.world import World
from schemas.personal import holds_pii

_IMPERSONAL = ("library", "app", "os")
"""Members of a context that are of no person, though a personal field may have the name of theirs."""
Hide = Callable[[Mapping[str, Any]], dict[str, Any]]


def hiding(world: World, stored: Stored | None) -> Hide:
    """Hides what is personal in properties. Of a valid event the plan says which are not; of everything else
    names alone decide, those of any event of the plan."""
    schema = None if stored is None else world.plan.newest.get(stored.schema.name, stored.schema)
    fields = [] if schema is None else schema.definition["fields"][1:]
    plain = {field["name"] for field in fields if not field.get("pii") and not holds_pii(field["type"])}

    def hide(properties: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = mask(properties, world.personal)
        return {name: value if name in plain else masked[name] for name, value in properties.items()}

    return hide


def hidden_document(world: World, body: Any, hide: Hide) -> Any:
    """A raw record with what is personal hidden; its properties are where its form has them."""
    if body is ABSENT:
        return None
    masked = mask(body, world.personal)
    for name in ("properties", "data"):
        if isinstance(body, Mapping) and isinstance(body.get(name), Mapping):
            masked[name] = hide(body[name])
    for name in ("context", "via"):
        said = body.get(name) if isinstance(body, Mapping) else None
        if isinstance(said, Mapping) and isinstance(masked[name], dict):
            masked[name].update({part: said[part] for part in _IMPERSONAL if part in said})
    return {**masked, **hide(body)} if isinstance(body, Mapping) and "meta" in body else masked
