"""Conditions: references followed, groups built, everything wrong in them collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from offerflow.rules.compiling.leaves import NotHere, Slot, absent_leaf, event_leaf, profile_leaf, sequence_leaf
from offerflow.rules.compiling.plan import Plan
from offerflow.rules.compiling.problems import Path, Problem, Refused
from offerflow.rules.conditions import CompletedOffer, Group, InOffer, Node
from offerflow.rules.definitions import ConditionDefinition, walk
from offerflow.rules.definitions import Node as Written
from offerflow.rules.nearest import did_you_mean

MAX_NESTING = 32
MAX_NODES = 10_000
"""Leaves and groups of one condition once its references are followed."""


@dataclass(frozen=True, slots=True)
class _Built:
    """A condition ready to be asked, None if anything in it is wrong; how many nodes it has, and how deep it is."""

    node: Node | None
    size: int = 1
    depth: int = 0


_WRONG = _Built(None)
_TOO_DEEP = _Built(InOffer("", ""), 1, 10 * MAX_NESTING)


class Conditions:
    """Compiles conditions of one set of definitions. ``problems`` grows with what is wrong."""

    def __init__(
        self, named: Mapping[str, ConditionDefinition], offers: Collection[str], plan: Plan, problems: list[Problem]
    ) -> None:
        self._named, self._offers, self._plan, self.problems = named, offers, plan, problems
        self._built: dict[tuple[str, Slot], _Built] = {}
        self._misplaced: dict[tuple[str, Slot], str] = {}
        self._elsewhere = ""
        self._resolving: list[str] = []
        self._names = {one: [name.condition for name in walk(named[one]) if name.condition] for one in named}

    def check(self, definition: ConditionDefinition, slot: Slot) -> Node | None:
        """A named condition by itself: what is wrong with it, whoever uses it."""
        self._resolving = [definition.id]
        found = self._top(definition, slot, f"condition/{definition.id}", ())
        self._resolving = []
        return found

    def build(self, written: Written, slot: Slot, where: str, path: Path) -> Node | None:
        """The whole condition that stands at ``path`` of the definition ``where``, None if anything in it is wrong."""
        return self._top(written, slot, where, path)

    def _top(self, written: Written, slot: Slot, where: str, path: Path) -> Node | None:
        built = self._node(written, slot, where, path)
        if built.node is not None and built.depth > MAX_NESTING:
            self._wrong(where, path, f"nested deeper than {MAX_NESTING} levels, its references followed")
        elif built.node is not None and built.size > MAX_NODES:
            message = f"unfolds to more than {MAX_NODES} conditions; expected fewer references to references"
            self._wrong(where, path, message)
        else:
            return built.node
        return None

    def _node(self, written: Written, slot: Slot, where: str, path: Path) -> _Built:
        if len(path) > 2 * MAX_NESTING + 2:
            self._wrong(where, path, f"nested deeper than {MAX_NESTING} levels")
            return _WRONG
        form = written.form
        if form == "condition":
            return self._reference(written.condition or "", slot, where, path)
        if form in ("all", "any", "none"):
            parts = [self._node(child, slot, where, (*path, group, at)) for group, at, child in written.children()]
            if any(part.node is None for part in parts):
                return _WRONG
            nodes = tuple(part.node for part in parts if part.node is not None)
            size, depth = 1 + sum(part.size for part in parts), 1 + max(part.depth for part in parts)
            return _Built(Group(form, nodes), size, depth)  # type: ignore[arg-type]
        try:
            return _Built(self._leaf(written, slot))
        except Refused as error:
            if not where and isinstance(error, NotHere):
                raise
            self._wrong(where, (*path, *error.path), error.message)
            self._elsewhere = error.message
        return _WRONG

    def _leaf(self, written: Written, slot: Slot) -> Node:
        match written.form:
            case "event":
                return event_leaf(written, self._plan, slot)
            case "sequence":
                return sequence_leaf(written, self._plan, slot)
            case "absent":
                return absent_leaf(written, self._plan, slot)
            case "profile":
                return profile_leaf(written, self._plan)
            case "in_offer":
                return InOffer(self._offer(written.in_offer, "in_offer"), f"in offer {written.in_offer}")
        return CompletedOffer(
            self._offer(written.completed_offer, "completed_offer"), f"completed offer {written.completed_offer}"
        )

    def _offer(self, name: str | None, key: str) -> str:
        if name is None or name not in self._offers:
            raise Refused(f"there is no offer {name!r}{did_you_mean(str(name), self._offers)}", key)
        return name

    def _reference(self, name: str, slot: Slot, where: str, path: Path) -> _Built:
        here = (*path, "condition")
        if name not in self._named:
            self._wrong(where, here, f"there is no condition {name!r}{did_you_mean(name, self._named)}")
            return _WRONG
        if where.startswith("condition/") and (circle := self._circle(name, where.partition("/")[2])):
            self._wrong(where, here, f"condition {circle[0]!r} refers to itself: {' -> '.join(circle)}")
            return _WRONG
        if name in self._resolving:  # told where the conditions of the circle stand
            return _WRONG
        found = self._built.get((name, slot))
        if found is None:
            found = self._built[name, slot] = self._follow(name, slot)
        misplaced = self._misplaced.get((name, slot))
        if misplaced:
            message = f"condition {name!r}: {misplaced}"
            if not where:
                raise NotHere(message)
            self._wrong(where, here, message)
        elif found.node is None and not self.problems:
            self._wrong(where, here, f"condition {name!r}: {self._elsewhere}")
        return found

    def _follow(self, name: str, slot: Slot) -> _Built:
        """A named condition in the place of a reference to it. What is wrong with it is told at the condition itself,
        what is wrong with it only here at the reference."""
        if len(self._resolving) > 2 * MAX_NESTING:
            return _TOO_DEEP
        self._resolving.append(name)
        try:
            built = self._node(self._named[name], slot, "", ())
            return _Built(built.node, built.size, built.depth + 1)
        except NotHere as error:
            self._misplaced[name, slot] = error.message
            return _WRONG
        finally:
            self._resolving.pop()

    def _circle(self, start: str, end: str) -> list[str]:
        """The way back from ``start`` to ``end``, from ``end`` on; empty if there is none."""
        ways = {start: [end, start]}
        todo = [start]
        while todo:
            name = todo.pop()
            if name == end:
                return ways[name]
            for named in self._names.get(name, ()):
                if named not in ways:
                    ways[named] = [*ways[name], named]
                    todo.append(named)
        return []

    def _wrong(self, where: str, path: Path, message: str) -> None:
        if where:
            self.problems.append(Problem(where, path, message))
