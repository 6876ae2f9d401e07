"""Definitions as people write them: the YAML of a workspace, as pydantic models. The language is docs/rules.md."""

from offerflow.rules.definitions.conditions import ConditionDefinition, ConditionNode, Node, Step, walk
from offerflow.rules.definitions.keys import NOT_YET, known_keys
from offerflow.rules.definitions.offers import (
    EntryDefinition,
    Expression,
    OfferDefinition,
    RewardDefinition,
    VariantDefinition,
)
from offerflow.rules.definitions.settings import SettingsDefinition, SourceDefinition
from offerflow.rules.definitions.values import Duration, Identifier, Moment, Money, Share, path_of, plain

__all__ = [
    "NOT_YET",
    "ConditionDefinition",
    "ConditionNode",
    "Duration",
    "EntryDefinition",
    "Expression",
    "Identifier",
    "Moment",
    "Money",
    "Node",
    "OfferDefinition",
    "RewardDefinition",
    "SettingsDefinition",
    "Share",
    "SourceDefinition",
    "Step",
    "VariantDefinition",
    "known_keys",
    "path_of",
    "plain",
    "walk",
]
