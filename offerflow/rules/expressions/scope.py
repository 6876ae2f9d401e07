"""What an expression may name: the properties of an event, of any event, or the traits of a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from offerflow.rules.events import EventType, Kind, PropertyType
from offerflow.rules.expressions.syntax import ExpressionError, Property
from offerflow.rules.nearest import did_you_mean

META = {
    "event_id": PropertyType(Kind.STRING, required=True),
    "user_id": PropertyType(Kind.STRING),
    "anonymous_id": PropertyType(Kind.STRING),
    "source": PropertyType(Kind.STRING, required=True),
    "origin": PropertyType(Kind.ENUM, ("sdk", "backend", "integration"), required=True),
    "time": PropertyType(Kind.TIME, required=True),
    "received_at": PropertyType(Kind.TIME, required=True),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """``owner`` is whose ``properties`` they are, for people, empty for any event's; ``meta``: whether ``meta.`` is
    there too."""

    owner: str
    properties: Mapping[str, PropertyType]
    meta: bool = True

    @classmethod
    def of_event(cls, event: EventType) -> Scope:
        return cls(event.names[0], event.properties)

    @classmethod
    def of_any(cls, events: Iterable[EventType]) -> Scope:
        """Properties that some event has. Where events differ in the type it is known only when one comes."""
        return cls("", _merged(events))

    @classmethod
    def of_traits(cls, events: Iterable[EventType]) -> Scope:
        return cls("a user", _merged(one for one in events if one.sets_traits), meta=False)

    def type_of(self, node: Property) -> PropertyType:
        """The planned type at a path. Raises ExpressionError with the nearest name where there is none."""
        names, known, rest = node.path, self.properties, node.path
        if self.meta and names[0] == "meta" and "meta" not in known and len(names) > 1:
            known, rest = META, names[1:]
        found: PropertyType | None = None
        for at, name in enumerate(rest):
            if name not in known:
                owner = ".".join(names[: len(names) - len(rest) + at]) or self.owner
                lacks = f"{owner} has no" if owner else "no event has a"
                raise ExpressionError(f"{lacks} {self._what} {name!r}{_hint(name, known, owner)}", node.column)
            found = known[name]
            if found.pii:
                raise ExpressionError(f"{'.'.join(names)} is marked pii and never reaches the rules", node.column)
            if found.kind is Kind.ANY:
                return found
            if found.kind in (Kind.MAP, Kind.LIST) and at < len(rest) - 1:
                raise ExpressionError(f"not supported: reading inside {found.kind.said} ({name!r})", node.column)
            known = found.fields
        assert found is not None  # noqa: S101 - a path has at least one name
        return found

    @property
    def _what(self) -> str:
        return "property" if self.meta else "trait"


def _hint(name: str, known: Mapping[str, PropertyType], owner: str) -> str:
    listed = ", ".join(sorted(known)[:20]) or "none"
    there = "it has" if owner else "there is"
    return did_you_mean(name, known) or f"; {there} {listed}{', …' * (len(known) > 20)}"


def _merged(events: Iterable[EventType]) -> dict[str, PropertyType]:
    found: dict[str, PropertyType] = {}
    for event in events:
        for name, planned in event.properties.items():
            other = found.get(name, planned)
            if other.pii or planned.pii:
                found[name] = PropertyType(Kind.ANY, pii=True)
            elif (other.kind, other.symbols) == (planned.kind, planned.symbols):
                found[name] = other if other == planned else PropertyType(other.kind, other.symbols, other.fields)
            elif {other.kind, planned.kind} <= {Kind.STRING, Kind.ENUM}:
                found[name] = PropertyType(Kind.STRING)
            else:
                found[name] = PropertyType(Kind.ANY)
    return found
