"""Conditions as people write them: leaves, groups and references, with their measures and windows.

What each key means is in docs/rules.md, Conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from offerflow.rules.definitions.values import Date, Identifier, Model, Number, Span, SpanOrNone

MAX_HITS = 1000
MOST_HITS = 10_000
"""What ``max_hits`` is by default, and at most."""

MEASURES = ("count", "sum", "min", "max", "average", "distinct", "days", "streak", "gap")
COMPARISONS = ("at_least", "more_than", "at_most", "less_than", "exactly")
FORMS = ("event", "sequence", "absent", "profile", "in_offer", "completed_offer", "all", "any", "none", "condition")

_WHOLE = Annotated[int, Field(ge=0, le=MOST_HITS)]
_SOME = Annotated[int, Field(ge=1, le=MOST_HITS)]

_BELONGS = {
    "where": ("event",), "within": ("event", "sequence", "absent"), "from": ("event",), "to": ("event",),
    "since": ("event", "sequence", "absent"), "max_hits": ("event", "sequence"), "same": ("sequence", "absent"),
    "after": ("absent",), **dict.fromkeys(MEASURES, ("event",)),
}  # fmt: skip
"""Which leaves a key that is not a condition by itself belongs to."""


class _Compared(Model):
    """A measure needs something to compare with."""

    @model_validator(mode="after")
    def _compares(self) -> Self:
        if not any(getattr(self, name) is not None for name in COMPARISONS):
            raise PydanticCustomError("condition", "expected a comparison, such as at_least")
        return self


class Count(Model):
    """How many; at least one if nothing is said."""

    at_least: _SOME | None = None
    more_than: _WHOLE | None = None
    at_most: _WHOLE | None = None
    less_than: _WHOLE | None = None
    exactly: _WHOLE | None = None


class Days(Count, _Compared):
    """How many days."""


class Distinct(Count, _Compared):
    """How many different values ``of`` a property."""

    of: str


class Amounts(_Compared):
    """What the numbers ``of`` a property come to."""

    of: str
    at_least: Number | None = None
    more_than: Number | None = None
    at_most: Number | None = None
    less_than: Number | None = None
    exactly: Number | None = None


class Gap(_Compared):
    """How long after the event before."""

    at_least: SpanOrNone | None = None
    more_than: SpanOrNone | None = None
    at_most: SpanOrNone | None = None
    less_than: SpanOrNone | None = None
    exactly: SpanOrNone | None = None


class Step(Model):
    """Events of one name that pass an expression."""

    event: str
    where: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _may_be_a_name(cls, value: object) -> object:
        return {"event": value} if isinstance(value, str) else value


class Node(Model):
    """What a condition can say. Which keys go together is checked here; what they name, when it is compiled."""

    event: str | None = None
    where: str | None = None
    count: Count | None = None
    sum: Amounts | None = None
    min: Amounts | None = None
    max: Amounts | None = None
    average: Amounts | None = None
    distinct: Distinct | None = None
    days: Days | None = None
    streak: Days | None = None
    gap: Gap | None = None
    sequence: Annotated[list[Step], Field(max_length=20)] | None = None
    absent: Step | None = None
    after: Step | None = None
    same: str | None = None
    profile: str | None = None
    in_offer: Identifier | None = None
    completed_offer: Identifier | None = None
    within: Span | None = None
    from_: Annotated[Date | None, Field(alias="from")] = None
    to: Date | None = None
    since: Literal["ever", "entry"] | None = None
    max_hits: Annotated[int, Field(ge=1, le=MOST_HITS)] | None = None
    all: list[ConditionNode] | None = None
    any: list[ConditionNode] | None = None
    none: list[ConditionNode] | None = None
    condition: Identifier | None = None

    @property
    def form(self) -> str | None:
        """Which of ``FORMS`` it is; None where it says nothing, as an entry by code alone."""
        return next((name for name in FORMS if getattr(self, name) is not None), None)

    @property
    def measure(self) -> str | None:
        return next((name for name in MEASURES if getattr(self, name) is not None), None)

    def children(self) -> Iterator[tuple[str, int, ConditionNode]]:
        """The conditions of a group, with where they stand in it."""
        for group in ("all", "any", "none"):
            for at, child in enumerate(getattr(self, group) or ()):
                yield group, at, child

    def steps(self) -> Iterator[tuple[tuple[str | int, ...], Step]]:
        """The events of a sequence or an absence, with their paths."""
        for at, step in enumerate(self.sequence or ()):
            yield ("sequence", at), step
        for name in ("absent", "after"):
            step = getattr(self, name)
            if step is not None:
                yield (name,), step

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        if isinstance(value, str):
            hint = "expected a condition; to refer to one write {condition: {name}}"
            raise PydanticCustomError("condition", hint, {"name": value})
        return value

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        said = [name for name in FORMS if getattr(self, name) is not None]
        if len(said) != 1 and not self._needs_none(said):
            got = " and ".join(said) if said else "none of them"
            forms = ", ".join(FORMS) + self._or_else
            raise PydanticCustomError(
                "condition", "expected exactly one of {forms}; got {got}", {"forms": forms, "got": got}
            )
        form = said[0] if said else ""
        for key, owners in _BELONGS.items():
            if getattr(self, "from_" if key == "from" else key) is not None and form not in owners:
                raise PydanticCustomError(
                    "condition", "{key} belongs to {forms}", {"key": key, "forms": _leaves(owners)}
                )  # fmt: skip
        if form in ("all", "any", "none") and getattr(self, form) == []:
            raise PydanticCustomError("condition", "{group} is empty; expected conditions", {"group": form})
        self._has_its_parts()
        return self

    @property
    def _or_else(self) -> str:
        """What else it could be than a condition."""
        return ""

    def _needs_none(self, said: list[str]) -> bool:
        """Whether it may be no condition at all."""
        return False

    def _has_its_parts(self) -> None:
        measures = [name for name in MEASURES if getattr(self, name) is not None]
        if len(measures) > 1:
            raise PydanticCustomError(
                "condition", "a leaf has one measure; got {got}", {"got": " and ".join(measures)}
            )  # fmt: skip
        if self.sequence is not None and len(self.sequence) < 2:
            raise PydanticCustomError("condition", "expected a sequence of two events or more")
        if self.absent is not None and (self.after is None or self.within is None):
            raise PydanticCustomError(
                "condition", "absent needs after and within: {example}",
                {"example": "{absent: {event: B}, after: {event: A}, within: 7d}"},
            )  # fmt: skip
        if self.within is not None and (self.from_ is not None or self.to is not None):
            raise PydanticCustomError(
                "condition", "within is a window that rolls, from and to one that stays; expected one"
            )


class ConditionNode(Node):
    """A condition inline: a leaf, a group, or a reference to one that has a name."""


class ConditionDefinition(Node):
    """A condition with a name."""

    kind: Literal["condition"]
    id: Identifier
    name: str | None = None
    description: str | None = None


def _leaves(forms: tuple[str, ...]) -> str:
    return " or ".join(f"{'an' if form[0] in 'ae' else 'a'} {form} leaf" for form in forms)


def walk(node: Node | None) -> Iterator[Node]:
    """A condition and everything in it, references not followed."""
    todo = [node]
    while todo:
        one = todo.pop()
        if one is not None:
            yield one
            todo += [child for _, _, child in one.children()]


__all__ = ["ConditionDefinition", "ConditionNode", "Node", "Step", "walk"]


def rebuild() -> Any:
    """Conditions hold conditions."""
    return Node.model_rebuild()


rebuild()
