"""Offers and rewards as people write them. What each key means is in docs/rules.md, Offers and Rewards."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from offerflow.rules.definitions.conditions import ConditionNode, Node
from offerflow.rules.definitions.values import (
    Amount,
    Date,
    Identifier,
    Model,
    Percent,
    Price,
    Span,
    SpanOrNone,
    Zone,
)

HOLDOUT = "holdout"


class Expression(Model):
    """A value that depends on the event that earned the reward. ``min`` and ``max`` hold it."""

    expr: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    min: Price | None = None
    max: Price | None = None

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("offer", "min {min} is above max {max}", {"min": self.min, "max": self.max})
        return self


def _which(value: object) -> str:
    return "<expression>" if isinstance(value, dict | Expression) else "<money>"


class RewardDefinition(Model):
    """What is earned. ``value`` is money, an expression, or nothing where the id says it all."""

    id: Identifier
    value: (
        Annotated[Annotated[Amount, Tag("<money>")] | Annotated[Expression, Tag("<expression>")], Discriminator(_which)]
        | None
    ) = None
    pending: Span | None = None
    expires_after: Span | None = None


def _completion(value: object) -> str:
    return "<immediate>" if value == "immediate" else "<condition>"


Completion = Annotated[
    Annotated[Literal["immediate"], Tag("<immediate>")] | Annotated[ConditionNode, Tag("<condition>")],
    Discriminator(_completion),
]


class VariantDefinition(Model):
    """One arm. Without a completion of its own it has the offer's."""

    id: Identifier
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    attributes: dict[str, str] = Field(default_factory=dict)
    reward: RewardDefinition | None = None
    completion: Completion | None = None

    @model_validator(mode="after")
    def _is_not_reserved(self) -> Self:
        if self.id == HOLDOUT:
            raise PydanticCustomError("variant", "'holdout' is reserved; expected another variant id")
        return self


class EntryDefinition(Node):
    """Who gets in: a condition, a code, the API, or several of them."""

    code: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+$")] | None = None
    api: bool | None = None

    def _needs_none(self, said: list[str]) -> bool:
        return not said and (self.code is not None or self.api is True)

    @property
    def _or_else(self) -> str:
        return ", or code or api: true"

    @property
    def condition_part(self) -> Node | None:
        return self if self.form is not None else None


class Caps(Model):
    """Limits on entries."""

    per_user: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Exclusive(Model):
    """Of the offers of ``group`` a user is in one at a time."""

    group: Identifier
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0


class PerKey(Model):
    """One entry for each value of a property of the entering event."""

    per_key: str


def _reentry(value: object) -> str:
    return "<per_key>" if isinstance(value, dict | PerKey) else "<plain>"


Reentry = Annotated[
    Annotated[Literal["never", "after_expiry", "after_completion"], Tag("<plain>")]
    | Annotated[PerKey, Tag("<per_key>")],
    Discriminator(_reentry),
]


class OfferDefinition(Model):
    kind: Literal["offer"]
    id: Identifier
    name: str | None = None
    description: str | None = None
    status: Literal["draft", "live", "paused"] = "live"
    entry: EntryDefinition
    audience: ConditionNode | None = None
    completion: Completion | None = None
    count_entry_event: bool = False
    expires_after: Span | None = None
    exit: ConditionNode | None = None
    reentry: Reentry = "never"
    cooldown: SpanOrNone | None = None
    caps: Caps | None = None
    exclusive: Exclusive | None = None
    starts: Date | None = None
    ends: Date | None = None
    timezone: Zone | None = None
    withdraw: bool = False
    holdout: Percent | None = None
    reward: RewardDefinition | None = None
    variants: Annotated[list[VariantDefinition], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _pays_for_something(self) -> Self:
        if self.reward is not None and self.variants is not None:
            raise PydanticCustomError(
                "offer", "offer {id} has both reward and variants; move the reward into the variants", {"id": self.id}
            )
        unearned = self.reward is not None and self.completion is None
        unearned |= any(one.reward and not one.completion and not self.completion for one in self.variants or ())
        if unearned:
            raise PydanticCustomError(
                "offer",
                "offer {id} has a reward but no completion, so it could never be earned; completion: immediate earns it"
                " by the entry itself",
                {"id": self.id},
            )
        ids = [variant.id for variant in self.variants or ()]
        for variant_id in ids:
            if ids.count(variant_id) > 1:
                raise PydanticCustomError(
                    "offer", "offer {offer} has variant {id} twice", {"offer": self.id, "id": variant_id}
                )
        return self
