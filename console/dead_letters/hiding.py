"""What is personal hidden in a record: by its own event schema where that is known, else by the names of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.dead_letters.masking import Personal, mask
from schemas.personal import holds_pii
from schemas.plan import EventSchema, Plan

Hide = Callable[[Mapping[str, Any]], dict[str, Any]]
IMPERSONAL: Mapping[str, tuple[str, ...]] = {
    "library": ("name", "version"),
    "app": ("name", "version", "build", "namespace"),
    "os": ("name", "version"),
    "device": ("manufacturer", "brand", "model", "type"),
    "page": ("name", "title", "path"),
    "campaign": ("name", "source", "medium", "term", "content"),
}
"""Members of a context whose meaning SDKs agree on, and which are of no person, though a personal property may have
their name. A device's own name and its ids are somebody's."""
_SCALAR = (str, int, float)


def known_schema(plan: Plan, event: str | None) -> EventSchema | None:
    """The newest of the event type that has this name; None where the plan has none."""
    return None if event is None else plan.by_name.get(event)


def hiding(personal: Personal, schema: EventSchema | None, *, judged: bool) -> Hide:
    """Hides what is personal in properties: of those that ``schema`` has it says itself which are, all others go by the
    names that any event of the plan calls so. Unless they were ``judged`` to be of its types, only plain values are
    what it says."""
    fields = [] if schema is None else schema.definition["fields"][1:]
    plain = {field["name"] for field in fields if not field.get("pii") and not holds_pii(field["type"])}

    def hide(properties: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = mask(properties, personal)
        shown = {name for name in plain.intersection(properties) if judged or isinstance(properties[name], _SCALAR)}
        return {name: value if name in shown else masked[name] for name, value in properties.items()}

    return hide


def hidden_document(body: Any, personal: Personal, hide: Hide) -> Any:
    """A raw record with what is personal hidden; its properties are where its form has them."""
    masked = mask(body, personal)
    if not isinstance(body, Mapping):
        return masked
    for name in ("properties", "data"):
        if isinstance(body.get(name), Mapping) and isinstance(masked[name], dict):
            masked[name] = hide(body[name])
    for name in ("context", "via"):
        if isinstance(body.get(name), Mapping) and isinstance(masked[name], dict):
            _unhide(body[name], masked[name])
    return {**masked, **hide(body)} if "meta" in body else masked


def _unhide(said: Mapping[str, Any], masked: dict[str, Any]) -> None:
    for part, members in IMPERSONAL.items():
        whole, hidden = said.get(part), masked.get(part)
        if isinstance(whole, Mapping) and isinstance(hidden, dict):
            hidden.update({name: whole[name] for name in members if isinstance(whole.get(name), _SCALAR)})
