"""Offers with everything spelled out, and which rules are in force from an activation on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tests.oracle.identity import choose, in_holdout
from tests.oracle.rules.tree import Absent, Asked, Leaf, Node, counting, offers_named, resolve, traits
from tests.oracle.rules.tree import Sequence as InOrder
from tests.oracle.rules.written import duration, moment
from tests.oracle.workspace import EventType, Workspace

Completion = Node | Literal["immediate"] | None
HOLDOUT = {"id": "holdout"}


class Offer:
    """A definition under one ruleset. ``raw`` is what was written."""

    def __init__(self, raw: Mapping[str, Any], plan: Workspace, timezone: str) -> None:
        self._plan, self.zone, self.raw, self.id = plan, raw.get("timezone", timezone), raw, raw["id"]
        entry = dict(raw["entry"])
        self.code = str(entry.pop("code")).upper() if "code" in entry else None
        self.api = bool(entry.pop("api", False))
        again = None if self.reentry == "never" else self.key_property or ""
        self.entry = resolve(entry, plan, self.zone, False, again) if entry else None
        self.audience = resolve(raw["audience"], plan, self.zone, False) if "audience" in raw else None
        self.exit = resolve(raw["exit"], plan, self.zone, True) if "exit" in raw else None
        self.variants: list[Mapping[str, Any]] = raw.get("variants") or [{"id": "default", "reward": raw.get("reward")}]
        self.completions = {one["id"]: self._completion(one) for one in (*self.variants, HOLDOUT)}

    def _completion(self, variant: Mapping[str, Any]) -> Completion:
        said = variant.get("completion", self.raw.get("completion"))
        return said if said in (None, "immediate") else resolve(said, self._plan, self.zone, True)

    @cached_property
    def named(self) -> set[str]:
        """Offers that any slot names."""
        return {name for node in self.nodes for name in offers_named(node)}

    @property
    def lasting(self) -> list[Node]:
        """Conditions that an instance asks as long as it lives."""
        said = [self.exit, *self.completions.values()]
        if "immediate" in said:
            said.append(self.entry)
        return [node for node in said if node is not None and node != "immediate"]

    @property
    def nodes(self) -> list[Node]:
        return [node for node in (self.entry, self.audience) if node is not None] + self.lasting

    def time(self, name: str) -> int | None:
        """``starts`` or ``ends`` in milliseconds."""
        return moment(self.raw[name], self.zone, name == "ends") if name in self.raw else None

    def span(self, name: str) -> int | None:
        return duration(self.raw[name]) if name in self.raw else None

    @property
    def reentry(self) -> str:
        said = self.raw.get("reentry", "never")
        return "per_key" if isinstance(said, Mapping) else said

    @property
    def key_property(self) -> str | None:
        said = self.raw.get("reentry")
        return said["per_key"] if isinstance(said, Mapping) else None

    @property
    def group(self) -> str | None:
        return (self.raw.get("exclusive") or {}).get("group")

    @property
    def priority(self) -> int:
        return int((self.raw.get("exclusive") or {}).get("priority", 0))

    def variant_of(self, entity: str) -> Mapping[str, Any]:
        share = round(float(str(self.raw.get("holdout", "0%")).rstrip("%")) * 100)
        if in_holdout(self.id, entity, share):
            return HOLDOUT
        chosen = choose(self.id, entity, [(one["id"], one.get("weight", 1)) for one in self.variants])
        return next(one for one in self.variants if one["id"] == chosen)


@dataclass(eq=False)
class Rules:
    """What decides from one activation on. ``since``: what is in force, leaves by key, traits by ``trait NAME``, to the
    offset of the activation from which they count."""

    ruleset: str
    plan: Workspace
    offers: Mapping[str, Offer]
    since: Mapping[str, int]
    leaves: Mapping[str, Leaf | InOrder | Absent]

    @cached_property
    def lateness(self) -> int:
        return duration(self.plan.settings.get("allowed_lateness", "7d"))

    @cached_property
    def grace(self) -> int:
        return duration(self.plan.settings.get("grace", "10m"))

    @cached_property
    def kinds(self) -> Mapping[str, EventType]:
        """The newest version of each event type, by record name."""
        return {name: self.plan.newest(name) for name, _ in self.plan.versions}

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """How many offers deep each depends on others."""
        found: dict[str, int] = {}

        def rank(name: str) -> int:
            if name not in self.offers:
                return -1
            if name not in found:
                found[name] = 1 + max((rank(other) for other in self.offers[name].named), default=-1)
            return found[name]

        return {name: rank(name) for name in self.offers}

    @cached_property
    def in_order(self) -> list[Offer]:
        """Offers as they are entered."""
        return sorted(self.offers.values(), key=lambda one: (self.ranks[one.id], -one.priority, one.id))

    def place(self, offer: str) -> tuple[int, str]:
        """Where instances of an offer stand when they are asked."""
        return self.ranks.get(offer, 0), offer

    def named_by(self, asked: Asked, kind: EventType) -> bool:
        return asked.event == kind.name or (asked.event == "*" and not kind.system)

    def reads(self, kind: EventType) -> bool:
        """Whether a rule in force names the type, reads its traits, or names a type that it reverses."""
        if kind.sets_traits and any(name.startswith("trait ") for name in self.since):
            return True
        taken = [self.plan.types[kind.reverses["event"]]] if kind.reverses else []
        return any(self.named_by(one, each) for leaf in self.leaves.values() for one in asked_of(leaf)
                   for each in (kind, *taken))  # fmt: skip


def asked_of(leaf: Leaf | InOrder | Absent) -> tuple[Asked, ...]:
    """The events a leaf is about."""
    if isinstance(leaf, Leaf):
        return (leaf.asked,)
    return leaf.steps if isinstance(leaf, InOrder) else (leaf.event, leaf.after)


class Force:
    """The rulesets of a partition, one after the other."""

    def __init__(self) -> None:
        self._lasting: dict[str, Leaf | InOrder | Absent | str] = {}
        self.rules: Rules | None = None

    def activate(self, ruleset: str, plan: Workspace, offset: int) -> Rules:
        """From the record after ``offset`` on ``plan`` decides."""
        timezone = plan.settings.get("timezone", "UTC")
        drafts = {name for name, raw in plan.offers.items() if raw.get("status") == "draft"}
        offers = {name: Offer(raw, plan, timezone) for name, raw in plan.offers.items() if name not in drafts}
        for offer in offers.values():
            self._lasting |= _named(offer.lasting)
        named = self._lasting | _named([node for offer in offers.values() for node in offer.nodes])
        before = self.rules.since if self.rules else {}
        since = {key: before.get(key, offset) for key in named}
        leaves = {key: leaf for key, leaf in named.items() if not isinstance(leaf, str)}
        self.rules = Rules(ruleset, plan, offers, since, leaves)
        return self.rules


def _named(nodes: Sequence[Node]) -> dict[str, Leaf | InOrder | Absent | str]:
    found: dict[str, Leaf | InOrder | Absent | str] = {}
    for node in nodes:
        found |= {leaf.key: leaf for leaf in counting(node)}
        found |= {f"trait {name}": name for name in traits(node)}
    return found
