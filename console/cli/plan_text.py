"""The event plan on a terminal. Names and texts are what senders chose, so nothing of them is printed as it is."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from console.cli.output import print_table
from console.cli.tables import wrapped
from console.plan.drafting import Draft, Drafted
from console.plan.entries import Entry
from console.plan.names import shown
from console.plan.wording import rows_of
from schemas.announce import rfc3339
from schemas.type_names import type_name

_SHORT = {"sdk": "sdk", "backend": "be", "integration": "int"}
_EXAMPLE = 40
_LABEL = 14


def plain(text: str, most: int = 80) -> str:
    """A text as a terminal may print it."""
    return shown(text, most)


def short_origins(origins: list[str]) -> str:
    """``all``, or ``sdk``, ``be`` (backend) and ``int`` (integration)."""
    return "all" if len(origins) == len(_SHORT) else " ".join(_SHORT[origin] for origin in origins)


def ago(at_ms: int | None, now: float | None = None) -> str:
    """``12 s ago``; beyond a month the date."""
    if at_ms is None:
        return ""
    seconds = max(0, int((now if now is not None else time.time()) - at_ms / 1000))
    for unit, size, most in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48), ("d", 86400, 31)):
        if seconds < most * size:
            return f"{seconds // size} {unit} ago"
    return rfc3339(at_ms)[:10]


def show_entry(entry: Entry) -> None:
    """Everything about one event type."""
    newest = entry.newest
    facts = [
        ("event", plain(entry.name, 200)),
        ("aliases", ", ".join(plain(name) for name in entry.names[1:])),
        ("means", plain(entry.doc, 500)),
        ("schema", f"{entry.record} version {newest.number}{f', id {newest.id}' if newest.id is not None else ''}"),
        ("origins", ", ".join(entry.origins)),
        ("sources", ", ".join(plain(source) for source in entry.senders) or "none declared with such an origin"),
        ("owner", plain(entry.owner or "nobody")),
        ("system", "yes: sources can switch it off" if entry.system else ""),
        ("unplanned", f"{entry.unplanned} (properties that the schema lacks)"),
        ("unique", ", ".join(entry.unique)),
        ("compatibility", entry.compatibility),
        ("conditions", ", ".join(entry.conditions) or "none"),
        ("offers", ", ".join(entry.offers) or "none"),
    ]
    for label, text in facts:
        for nth, line in enumerate(wrapped(text, _LABEL + 1) if text else ()):
            click.echo(f"{label + ':' if not nth else '':<{_LABEL}} {line}")
    click.echo()
    if entry.untyped:
        click.echo("Planned by name: its properties are kept as text,")
        click.echo("until `offerflow plan infer` drafts their types.")
    elif entry.properties:
        rows = (
            (plain(text) for text in (row.name, row.type, row.needed, row.bounds, row.marks)) for row in rows_of(entry)
        )
        print_table(("property", "type", "needed", "bounds", ""), (list(row) for row in rows))
    else:
        click.echo("It has no properties.")
    for version in entry.versions[1:]:
        click.echo(f"\nversion {version.number}, against the one before:")
        for change in version.changes:
            click.echo(f"  {change.action} {plain(change.text, 200)}")
    _show_sightings(entry)


def _show_sightings(entry: Entry) -> None:
    click.echo()
    if not entry.sightings.seen:
        click.echo("not seen yet")
        return
    print_table(
        ("source", "outcome", "count", "first seen", "last seen"),
        (
            (plain(one.source or "(none)"), one.outcome, one.count, ago(one.first), ago(one.last))
            for one in sorted(entry.sightings.seen, key=lambda one: (-one.last, one.source, one.outcome))
        ),
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """What ``plan show --output json`` prints."""
    return {
        "event": entry.name, "names": entry.names, "record": entry.record, "version": entry.newest.number,
        "schema_id": entry.newest.id, "doc": entry.doc, "origins": entry.origins, "owner": entry.owner,
        "system": entry.system, "unplanned": entry.unplanned, "unique": entry.unique,
        "compatibility": entry.compatibility, "untyped": entry.untyped, "properties": entry.properties,
        "versions": [
            {"version": one.number, "schema_id": one.id, "changes": [change.as_json() for change in one.changes]}
            for one in entry.versions
        ],
        "conditions": list(entry.conditions), "offers": list(entry.offers), "sources": list(entry.senders),
        "seen": [
            {"source": one.source, "outcome": one.outcome, "count": one.count, "first_seen": one.first,
             "last_seen": one.last, "error": one.error}
            for one in entry.sightings.seen
        ],
    }  # fmt: skip


def show_draft(draft: Draft) -> None:
    """What a draft says and why, for people."""
    record, version = draft.definition["name"], draft.definition.get("version", 1)
    kind = "new" if draft.base is None else f"after version {draft.base.version}"
    samples = f"{draft.samples} sample{'' if draft.samples == 1 else 's'}"
    click.echo(f"{plain(draft.event, 200)}: {record} version {version} ({kind}), from {samples}")
    if draft.base is None:
        click.echo(f"origins: {', '.join(draft.definition['origins'])}")
    if draft.properties:
        print_table(("property", "type", "seen", "example"), (_drafted_row(one, draft) for one in draft.properties))
    for one in draft.properties:
        for note in one.notes:
            click.echo(f"  {plain(one.name)}: {plain(note, 300)}")
    for note in draft.notes:
        click.echo(f"  {plain(note, 300)}")
    for conflict in draft.conflicts:
        click.echo(click.style(f"  conflict: {plain(conflict, 500)}", fg="red"))
    if not draft.changes and not draft.conflicts:
        click.echo("  nothing new: the plan has all of this")


def draft_json(draft: Draft) -> dict[str, Any]:
    return {
        "event": draft.event, "key": draft.key, "new": draft.base is None, "changes": draft.changes,
        "samples": draft.samples,
        "properties": [
            {"name": one.name, "type": one.field["type"] if one.field else None, "planned": one.field is not None,
             "pii": bool(one.field and one.field.get("pii")), "seen": one.seen, "nulls": one.nulls,
             "example": one.example, "notes": list(one.notes)}
            for one in draft.properties
        ],
        "notes": list(draft.notes), "conflicts": list(draft.conflicts), "schema": draft.definition,
    }  # fmt: skip


def _drafted_row(one: Drafted, draft: Draft) -> tuple[str, str, str, str]:
    kind = type_name(one.field["type"]) if one.field is not None else "(left out)"
    example = "" if one.example is None else plain(json.dumps(one.example, ensure_ascii=False), _EXAMPLE)
    if one.field is not None and one.field.get("pii"):
        kind, example = f"{kind}, pii", "(not shown)"
    return plain(one.name, 60), kind, f"{one.seen} of {draft.samples}", example
