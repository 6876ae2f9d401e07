"""Conditions and offers as people write them: the YAML of a workspace, as pydantic models.

Keys that the full language has and this version lacks are known by name, so that the error can say "not supported
yet" rather than "unknown". Source of the language: docs/formats.md, Workspace.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

NOT_YET = {
    "within": "rolling windows",
    "since": "windows since entry or ever",
    "from": "fixed windows",
    "to": "fixed windows",
    "sum": "adding up a property",
    "min": "smallest value",
    "max": "largest value",
    "average": "mean value",
    "distinct": "counting distinct values",
    "days": "counting days",
    "streak": "consecutive days",
    "gap": "time between events",
    "at_most": "upper bounds",
    "exactly": "exact counts",
    "more_than": "at_least is there",
    "less_than": "upper bounds",
    "sequence": "events in order",
    "absent": "events that do not come",
    "after": "absence",
    "same": "correlation",
    "profile": "traits",
    "in_offer": "offer membership",
    "completed_offer": "offer membership",
    "referred": "referrals",
    "max_hits": "bounds of a leaf",
    "code": "entry by code",
    "api": "entry by API",
    "expires_after": "expiry",
    "exit": "leaving by a condition",
    "cooldown": "pauses between entries",
    "caps": "limits on entries",
    "exclusive": "one open offer of a group",
    "holdout": "a control group",
    "starts": "start dates",
    "ends": "end dates",
    "withdraw": "taking everybody out",
    "timezone": "time zones",
    "count_entry_event": "counting the entering event",
    "pending": "rewards that wait",
    "reverses": "refunds",
    "expr": "values by expression",
    "per_key": "re-entry per key",
    "unique_for": "the window of unique keys",
    "friend": "referrals",
    "advocate": "referrals",
    "attribution": "referrals",
    "new_user": "referrals",
}
"""Keys of the language that this version refuses by name."""

_MONEY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ([A-Z]{3})")
MAX_COUNT = 1000


def _identifier(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise PydanticCustomError(
            "identifier", "expected an id of letters, digits, '.', '_' or '-', at most 100, such as third-purchase"
        )
    return value


Identifier = Annotated[str, BeforeValidator(_identifier)]


class Model(BaseModel):
    """Strict and closed: no coercion, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Count(Model):
    at_least: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 1


class ConditionNode(Model):
    """A leaf (``event``), a group (``all``, ``any``, ``none``) or a reference (``condition``): exactly one of them."""

    event: str | None = None
    where: str | None = None
    count: Count | None = None
    all: list[ConditionNode] | None = None
    any: list[ConditionNode] | None = None
    none: list[ConditionNode] | None = None
    condition: Identifier | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        if value == "immediate":
            raise PydanticCustomError("not_yet", "not supported yet: completion: immediate")
        if isinstance(value, str):
            hint = "expected a condition; to refer to one write {condition: {name}}"
            raise PydanticCustomError("condition", hint, {"name": value})
        return value

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = [name for name in ("event", "all", "any", "none", "condition") if getattr(self, name) is not None]
        if len(named) != 1:
            got = " and ".join(named) if named else "none of them"
            raise PydanticCustomError(
                "condition", "expected exactly one of event, all, any, none, condition; got {got}", {"got": got}
            )
        if named != ["event"] and (self.where is not None or self.count is not None):
            raise PydanticCustomError("condition", "where and count belong to an event leaf")
        if self.event == "*":
            raise PydanticCustomError("not_yet", 'not supported yet: event: "*" (any event)')
        for group in ("all", "any", "none"):
            if getattr(self, group) == []:
                raise PydanticCustomError("condition", "{group} is empty; expected conditions", {"group": group})
        return self


class ConditionDefinition(ConditionNode):
    kind: Literal["condition"]
    id: Identifier
    name: str | None = None
    description: str | None = None

    def node(self) -> ConditionNode:
        """The condition without its name."""
        return ConditionNode.model_validate(self.model_dump(exclude={"kind", "id", "name", "description"}))


