"""The JSON Schema of definition files, by which editors complete keys and underline mistakes while one types.

What only the event plan knows (names, types, ranges) stays with ``offerflow apply``.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from offerflow.rules.definitions.conditions import FORMS, ConditionDefinition
from offerflow.rules.definitions.offers import OfferDefinition
from offerflow.rules.definitions.settings import SettingsDefinition, SourceDefinition

_KEYS = {
    "event": 'A name of the event plan; "*" is any event that is not a system event.',
    "where": "An expression over the event's properties, such as amount >= 50.",
    "count": "How many such events; at least 1 if nothing is said.",
    "sum": "What a numeric property comes to in all of them.",
    "min": "The smallest value of a numeric property.",
    "max": "The largest value of a numeric property.",
    "average": "The mean of a numeric property.",
    "distinct": "How many different values of a property.",
    "days": "How many days had such an event.",
    "streak": "How many days in a row had one, up to today or yesterday.",
    "gap": "Counts only events that came so long after the one before.",
    "sequence": "Such events in this order.",
    "absent": "No such event came within the window after the other.",
    "after": "The event after which the other is missed.",
    "same": "A property that has one value in all of these events.",
    "profile": 'An expression over the user\'s traits, such as plan == "pro".',
    "in_offer": "The user is in that offer now.",
    "completed_offer": "The user has completed that offer at least once.",
    "within": "A window that rolls, or the time from the first to the last, such as 30d.",
    "from": "The first moment that counts.",
    "to": "The last moment that counts; a date means that whole day.",
    "since": "Since the entry (what completion and exit do by themselves) or ever.",
    "max_hits": "How many events are remembered.",
    "all": "Every one of these holds.",
    "any": "At least one of these holds.",
    "none": "No one of these holds.",
    "condition": "The id of a condition that is defined elsewhere.",
    "of": "The property that is measured.",
    "status": "draft: as if it were not there. paused: nobody enters, who is inside may complete.",
    "entry": "Who gets in: a condition, a code, the API.",
    "code": "A code that people type in.",
    "api": "Whether your own systems may enter users.",
    "audience": "Who may enter, asked at the moment of entry.",
    "completion": "What satisfies the offer; immediate: the entry itself.",
    "count_entry_event": "Whether the event that entered counts towards the completion.",
    "expires_after": "The instance ends so long after the entry; a reward, so long after it was satisfied.",
    "exit": "The instance ends without reward when this holds.",
    "reentry": "Whether a user may enter again.",
    "per_key": "Once for each value of this property of the entering event.",
    "cooldown": "Time between the end of the last instance and the next entry.",
    "per_user": "Entries of one user.",
    "exclusive": "Of a group's offers a user is in one at a time.",
    "priority": "The highest of a group enters.",
    "starts": "Entries before are refused.",
    "ends": "Entries after are refused; a date means that whole day.",
    "timezone": "Of days, streaks and dates, such as Europe/Berlin.",
    "withdraw": "Everybody inside exits now, and nobody enters.",
    "holdout": "Share of users who are measured and never rewarded.",
    "variants": "Arms with weights, attributes and rewards.",
    "pending": "How long the reward waits before it is satisfied.",
    "value": "Money such as 10 EUR, or an expression of the event that earned it.",
    "expr": "A number computed from the event, such as amount * 0.05.",
    "allowed_lateness": "How far behind its entity's clock an event still counts.",
    "grace": "How long after its due time a timer fires.",
}
"""What editors show of a key."""

_FILES: tuple[type[BaseModel], ...] = (ConditionDefinition, OfferDefinition, SettingsDefinition)
_SCENARIO = {
    "type": "object", "properties": {"kind": {"const": "scenario"}}, "required": ["kind"],
    "description": "A scenario for `offerflow test`.",
}  # fmt: skip


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(json_schema(), indent=2) + "\n"


def json_schema() -> dict[str, Any]:
    """Of one YAML document of a workspace."""
    models: list[type[BaseModel]] = [*_FILES, SourceDefinition]
    _, made = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Any] = _without_nulls(made["$defs"])
    for name in [name for name, one in definitions.items() if f'"#/$defs/{name}"' not in json.dumps(definitions)]:
        if name not in {model.__name__ for model in models}:
            del definitions[name]
    for name in ("ConditionNode", "ConditionDefinition", "EntryDefinition"):
        forms: list[dict[str, Any]] = [{"required": [form]} for form in FORMS]
        if name == "EntryDefinition":
            code = [{"required": ["code"]}, {"required": ["api"]}]
            forms.append({"anyOf": code, "not": {"anyOf": [{"required": [form]} for form in FORMS]}})
        definitions[name]["oneOf"] = forms
        definitions[name]["dependentRequired"] = {"absent": ["after", "within"], "after": ["absent"]}
    for one in definitions.values():
        for key, written in one.get("properties", {}).items():
            if key in _KEYS:
                written["description"] = _KEYS[key]
    definitions["Step"] = {"anyOf": [{"type": "string"}, definitions["Step"]]}
    files = [{"$ref": f"#/$defs/{model.__name__}"} for model in _FILES]
    sources = {"type": "array", "items": {"$ref": "#/$defs/SourceDefinition"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "offerflow definitions",
        "anyOf": [*files, sources, _SCENARIO],
        "$defs": dict(sorted(definitions.items())),
    }


def _without_nulls(value: Any) -> Any:
    """A key that may be left out is shown as what it is when it is there."""
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _without_nulls(one) for key, one in value.items() if key != "title" or not isinstance(one, str)}
    if found.get("default", ...) is None:
        del found["default"]
    branches = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if len(branches) == 1:
        del found["anyOf"]
        found |= branches[0]
    elif branches:
        found["anyOf"] = branches
    return found
