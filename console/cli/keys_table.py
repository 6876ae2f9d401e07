"""Keys as people and programs read them: terms in words, when each was last used, and until when it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from console.keys.book import find, rfc3339
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog, Key
from offerflow.runtime.errors import ConfigError, DependencyDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings


def list_of(settings: Settings, source: str | None, now: int) -> list[dict[str, Any]]:
    """Every key of the catalog by source and age. Of a store that is away the list says so, and goes without it."""
    catalog, used = _catalog(settings), _last_used(settings)
    found = [_listed(catalog, key, used, now) for key in catalog.keys.values() if source in (None, key.source)]
    return sorted(found, key=lambda one: (one["source"], one["created_at"], one["id"]))


def one_of(settings: Settings, wanted: str, now: int) -> dict[str, Any]:
    """The same of one key, itself or its id. Raises OfferflowError if there is none."""
    catalog = _catalog(settings)
    return _listed(catalog, find(catalog, wanted), _last_used(settings), now)


def as_json(key: Key, now: int) -> dict[str, Any]:
    """What there is to say of a key; ``events`` and ``origins`` are null where any will do, ``rate`` where there is no
    limit."""
    end = key.revoked_at or key.expires_at
    return {
        "id": key.id, "source": key.source, "kind": key.kind, "label": key.label,
        "state": "active" if key.active(now) else "revoked" if key.revoked_at else "ended",
        "events": None if key.events is None else list(key.events),
        "origins": None if key.origins is None else list(key.origins),
        "rate": key.rate or None, "burst": key.burst or None, "created_at": key.created_at,
        "expires_at": rfc3339(end) if end else None, "replaced_by": key.replaced_by or None,
        "revoked_at": rfc3339(key.revoked_at) if key.revoked_at else None,
    }  # fmt: skip


def describe(key: Key) -> str:
    """``3f9a0c… of shop (iOS 4.x)``."""
    from console.cli.tables import visible

    return f"{key.id} of {key.source}" + (f" ({visible(key.label)})" if key.label else "")


def print_keys(found: Sequence[Mapping[str, Any]]) -> None:
    """A table; columns that no key has anything for are left out."""
    from console.cli.plan_text import ago
    from console.cli.tables import print_fitting
    from schemas.values import parse_time

    rows = []
    for one in found:
        last = one.get("last_used_at")
        ends = one["expires_at"] if one["state"] == "active" else one["state"]
        if one["revoked_at"]:
            ends = f"revoked {one['revoked_at']}"
        used = "" if "last_used_at" not in one else ago(parse_time(last)) if last else "never"
        rows.append((
            one["id"], one["source"], one["kind"], used, ends, one["created_at"], one["replaced_by"], one["label"],
            _terms(one),
        ))  # fmt: skip
    columns = ("id", "source", "kind", "last used", "ends", "created", "replaced by", "label", "only")
    print_fitting(columns, rows, ("created",), below=3)


def print_key(one: Mapping[str, Any]) -> None:
    """A line for each thing there is to say; what is limited by nothing says so."""
    from console.cli.plan_text import ago
    from console.cli.tables import print_facts
    from schemas.values import parse_time

    last = one["last_used_at"]
    kind = {"sk": "sk, for servers", "wk": "wk, write only, for apps and pages"}
    facts = [
        ("id", one["id"]), ("source", one["source"]), ("kind", kind.get(one["kind"], one["kind"])),
        ("label", one["label"]), ("state", one["state"]),
        ("created", one["created_at"]), ("last used", f"{last}, {ago(parse_time(last))}" if last else "never"),
        ("revoked", one["revoked_at"]) if one["revoked_at"] else ("ends", one["expires_at"] or "never"),
        ("replaced by", one["replaced_by"]),
        ("events", _listing(one["events"])), *((("origins", _listing(one["origins"])),) if one["kind"] == "wk" else ()),
        ("rate", f"{one['rate']:g}/s, {one['burst']} at once" if one["rate"] else "any"),
    ]  # fmt: skip
    print_facts((name, value) for name, value in facts if value)


def _listing(allowed: Sequence[str] | None) -> str:
    return "any" if allowed is None else ", ".join(allowed) or "none"


def _terms(one: Mapping[str, Any]) -> str:
    parts = []
    if one["events"] is not None:
        parts.append(f"send {', '.join(one['events'])}")
    if one["origins"] is not None:
        parts.append(f"from {', '.join(one['origins'])}")
    if one["rate"]:
        parts.append(f"{one['rate']:g}/s, {one['burst']} at once")
    return "; ".join(parts)


def _catalog(settings: Settings) -> Catalog:
    Admin(settings).ping()
    follower = CatalogFollower(settings, "offerflow-keys")
    try:
        return follower.start()
    finally:
        follower.close()


def _listed(catalog: Catalog, key: Key, used: Mapping[str, str], now: int) -> dict[str, Any]:
    state = {} if key.source in catalog.sources else {"state": "source is gone"}
    return {**as_json(key, now), "last_used_at": used.get(key.id), **state}


def _last_used(settings: Settings) -> dict[str, str]:
    from offerflow.runtime.store.engine import open_store
    from offerflow.runtime.store.key_use import last_uses
    from offerflow.runtime.store.transactions import reading

    try:
        engine = open_store(settings)
        try:
            with reading(engine) as connection:
                return {key: rfc3339(at) for key, at in last_uses(connection).items()}
        finally:
            engine.dispose()
    except (DependencyDown, ConfigError) as error:
        click.echo(f"when keys were last used cannot be told: {error}", err=True)
        return {}
