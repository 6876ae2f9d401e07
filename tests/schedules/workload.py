"""What a schedule's deployment does: a small plan, three rulesets in turn, and seeded raw records that meet them.

Counts, a sequence, an absence, an expiry, a reward that waits and one that is taken back, a withdrawal in mid-stream;
among the events repeats, conflicts, late ones, strangers, and records that are no events at all.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from offerflow.catalog.view import Catalog, Value
from offerflow.rules.ruleset import ENGINE
from schemas.codec import frame

RAW = ("raw.backend", "raw.sdk")
USERS = tuple(f"u{number}" for number in range(1, 11))
CARTED_FOR, JOINED_FOR = 20, 30
"""Seconds after which a cart is forgotten, and a trial over."""
Definition = dict[str, Any]


def _schema(name: str, *fields: tuple[str, str], **more: Any) -> Definition:
    written = [{"name": key, "type": kind} for key, kind in fields]
    meta = {"name": "meta", "type": "events.Meta"}
    return {"type": "record", "namespace": "events", "name": name, "event": [name], "fields": [meta, *written], **more}


SCHEMAS = (
    _schema("Visited"), _schema("Carted"), _schema("Joined"), _schema("Paid", ("order", "string"), ("total", "long")),
    _schema("Refunded", ("order", "string"), reverses={"event": "Paid", "by": "order"}),
    _schema("Machine Woke", system=True),
)  # fmt: skip


def _offer(name: str, entry: Definition, completion: Any = None, **more: Any) -> Definition:
    made = {"kind": "offer", "id": name, "entry": entry, "reentry": "after_completion", **more}
    return made if completion is None else {**made, "completion": completion}


SETTINGS: Definition = {"kind": "settings", "id": "rules", "grace": "6s", "allowed_lateness": "1h"}
TWICE = {"event": "Visited", "count": {"at_least": 2}}
REGULAR = _offer("regular", {"event": "Visited"}, TWICE, reward={"id": "coffee"})
FORGOTTEN = _offer(
    "forgotten", {"absent": {"event": "Paid"}, "after": {"event": "Carted"}, "within": f"{CARTED_FOR}s"}, "immediate",
    reward={"id": "nudge", "value": "5 EUR"},
)  # fmt: skip
TRIAL = _offer(
    "trial", {"event": "Joined"}, {"event": "Paid"}, expires_after=f"{JOINED_FOR}s", reentry="after_expiry",
    reward={"id": "thanks", "value": "1 EUR", "pending": "15s"},
)  # fmt: skip
PATH = _offer("path", {"sequence": [{"event": "Visited"}, {"event": "Carted"}, {"event": "Paid"}]}, "immediate",
              reward={"id": "loyal"})  # fmt: skip
SPENDER = _offer("spender", {"event": "Paid", "sum": {"of": "total", "at_least": 50}}, {"event": "Paid"})
RULESETS = (
    (SETTINGS, REGULAR, FORGOTTEN, TRIAL, PATH),
    # The trial is withdrawn, so that partitions sweep; a count changes its meaning; an offer is new.
    (
        SETTINGS, {**REGULAR, "completion": {"event": "Visited"}}, FORGOTTEN, {**TRIAL, "withdraw": True}, PATH,
        SPENDER,
    ),
    (SETTINGS, REGULAR, FORGOTTEN, TRIAL, SPENDER),
)  # fmt: skip


def catalog_records(rulesets: int) -> dict[str, Value]:
    """What the catalog topic holds once the first ``rulesets`` of RULESETS were applied."""
    events = {f"event/{one['name']}@1": {"schema_id": 1000 + at, "schema": one} for at, one in enumerate(SCHEMAS)}
    records: dict[str, Value] = dict(events)
    records["source/shop"] = {"id": "shop", "origin": "backend", "topics": ["raw.backend"]}
    records["source/app"] = {"id": "app", "origin": "sdk", "topics": ["raw.sdk"],
                             "system_events": {"Machine Woke": False}}  # fmt: skip
    for at in range(rulesets):
        keys = {f"{one['kind']}/{one['id']}@{at}": {"definition": one} for one in RULESETS[at]}
        records |= keys
        records[f"ruleset/r{at}"] = {"engine": ENGINE, "definitions": [*events, *keys]}
    head = {"serial": rulesets, "ruleset": f"r{rulesets - 1}", "definitions": [*events], "next_schema_id": 2000}
    records["head"] = head
    return records


CATALOG = Catalog(catalog_records(len(RULESETS)))
"""As it is at the end; nothing in it means something else than it did before."""


def change(rulesets: int) -> dict[str, Value]:
    """What applying the ruleset number ``rulesets`` (from 1) writes to the catalog topic; it is named by ``named``."""
    before = catalog_records(rulesets - 1) if rulesets > 1 else {}
    return {key: value for key, value in catalog_records(rulesets).items() if before.get(key) != value}


def named(rulesets: int) -> str:
    return f"r{rulesets - 1}"


UNKNOWN = frame(999) + b"no version of us wrote this"
"""A journal record that costs a dead letter."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A record for a raw topic (named without prefix)."""

    topic: str
    key: bytes | None
    value: bytes | None