def _money(value: object) -> object:
    if isinstance(value, dict):
        raise PydanticCustomError("not_yet", "not supported yet: values by expression; expected money such as 10 EUR")
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None or isinstance(value, Money):
        raise PydanticCustomError("money", "expected an amount and a currency such as 10 EUR or 7.50 USD")
    amount = Decimal(match[1])
    if amount >= Decimal(10) ** 14 or -int(amount.as_tuple().exponent) > 4:
        raise PydanticCustomError("money", "an amount has at most 14 digits before and 4 after the point")
    return Money(amount, match[2])


class Money(tuple[Decimal, str]):
    """(amount, ISO 4217 currency)."""

    __slots__ = ()

    def __new__(cls, amount: Decimal, currency: str) -> Self:
        return super().__new__(cls, (amount, currency))


class RewardDefinition(Model):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: Identifier
    value: Annotated[Money, BeforeValidator(_money)] | None = None


class VariantDefinition(Model):
    id: Identifier
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    attributes: dict[str, str] = {}
    reward: RewardDefinition | None = None

    @model_validator(mode="after")
    def _is_not_reserved(self) -> Self:
        if self.id == "holdout":
            raise PydanticCustomError("variant", "'holdout' is reserved; expected another variant id")
        return self


def _status(value: object) -> object:
    if value in ("draft", "paused"):
        raise PydanticCustomError("not_yet", "not supported yet: status: {value}; expected live", {"value": value})
    return value


def _reentry(value: object) -> object:
    if value != "never":
        raise PydanticCustomError("not_yet", "not supported yet: reentry (entering again); expected never")
    return value


class OfferDefinition(Model):
    kind: Literal["offer"]
    id: Identifier
    name: str | None = None
    description: str | None = None
    status: Annotated[Literal["live"], BeforeValidator(_status)] = "live"
    reentry: Annotated[Literal["never"], BeforeValidator(_reentry)] = "never"
    entry: ConditionNode
    audience: ConditionNode | None = None
    completion: ConditionNode | None = None
    reward: RewardDefinition | None = None
    variants: Annotated[list[VariantDefinition], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _pays_for_something(self) -> Self:
        if self.reward is not None and self.variants is not None:
            raise PydanticCustomError("offer", "has both reward and variants; move the reward into the variants")
        rewarded = self.reward is not None or any(variant.reward for variant in self.variants or ())
        if rewarded and self.completion is None:
            raise PydanticCustomError("offer", "has a reward but no completion, so it could never be earned")
        ids = [variant.id for variant in self.variants or ()]
        for variant_id in ids:
            if ids.count(variant_id) > 1:
                raise PydanticCustomError("offer", "variant {id} is there twice", {"id": variant_id})
        return self


Origin = Literal["sdk", "backend", "integration"]
TopicName = Annotated[str, StringConstraints(pattern=r"^raw\.[a-z0-9][a-z0-9._-]{0,99}$")]


class SourceDefinition(Model):
    """A sender: where it may publish, which system events of its SDK are tracked, and whether events it sends that the
    plan lacks are planned by themselves (``adopt``, for development)."""

    id: Identifier
    origin: Origin
    topics: list[TopicName] = []
    system_events: dict[str, bool] = {}
    unplanned_events: Literal["dead-letter", "adopt"] = "dead-letter"


def known_keys() -> set[str]:
    """Every key this version understands, for the nearest name of one it does not."""
    models: tuple[type[BaseModel], ...] = (
        ConditionDefinition, OfferDefinition, VariantDefinition, RewardDefinition, Count, SourceDefinition,
    )  # fmt: skip
    return {name for model in models for name in model.model_fields}


def plain(model: BaseModel) -> dict[str, Any]:
    """The definition as JSON values, without what was left out: what the catalog keeps and hashes."""
    return _plain(model.model_dump(exclude_unset=True))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Decimal):
        return f"{value[0]} {value[1]}"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
