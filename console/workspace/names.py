"""Names that two event types claim: which of them is to give way does not depend on the alphabet."""

from __future__ import annotations

from collections.abc import Container

from schemas.plan import EventSchema, Plan


def shared_names(plan: Plan, present: Container[str]) -> list[tuple[EventSchema, EventSchema, list[str]]]:
    """Who claims what belongs to another: (the later one, the owner, their names in common). What is in ``present``
    (``event/Name@version``) had its names before; of two that come together the first by record name owns them."""
    owners: dict[str, EventSchema] = {}
    claims: dict[tuple[str, str], list[str]] = {}
    for schema in sorted(plan.newest.values(), key=lambda one: (one.key not in present, one.name)):
        for name in schema.names:
            other = owners.setdefault(name, schema)
            if other is not schema:
                claims.setdefault((schema.name, other.name), []).append(name)
    return [(plan.newest[mine], plan.newest[other], names) for (mine, other), names in claims.items()]
