"""The event plan as people look at it: every event type with its versions, who uses it, and what was seen of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.workspace.differences import Detail
from console.workspace.event_differences import event_differences
from console.workspace.state import Content, State, names_of, state_of, version_of
from console.workspace.uses import Uses, sources_sending
from offerflow.catalog.view import Catalog, Source
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from schemas.compatibility import level_of
from schemas.plan import ORIGINS
from schemas.seen import Seen

VALID, DROPPED = "valid", "dropped"


@dataclass(frozen=True, slots=True)
class Sightings:
    """Counts over sources; ``first`` and ``last`` are milliseconds since 1970, None if there are none."""

    seen: tuple[Seen, ...] = ()

    @property
    def valid(self) -> int:
        return self._count(lambda outcome: outcome == VALID)

    @property
    def dropped(self) -> int:
        return self._count(lambda outcome: outcome == DROPPED)

    @property
    def dead(self) -> int:
        return self._count(lambda outcome: outcome not in (VALID, DROPPED))

    @property
    def first(self) -> int | None:
        return min((one.first for one in self.seen), default=None)

    @property
    def last(self) -> int | None:
        return max((one.last for one in self.seen), default=None)

    @property
    def sources(self) -> list[str]:
        return sorted({one.source for one in self.seen})

    def _count(self, wanted: Callable[[str], bool]) -> int:
        return sum(one.count for one in self.seen if wanted(one.outcome))


@dataclass(frozen=True, slots=True)
class Version:
    """``id`` is its schema id; None in a workspace that was not applied. ``changes`` since the version before."""

    number: int
    id: int | None
    definition: Content
    changes: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One event type. ``conditions`` and ``offers`` are ids of what uses it, ``senders`` those of sources that may
    send it."""

    versions: tuple[Version, ...]
    conditions: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    sightings: Sightings = field(default_factory=Sightings)

    @property
    def newest(self) -> Version:
        return self.versions[-1]

    @property
    def definition(self) -> Content:
        return self.newest.definition

    @property
    def record(self) -> str:
        return str(self.definition["name"])

    @property
    def names(self) -> list[str]:
        return names_of(self.definition)

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def origins(self) -> list[str]:
        return [origin for origin in ORIGINS if origin in self.definition.get("origins", ORIGINS)]

    @property
    def owner(self) -> str | None:
        return self.definition.get("owner")

    @property
    def doc(self) -> str:
        return str(self.definition.get("doc", ""))

    @property
    def system(self) -> bool:
        return bool(self.definition.get("system", False))

    @property
    def unplanned(self) -> str:
        return str(self.definition.get("unplanned", "strip"))

    @property
    def unique(self) -> list[str]:
        return list(self.definition.get("unique", ()))

    @property
    def compatibility(self) -> str:
        return level_of(self.definition)

    @property
    def properties(self) -> list[dict[str, Any]]:
        return list(self.definition["fields"][1:])

    @property
    def untyped(self) -> bool:
        """Whether only its name is planned: everything it carries is kept as text."""
        return [one["name"] for one in self.properties] == ["extra"]


@dataclass(frozen=True, slots=True)
class PlanView:
    """``entries`` by display name; ``strangers``: names that came and are not planned, with what was seen of them.
    ``serial`` counts applies; None in a workspace."""

    entries: tuple[Entry, ...]
    strangers: Mapping[str, Sightings]
    sources: tuple[Content, ...] = ()
    serial: int | None = None

    def find(self, name: str) -> Entry:
        """The entry of a display name, an alias or a record name. Raises OfferflowError naming the nearest."""
        for entry in self.entries:
            if name in entry.names:
                return entry
        for entry in self.entries:
            if name == entry.record:
                return entry
        known = [known for entry in self.entries for known in (*entry.names, entry.record)]
        if name in self.strangers:
            count = self.strangers[name].dead
            raise OfferflowError(
                f"{name!r} is not planned; it came {count} times. `offerflow plan infer {shlex.quote(name)}` drafts a"
                " schema from the samples"
            )
        raise OfferflowError(f"the event plan has no event {name!r}{did_you_mean(name, known)}")


def view_of(catalog: Catalog, seen: Iterable[Seen] = (), built_in: Iterable[Source] = ()) -> PlanView:
    """The plan in force. ``built_in``: sources that may send though nothing defines them."""
    ids = {key: value["schema_id"] for key, value in catalog.of_kind("event").items()}
    return view_of_state(state_of(catalog), ids, seen, catalog.head.serial, tuple(built_in))


def view_of_state(
    state: State, ids: Mapping[str, int] | None = None, seen: Iterable[Seen] = (), serial: int | None = None,
    built_in: Sequence[Source] = (),
) -> PlanView:  # fmt: skip
    """A plan from anywhere; ``ids`` are schema ids by key, such as ``event/OrderPlaced@1``."""
    types: dict[str, list[Content]] = {}
    for key, content in state.items():
        if key.startswith("event/"):
            types.setdefault(content["name"], []).append(content)
    for versions in types.values():
        versions.sort(key=version_of)
    owner = {name: record for record, versions in types.items() for name in names_of(versions[-1])}
    sightings: dict[str, list[Seen]] = {}
    strangers: dict[str, list[Seen]] = {}
    for one in seen:
        if one.name in owner:
            sightings.setdefault(owner[one.name], []).append(one)
        elif one.name:
            strangers.setdefault(one.name, []).append(one)
    uses = Uses(state)
    entries = []
    for record, versions in types.items():
        newest = versions[-1]
        senders = [one.id for one in built_in if one.origin in newest.get("origins", ORIGINS)]
        senders += sources_sending(state, newest)
        entries.append(_entry(versions, ids or {}, uses, sorted(senders), sightings.get(record, [])))
    return PlanView(
        tuple(sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))),
        {name: Sightings(tuple(rows)) for name, rows in sorted(strangers.items())},
        tuple(content for name, content in sorted(state.items()) if name.startswith("source/")),
        serial,
    )


def _entry(
    definitions: list[Content], ids: Mapping[str, int], uses: Uses, senders: Iterable[str], seen: list[Seen]
) -> Entry:
    using = uses.of_event(definitions[-1]["name"])
    return Entry(
        tuple(_versions(definitions, ids)),
        tuple(uses.conditions_among(using)),
        tuple(uses.offers_of(using)),
        tuple(senders),
        Sightings(tuple(seen)),
    )


def _versions(definitions: list[Content], ids: Mapping[str, int]) -> Iterator[Version]:
    before: Content | None = None
    for definition in definitions:
        number = version_of(definition)
        changes = tuple(event_differences(before, definition)) if before is not None else ()
        yield Version(number, ids.get(f"event/{definition['name']}@{number}"), definition, changes)
        before = definition
