"""The one way into the catalog for everybody who changes it: the change, what remembers it and what puts it in force,
in one transaction.

Beside the definitions and the head a change leaves ``release/<serial>`` in the catalog, which is what conflicts,
``rulesets list`` and a rollback read, and a record in the topic ``audit``, which outlives all of them.
"""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from console.workspace.change import Change
from console.workspace.in_force import await_in_force
from offerflow.catalog.view import Catalog, Value
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import DependencyDown, Refused
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import create_topics
from schemas.journal import RULESET_ACTIVATED
from schemas.plan import load_event_schema

KEPT = 200
"""Releases in the catalog, which every program holds in memory. The topic ``audit`` keeps all."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something and by what: ``ana@laptop`` and ``apply``, ``plan add``, ``console``, …"""

    name: str
    how: str


def current_author(how: str) -> Author:
    """The person at this machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that no user has
        user = "unknown"
    return Author(f"{user}@{socket.gethostname()}", how)


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


def commit(
    settings: Settings,
    writer: CatalogWriter,
    change: Change,
    author: Author,
    timeout_s: float,
    warn: Callable[[str], None] = _warn,
) -> dict[str, int]:
    """Write ``change`` and wait until it is in force: number of workers per stage that have it.

    Where the settings name a schema registry, new event schemas are registered there too; ``warn`` is told of those it
    did not take. A change without records writes nothing and returns nothing. Raises TryAgain if another writer was
    faster, NotInForce if the change is written but not taken by every worker within ``timeout_s``.
    """
    if not change.records:
        return {}
    registry = _public_registry(settings)
    create_topics(settings, change.raw_topics)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    records = {**change.records, **release_records(writer.catalog, change, author, at)}
    writer.write(records, [*_activations(settings, change.ruleset), audit_record(settings, author, at, change)])
    if registry is not None:
        _register(settings, change, registry, warn)
    return await_in_force(settings, timeout_s)


def _public_registry(settings: Settings) -> str | None:
    """The URL to show; a wrong one is refused before anything is written."""
    if settings.registry.url is None:
        return None
    from offerflow.runtime.registry import public_url  # a client of HTTP, which most deployments never need

    return public_url(settings.registry.url)


def _register(settings: Settings, change: Change, where: str, warn: Callable[[str], None]) -> None:
    from schemas.registry import register

    new = [(key.partition("/")[2], value) for key, value in change.records.items()
           if key.startswith("event/") and value is not None]  # fmt: skip
    if not new:
        return
    said: list[str] = []
    with click.progressbar(new, label=f"Registering event schemas at {where}", file=sys.stderr) as bar:
        for at, (name, value) in enumerate(bar):
            try:
                register(settings, load_event_schema(value["schema"], value["schema_id"]))
            except Refused as error:
                said.append(f"event {name} is applied, but not in the registry {where}: {error}")
            except DependencyDown as error:
                # The others would wait as long for the same answer.
                names = [left for left, _ in new[at:]]
                what = f"event {name} is" if len(names) == 1 else f"events {', '.join(names)} are"
                said.append(f"{what} applied, but not in the registry {where}: {error}")
                break
    for text in said:
        warn(text)


def audit_record(settings: Settings, author: Author, at: str, change: Change) -> Output:
    """What the topic ``audit`` keeps of a change."""
    value = {
        "at": at, "by": author.name, "how": author.how, "serial": change.serial, "ruleset": change.ruleset or None,
        "changes": [line.brief() for line in change.lines],
    }  # fmt: skip
    return Output(settings.topic("audit"), author.name.encode(), msgspec.json.encode(value), partition=0)


def release_records(catalog: Catalog, change: Change, author: Author, at: str) -> dict[str, Value | None]:
    """The record of this release, and of the one before if that was written by a version that kept none; the oldest
    ones are removed."""
    found: dict[str, Value | None] = {}
    head = catalog.head
    if head.serial and f"release/{head.serial}" not in catalog.records:
        sources = {key.partition("/")[2]: value for key, value in catalog.of_kind("source").items()}
        found[f"release/{head.serial}"] = _release(
            head.serial, None, None, None, head.ruleset, list(head.definitions), sources, []
        )
    new = change.records.get("head")
    if new is not None:
        found[f"release/{change.serial}"] = _release(
            change.serial, at, author.name, author.how, new["ruleset"], new["definitions"], change.sources,
            [line.brief() for line in change.lines],
        )  # fmt: skip
        there = sorted(value["serial"] for value in catalog.of_kind("release").values())
        found |= {f"release/{serial}": None for serial in there[: max(0, len(there) + 1 - KEPT)]}
    return found


def _release(
    serial: int, at: str | None, by: str | None, how: str | None, ruleset: str, definitions: list[str],
    sources: dict[str, Value], changes: list[dict[str, Any]],
) -> Value:  # fmt: skip
    return {
        "serial": serial, "at": at, "by": by, "how": how, "ruleset": ruleset, "definitions": definitions,
        "sources": sources, "changes": changes,
    }  # fmt: skip


def _activations(settings: Settings, ruleset: str) -> list[Output]:
    """The record that puts a ruleset in force, for every partition of the journal."""
    if not ruleset:
        return []
    value = RULESET_ACTIVATED.encode({"ruleset": ruleset})
    return [
        Output(settings.topic("journal"), None, value, partition=partition) for partition in range(settings.partitions)
    ]
