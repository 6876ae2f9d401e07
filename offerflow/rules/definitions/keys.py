"""The keys of the language: those there are, for the nearest name of one there is not, and those that will be."""

from __future__ import annotations

import functools

from pydantic import BaseModel

from offerflow.rules.definitions.conditions import (
    Amounts,
    ConditionDefinition,
    Count,
    Distinct,
    Step,
)  # fmt: skip
from offerflow.rules.definitions.offers import (
    Caps,
    EntryDefinition,
    Exclusive,
    Expression,
    OfferDefinition,
    PerKey,
    RewardDefinition,
    VariantDefinition,
)  # fmt: skip
from offerflow.rules.definitions.settings import SettingsDefinition, SourceDefinition

NOT_YET = {
    "total": "limits over all users are not there yet; caps.per_user is",
    "per_day": "limits over all users are not there yet; caps.per_user is",
    "budget": "limits over all users are not there yet; caps.per_user and a value's max are",
    "referred": "referrals are not there yet",
    "unique_for": "the window of unique keys is 90 days for now",
}
"""Keys that the language will have and this version refuses by name, each with what there is."""

MODELS: tuple[type[BaseModel], ...] = (
    ConditionDefinition, Step, Count, Amounts, Distinct, EntryDefinition, OfferDefinition, VariantDefinition,
    RewardDefinition, Expression, Caps, Exclusive, PerKey, SettingsDefinition, SourceDefinition,
)  # fmt: skip


@functools.cache
def known_keys() -> frozenset[str]:
    """Every key this version understands, for the nearest name of one it does not."""
    return frozenset(field.alias or name for model in MODELS for name, field in model.model_fields.items())
