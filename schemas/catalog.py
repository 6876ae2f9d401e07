"""From the catalog's JSON to compiled things: the event plan, and rulesets by hash."""

from __future__ import annotations

from offerflow.catalog.view import Catalog
from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.ruleset import ENGINE, Ruleset
from offerflow.runtime.errors import Refused
from schemas.plan import Plan, load_event_schema


def plan_of(catalog: Catalog) -> Plan:
    """The current event plan. Schemas that are no longer current are still known by id."""
    schemas = {key: load_event_schema(v["schema"], v["schema_id"]) for key, v in catalog.of_kind("event").items()}
    current = catalog.current("event")
    return Plan([schemas[key] for key in current], [schema for key, schema in schemas.items() if key not in current])


def ruleset_of(catalog: Catalog, name: str) -> Ruleset:
    """The compiled ruleset ``name``. Raises KeyError if the catalog does not have it, Refused if this code cannot
    run it."""
    record = catalog.records[f"ruleset/{name}"]
    if record["engine"] != ENGINE:
        raise Refused(
            "engine",
            f"ruleset {name} needs rules engine {record['engine']}, this program has {ENGINE}: run the version of"
            " offerflow that has it",
        )
    definitions = record["definitions"]
    conditions = [
        ConditionDefinition.model_validate(catalog.records[key]["definition"], strict=False)
        for key in definitions
        if key.startswith("condition/")
    ]
    offers = [
        OfferDefinition.model_validate(catalog.records[key]["definition"], strict=False)
        for key in definitions
        if key.startswith("offer/")
    ]
    events = [
        load_event_schema(catalog.records[key]["schema"], catalog.records[key]["schema_id"])
        for key in definitions
        if key.startswith("event/")
    ]
    settings = [
        SettingsDefinition.model_validate(catalog.records[key]["definition"], strict=False)
        for key in definitions
        if key.startswith("settings/")
    ]
    return compile_ruleset(
        name,
        {c.id: c for c in conditions},
        {o.id: o for o in offers},
        Plan(events).event_types(),
        settings[0] if settings else None,
    )