@dataclass
class Traffic:
    """An endless stream of raw records from one seeded source of chance."""

    random: random.Random
    _number: int = 0
    _recent: list[Raw] = field(default_factory=list)
    _orders: list[tuple[str, str]] = field(default_factory=list)

    def take(self, now: int) -> list[Raw]:
        """What somebody uploads at ``now`` (ms): mostly one record, now and then some that belong together."""
        draw = self.random
        chance = draw.random()
        if chance < 0.08:
            return [self._broken()]
        if chance < 0.18 and self._recent:
            return [self._again(draw.choice(self._recent))]
        user = draw.choice(USERS)
        at = now - draw.choice((0, 0, 0, 500, 2_000, 40_000))
        made = [self._one(draw.choice(("Visited", "Visited", "Carted", "Joined", "Paid", "Refunded")), user, at)]
        if draw.random() < 0.25:
            made.append(self._one(draw.choice(("Carted", "Paid")), user, at + draw.randrange(1_000)))
        self._recent = [*self._recent[-8:], *made]
        return made

    def _one(self, event: str, user: str, at: int) -> Raw:
        self._number += 1
        draw = self.random
        properties: dict[str, Any] = {}
        if event == "Paid":
            properties = {"order": f"o{self._number}", "total": draw.choice((5, 20, 60))}
            self._orders = [*self._orders[-6:], (user, f"o{self._number}")]
        elif event == "Refunded":
            user, order = draw.choice(self._orders) if self._orders else (user, "o0")
            properties = {"order": order}
        who = {"anonymous_id": f"a-{user}"} if draw.random() < 0.1 else {"user_id": user}
        return self._raw({"event": event, "event_id": f"e{self._number}", **who, "time": at, "properties": properties})

    def _raw(self, envelope: dict[str, Any]) -> Raw:
        topic, source = self.random.choice((("raw.backend", "shop"), ("raw.sdk", "app")))
        key = (envelope.get("user_id") or envelope.get("anonymous_id") or "").encode()
        return Raw(topic, key, json.dumps({**envelope, "source": source}).encode())

    def _again(self, raw: Raw) -> Raw:
        """A sender's retry: the same record, or one under the same id that says something else."""
        if self.random.random() < 0.7:
            return raw
        envelope = json.loads(raw.value or b"{}")
        if "total" in envelope["properties"]:
            envelope["properties"]["total"] += 1
        return Raw(raw.topic, raw.key, json.dumps(envelope).encode())

    def _broken(self) -> Raw:
        self._number += 1
        good = {"event": "Visited", "event_id": f"e{self._number}", "user_id": self.random.choice(USERS)}
        match self.random.randrange(5):
            case 0:
                return Raw(self.random.choice(RAW), None, b"{ no event \xff")
            case 1:
                return self._raw({**good, "event": "Vanished"})
            case 2:
                return self._raw({**good, "event": "Paid", "properties": {"order": 7}})
            case 3:
                return Raw("raw.backend", b"k", None)
            case _:
                return self._raw({**good, "event": "Machine Woke"})
