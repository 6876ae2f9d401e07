"""The catalog as a value: the fold of the catalog topic.

Keys: ``event/<Name>@<version>`` and ``condition/<id>@<hash>``, ``offer/…``, ``settings/…`` never change once written;
``source/<id>`` and ``key/<sha256>`` are replaced or removed; ``ruleset/<hash>`` lists what it is made of; ``head``
names what is current; ``release/<serial>`` remembers what was, and who made it so. Values are JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from offerflow.runtime.settings import Settings

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A sender. ``topics`` are short names such as ``raw.backend``; ``system_events`` switches by event name;
    ``unplanned_events`` is ``dead-letter``, or ``adopt`` for development: new names are planned by themselves."""

    id: str
    origin: str
    topics: tuple[str, ...] = ()
    system_events: Mapping[str, bool] = field(default_factory=dict)
    unplanned_events: str = "dead-letter"


@dataclass(frozen=True, slots=True)
class Key:
    """A key by which ``source`` sends over HTTP, known by its SHA-256 alone. ``events``: the only names it may send,
    None for any; ``origins``: the web origins browsers may use it from, None for any; ``rate``: events per second, 0
    for any number, with ``burst`` at once. ``expires_at``: milliseconds since 1970, 0 for never; ``replaced_by``: the
    id of the key that takes its place then; ``revoked_at``: when somebody ended it for good, 0 if nobody did, and its
    ``expires_at`` says nothing then. Other times are RFC 3339, for people."""

    digest: str
    source: str
    kind: str = "sk"
    label: str = ""
    events: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    rate: float = 0
    burst: int = 0
    created_at: str = ""
    expires_at: int = 0
    replaced_by: str = ""
    revoked_at: int = 0

    ID_DIGITS: ClassVar[int] = 12

    @property
    def id(self) -> str:
        """What names a key to people, in lists and logs: it opens nothing."""
        return self.digest[: self.ID_DIGITS]

    def active(self, now: float) -> bool:
        """Whether it opens its source at ``now``, in milliseconds since 1970."""
        return not self.revoked_at and (not self.expires_at or now < self.expires_at)


LOCAL_SERVER = Source("local-server", "backend")
"""The built-in source of a local stack; it exists where a server key for it is set."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is current. ``serial`` counts applies; ``definitions`` are keys of the catalog in order; ``ruleset`` is
    empty until there is one."""

    serial: int = 0
    ruleset: str = ""
    definitions: tuple[str, ...] = ()
    next_schema_id: int = 1000


class Catalog:
    """An immutable view. ``position`` is the next offset of the catalog topic that it has not seen."""

    def __init__(self, records: Mapping[str, Value] | None = None, position: int = 0) -> None:
        self.records: Mapping[str, Value] = records or {}
        self.position = position
        head = self.records.get("head", {})
        self.head = Head(
            serial=head.get("serial", 0),
            ruleset=head.get("ruleset", ""),
            definitions=tuple(head.get("definitions", ())),
            next_schema_id=head.get("next_schema_id", 1000),
        )
        self.sources: Mapping[str, Source] = {
            value["id"]: Source(
                value["id"],
                value["origin"],
                tuple(value.get("topics", ())),
                dict(value.get("system_events", {})),
                value.get("unplanned_events", "dead-letter"),
            )
            for key, value in self.records.items()
            if key.startswith("source/")
        }
        self.keys: Mapping[str, Key] = {
            digest: _key(digest, value)
            for name, value in self.records.items()
            if (digest := name.removeprefix("key/")) != name
        }
        """By the SHA-256 of the key, those that have ended included."""

    def of_kind(self, kind: str) -> dict[str, Value]:
        """Every record of a kind by key, current or not: ``of_kind("event")``."""
        return {key: value for key, value in self.records.items() if key.startswith(f"{kind}/")}

    def current(self, kind: str) -> dict[str, Value]:
        """The current definitions of a kind by key, in the head's order."""
        return {key: self.records[key] for key in self.head.definitions if key.startswith(f"{kind}/")}


def _key(digest: str, value: Value) -> Key:
    events, origins = value.get("events"), value.get("origins")
    return Key(
        digest, value["source"], value.get("kind", "sk"), value.get("label", ""),
        None if events is None else tuple(events), None if origins is None else tuple(origins),
        value.get("rate", 0), value.get("burst", 0), value.get("created_at", ""), value.get("expires_at", 0),
        value.get("replaced_by", ""), value.get("revoked_at", 0),
    )  # fmt: skip


def sources_of(settings: Settings, catalog: Catalog) -> dict[str, Source]:
    """The declared sources by id, and the built-in one where it exists."""
    built_in = {LOCAL_SERVER.id: LOCAL_SERVER} if settings.local.server_key is not None else {}
    return {**built_in, **catalog.sources}
