"""Offers: their slots compiled, checked together, and named by their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

from offerflow.rules.compiling.leaves import Slot
from offerflow.rules.compiling.nodes import Conditions
from offerflow.rules.compiling.plan import Plan
from offerflow.rules.compiling.problems import Path, Problem, Refused
from offerflow.rules.compiling.rewards import check_currency, check_earned, reward_of
from offerflow.rules.compiling.truth import holds_of_nothing, leaves, offers_named, parts
from offerflow.rules.conditions import Node, Profile
from offerflow.rules.definitions import (
    ConditionDefinition,
    OfferDefinition,
    RewardDefinition,
    VariantDefinition,
    plain,
    walk,
)
from offerflow.rules.definitions import Node as Written
from offerflow.rules.definitions.offers import PerKey
from offerflow.rules.events import Kind
from offerflow.rules.ids import content_hash
from offerflow.rules.offers import DEFAULT, Entry, Offer, Reward, Variant
from offerflow.rules.zones import zone

Completion = Node | Literal["immediate"] | None
_FOR_PEOPLE = ("name", "description")


class OfferCompiler:
    """One offer. ``problems`` of it go where those of conditions go; ``offer`` is None if there are any."""

    def __init__(
        self, written: OfferDefinition, conditions: Conditions, named: Mapping[str, ConditionDefinition], plan: Plan,
        default_zone: ZoneInfo,
    ) -> None:  # fmt: skip
        self._written, self._conditions, self._named, self._plan = written, conditions, named, plan
        self._zone = zone(written.timezone) if written.timezone else default_zone
        self._where = f"offer/{written.id}"
        self._before = len(conditions.problems)

    def compiled(self) -> Offer | None:
        """The offer, its rank not known yet."""
        written = self._written
        condition = written.entry.condition_part
        key = written.reentry.per_key if isinstance(written.reentry, PerKey) else None
        again = () if written.reentry == "never" else ("again",) if key is None else ("again", key)
        entry = self._asked(condition, ("entry",), entered=False, again=again)
        audience = self._asked(written.audience, ("audience",), entered=False)
        leaving = self._asked(written.exit, ("exit",), entered=True)
        completion = self._completion(written.completion, ("completion",))
        if entry is not None:
            self._triggers(entry, ("entry",))
        self._check_key(key, entry)
        variants = tuple(self._variants(entry, completion))
        starts = written.starts.start(self._zone) if written.starts else None
        ends = written.ends.end(self._zone) if written.ends else None
        if starts is not None and ends is not None and starts > ends:
            self._wrong(("ends",), f"ends {written.ends} is before starts {written.starts}")
        if len(self._conditions.problems) > self._before or (condition is not None and entry is None):
            return None
        return Offer(
            id=written.id,
            version=self._version(),
            entry=Entry(entry, written.entry.code.upper() if written.entry.code else None, bool(written.entry.api)),
            audience=audience,
            exit=leaving,
            variants=variants,
            completion=completion,
            paused=written.status == "paused",
            withdrawn=written.withdraw,
            count_entry_event=written.count_entry_event,
            expires_after=written.expires_after.milliseconds if written.expires_after else None,
            reentry=written.reentry if not isinstance(written.reentry, PerKey) else "per_key",
            key=key,
            cooldown=written.cooldown.milliseconds if written.cooldown else None,
            per_user=written.caps.per_user if written.caps else None,
            group=written.exclusive.group if written.exclusive else None,
            priority=written.exclusive.priority if written.exclusive else 0,
            starts=starts,
            ends=ends,
            holdout=written.holdout.parts if written.holdout else 0,
        )

    def _asked(self, written: Written | None, path: Path, *, entered: bool, again: tuple[str, ...] = ()) -> Node | None:
        if written is None:
            return None
        return self._conditions.build(written, Slot(self._zone, entered, again), self._where, path)

    def _completion(self, written: Written | Literal["immediate"] | None, path: Path) -> Completion:
        if written is None or written == "immediate":
            return written
        found = self._asked(written, path, entered=True)
        if found is not None:
            self._triggers(found, path)
        return found

    def _triggers(self, node: Node, path: Path) -> None:
        if holds_of_nothing(node):
            message = f"is true of a user who never did anything, so nothing could ever trigger the {path[-1]}"
            self._wrong(path, f"{message}; add a leaf that counts an event")

    def _variants(self, entry: Node | None, completion: Completion) -> Iterator[Variant]:
        alone = [VariantDefinition(id=DEFAULT, reward=self._written.reward)]
        for at, written in enumerate(self._written.variants or alone):
            path: Path = ("variants", at) if self._written.variants else ()
            own = self._completion(written.completion, (*path, "completion")) if written.completion else completion
            reward = self._reward(written.reward, own, entry, (*path, "reward")) if written.reward else None
            yield Variant(written.id, written.weight, dict(sorted(written.attributes.items())), reward, own)

    def _reward(
        self, written: RewardDefinition, completion: Completion, entry: Node | None, path: Path
    ) -> Reward | None:
        """``None`` if anything is wrong; then something is told."""
        try:
            reward = reward_of(written)
            if completion == "immediate":
                requested = self._written.entry.code is not None or bool(self._written.entry.api)
                check_earned(written, entry, self._plan, requested=requested)
            elif completion is not None:
                check_earned(written, completion, self._plan)
        except Refused as error:
            self._wrong((*path, *error.path), error.message)
            return None
        return reward

    def _check_key(self, name: str | None, entry: Node | None) -> None:
        """The property of ``per_key`` is one that every event that may enter has."""
        path = ("reentry", "per_key")
        if name is None:
            return
        concerned = {leaf.event_type: self._plan.of_type(leaf.event_type) for leaf in leaves(entry)}
        if any(isinstance(one, Profile) for one in parts(entry)) and not concerned:
            concerned = {one.name: self._plan.of_type(one.name) for one in self._plan.trait_types}
        if entry is not None and not concerned:
            self._wrong(path, "no event of the entry could have it; expected an entry that counts events")
        for subject in concerned.values():
            try:
                _, planned = subject.property(name, "per_key")
                if "." in name:
                    raise Refused(f"{name} is inside another property; expected one of the event itself")
                if planned.kind not in (Kind.STRING, Kind.ENUM, Kind.NUMBER, Kind.ANY):
                    raise Refused(f"{name} of {subject.name} is {planned.kind.said}; expected a string or a number")
            except Refused as error:
                self._wrong(path, error.message)

    def _version(self) -> str:
        """Of everything that decides: what is written, the conditions it names, and the zone if days or dates are."""
        found: dict[str, Any] = {}
        dated = self._written.starts is not None or self._written.ends is not None
        todo = list(_conditions(self._written))
        while todo:
            for node in walk(todo.pop()):
                dated |= bool(node.days or node.streak or node.from_ or node.to)
                name = node.condition
                if name is not None and name not in found:
                    found[name] = _decides(plain(self._named[name]))
                    todo.append(self._named[name])
        return content_hash([_decides(plain(self._written)), found, self._zone.key if dated else ""])

    def _wrong(self, path: Path, message: str) -> None:
        self._conditions.problems.append(Problem(self._where, path, message))


def check_currencies(written: OfferDefinition) -> list[tuple[Path, str]]:
    """Currencies that are none, with their paths. Asked when an offer is applied, not when it is run: a currency that
    is withdrawn one day must not make an old ruleset unreadable."""
    rewards: list[tuple[Path, RewardDefinition | None]] = [(("reward",), written.reward)]
    rewards += [(("variants", at, "reward"), variant.reward) for at, variant in enumerate(written.variants or ())]
    found = []
    for path, reward in rewards:
        try:
            if reward is not None:
                check_currency(reward)
        except Refused as error:
            found.append(((*path, *error.path), error.message))
    return found


def depends_on(offer: Offer) -> set[str]:
    """The offers that it names in any slot; itself only in the entry, which could never be the first to hold."""
    completions = [
        one for one in (offer.completion, *(each.completion for each in offer.variants)) if one != "immediate"
    ]
    others = [offers_named(node) for node in (offer.audience, offer.exit, *completions)]
    return offers_named(offer.entry.condition) | (set().union(*others) - {offer.id})


def _conditions(written: OfferDefinition) -> Iterator[Written]:
    """Everything in an offer that is a condition."""
    slots = [written.entry, written.audience, written.exit, written.completion]
    slots += [variant.completion for variant in written.variants or ()]
    yield from (one for one in slots if isinstance(one, Written))


def _decides(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key not in _FOR_PEOPLE}
