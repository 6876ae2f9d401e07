"""The calls that every library of Segment's kind has, as a test makes them and as the journal must have them then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.interop.edge import SOURCES, Edge, Event, somebody
from tests.interop.front import Front

AT_MS = 1_772_704_799_250
AT = "2026-03-05T09:59:59.250Z"
PURCHASE = {"order_id": "o-1", "amount": 59.9, "currency": "EUR"}
TRAITS = {"plan": "pro", "country": "DE", "email": "ann@example.org"}
PAGE = {"path": "/docs", "url": "https://shop.example/docs", "title": "Docs"}
GROUP = {"name": "ACME", "plan": "team"}


@dataclass
class Person:
    """Who makes the calls of one test: nobody else has these ids."""

    user: str = field(default_factory=somebody)
    anonymous: str = field(default_factory=lambda: somebody("anonymous"))

    @property
    def old(self) -> str:
        return f"{self.user}-old"

    @property
    def group(self) -> str:
        return f"{self.user}-group"


def kinds(events: list[Event]) -> Mapping[str, Event]:
    """Events by their kind, of which each is there once."""
    found = {event.kind: event for event in events}
    assert len(found) == len(events), [event.kind for event in events]
    return found


def check_calls(edge: Edge, person: Person, *, origin: str = "backend") -> Mapping[str, Event]:
    """One call of each kind is in the journal with user, source, time and properties; pii is null there."""
    found = kinds(edge.events(person.user, 6))
    purchase, who, page = found["PurchaseCompleted"], found["Identified"], found["PageViewed"]
    assert {name: purchase.properties[name] for name in PURCHASE} == PURCHASE
    assert (who.properties["plan"], who.properties["country"], who.properties["email"]) == ("pro", "DE", None)
    assert {name: page.properties[name] for name in PAGE} == PAGE
    assert (page.properties["name"], page.properties["category"]) == ("Intro", "Docs")
    assert found["ScreenViewed"].properties["name"] == "Start"
    group = found["GroupJoined"].properties
    assert (group["group_id"], group["name"], group["plan"]) == (person.group, "ACME", "team")
    assert found["Aliased"].properties["previous_id"] == person.old
    for event in found.values():
        assert (event.user, event.key, event.meta["source"]) == (person.user, f"u:{person.user}", SOURCES[origin])
        assert event.meta["origin"] == origin
    return found


@dataclass
class Troubles:
    """One person for each thing that can go wrong on the way; a client of its own sends one event of each."""

    front: Front
    wait: str = "1"
    busy: str = field(default_factory=somebody)
    limited: str = field(default_factory=somebody)
    lost: str = field(default_factory=somebody)
    bad: str = field(default_factory=somebody)
    large: str = field(default_factory=somebody)

    def __post_init__(self) -> None:
        self.front.answer(503, mark=self.busy, retry_after=self.wait, body=_refusal("unavailable"))
        self.front.answer(429, mark=self.limited, retry_after=self.wait, body=_refusal("too_many_requests"))
        self.front.lose_answer(mark=self.lost)
        self.front.answer(400, mark=self.bad, body=_refusal("malformed_json"))
        self.front.answer(413, mark=self.large, body=_refusal("event_too_large"))

    @property
    def people(self) -> list[str]:
        return [*self.retried, *self.dropped]

    @property
    def retried(self) -> list[str]:
        return [self.busy, self.limited, self.lost]

    @property
    def dropped(self) -> list[str]:
        return [self.bad, self.large]

    def check(self, edge: Edge, kind: str = "PurchaseCompleted") -> None:
        """What may succeed later came again with the same id and is one event; what cannot came once and is none."""
        for user in self.retried:
            (event,) = edge.events(user)
            assert event.kind == kind
            first, second = self.front.posts(2, mark=user)[:2]
            assert _ids(first.json, user) == _ids(second.json, user) == {event.id}
        for user in self.dropped:
            assert [seen.status in (400, 413) for seen in self.front.posts(mark=user)] == [True]
            assert not [raw for raw in edge.raw if raw.key == user]


def _ids(body: Any, user: str) -> set[str]:
    """The message ids of this user in a batch, or of a single call."""
    items = body.get("batch", [body])
    return {item["messageId"] for item in items if item.get("userId") == user}


def _refusal(code: str) -> dict[str, Any]:
    """As the edge puts it for these clients."""
    return {"success": False, "code": code, "message": "cannot be taken"}
