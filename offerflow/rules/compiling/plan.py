"""The event plan as the compiler asks it: event types by any of their names, and expressions over their properties."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from offerflow.rules.compiling.problems import Refused
from offerflow.rules.conditions import ANY_EVENT
from offerflow.rules.events import EventType, PropertyType
from offerflow.rules.expressions import ExpressionError, Scope, Test, check, compile_test, parse, properties, render
from offerflow.rules.expressions.parsing import parse as parse_expression
from offerflow.rules.expressions.syntax import Property
from offerflow.rules.nearest import Nearest


@dataclass(frozen=True, slots=True)
class Tested:
    """An expression that passed: its closure, its canonical text, and what it reads."""

    test: Test | None
    text: str
    reads: frozenset[str]


NO_TEST = Tested(None, "", frozenset())


@dataclass(frozen=True, slots=True)
class Subject:
    """What a leaf is about: one event type, or any that is no system event. ``types`` are those it may meet."""

    type: str
    name: str
    scope: Scope
    types: tuple[EventType, ...]

    @property
    def reversible(self) -> bool:
        return any(one.reversed_by for one in self.types)

    def property(self, path: str, role: str) -> tuple[Property, PropertyType]:
        """A property that every event concerned has. ``role`` is the key that names it. Raises Refused."""
        try:
            node = parse_expression(path)
            if not isinstance(node, Property):
                raise ExpressionError("expected the name of a property", 1)
            planned = self.scope.type_of(node)
            for one in self.types if self.type == ANY_EVENT else ():
                Scope.of_event(one).type_of(node)
        except ExpressionError as error:
            raise Refused(str(error), role) from None
        return node, planned


class Plan:
    """Built once per compilation."""

    def __init__(self, event_types: Iterable[EventType]) -> None:
        self.types = list(event_types)
        self._by_name = {name: one for one in self.types for name in one.names}
        self._by_type = {one.name: one for one in self.types}
        self.traits = Scope.of_traits(self.types)
        self.trait_types = tuple(one for one in self.types if one.sets_traits)
        self._nearest: Callable[[], Nearest] = functools.cache(lambda: Nearest(self._by_name))
        self._subjects: dict[str, Subject] = {}
        self._tested: dict[tuple[str, str], Tested] = {}

    def subject(self, event: str) -> Subject:
        """The event type that has the name ``event``. Raises Refused with the nearest one."""
        found = self._subjects.get(event)
        if found is None:
            found = self._subjects[event] = self._subject(event)
        return found

    def of_type(self, event_type: str) -> Subject:
        """The same by record name, or ``*``."""
        return self.subject(event_type if event_type == ANY_EVENT else self._by_type[event_type].names[0])

    def _subject(self, event: str) -> Subject:
        if event == ANY_EVENT:
            types = tuple(one for one in self.types if not one.system)
            return Subject(ANY_EVENT, "any event", Scope.of_any(types), types)
        found = self._by_name.get(event)
        if found is None:
            known = ", ".join(sorted(self._by_name)[:5]) or "no event at all"
            hint = self._nearest()(event) or f"; it has {known}"
            raise Refused(f"the event plan has no event {event!r}{hint}", "event")
        return Subject(found.name, found.names[0], Scope.of_event(found), (found,))

    def tested(self, where: str | None, subject: Subject) -> Tested:
        """The expression ``where`` over events of ``subject``. Raises Refused."""
        if where is None:
            return NO_TEST
        found = self._tested.get((subject.type, where))
        if found is None:
            tree = checked(where, subject.scope, "where")
            found = Tested(compile_test(tree), render(tree), properties(tree))
            self._tested[subject.type, where] = found
        return found


def checked(text: str, scope: Scope, key: str) -> Any:
    """The tree of an expression that stands under ``key``. Raises Refused with the column."""
    try:
        tree = parse(text)
        check(tree, scope)
    except ExpressionError as error:
        raise Refused(f"column {error.column} of the expression: {error}", key) from None
    return tree
