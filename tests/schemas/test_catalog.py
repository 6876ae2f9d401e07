"""From the catalog's JSON to compiled things."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.catalog.view import Catalog
from offerflow.rules.compiling import RulesetProblems
from offerflow.rules.compiling.truth import leaves
from offerflow.rules.durations import DAY, MINUTE
from offerflow.rules.ruleset import ENGINE
from offerflow.runtime.errors import Refused
from schemas.catalog import plan_of, ruleset_of
from tests.schemas.samples import definition, field


def catalog_of(**more: Any) -> Catalog:
    """Two versions of an event of which the newer is current, a condition, an offer, and the ruleset of them."""
    names = ["event/Bought@2", "condition/c@1", "offer/o@1"]
    records: dict[str, Any] = {
        "event/Bought@1": {"schema_id": 1000, "schema": definition(field("a"), event=["Old name"])},
        "event/Bought@2": {"schema_id": 1003, "schema": definition(field("a"), event=["Bought it"], version=2)},
        "condition/c@1": {"definition": {"kind": "condition", "id": "c", "event": "Bought it", "where": "a == 'x'"}},
        "offer/o@1": {"definition": {
            "kind": "offer", "id": "o", "entry": {"condition": "c"}, "completion": {"event": "Bought it"},
            "reward": {"id": "r", "value": "10 EUR"},
        }},
        "ruleset/r": {"engine": ENGINE, "definitions": names},
        "head": {"serial": 4, "ruleset": "r", "definitions": names, "next_schema_id": 1004},
    }  # fmt: skip
    return Catalog({**records, **more})


def test_the_plan() -> None:
    """Current schemas by the names that arrive, all of them by id."""
    plan = plan_of(catalog_of())
    assert {name: one.id for name, one in plan.by_name.items()} == {"Bought it": 1003}
    assert sorted(plan.by_id) == [1000, 1003]


def test_an_empty_catalog() -> None:
    """Knows no event and is no error."""
    plan = plan_of(Catalog())
    assert (dict(plan.by_name), dict(plan.by_id), plan.event_types()) == ({}, {}, [])


def test_the_ruleset() -> None:
    """Offers compiled under the name of the ruleset, with the conditions and events it lists."""
    made = ruleset_of(catalog_of(), "r")
    assert made.hash == "r"
    assert [leaf.event_name for leaf in leaves(made.offers["o"].entry.condition)] == ["Bought it"]
    assert made.settings.grace == 10 * MINUTE


def test_a_ruleset_with_settings() -> None:
    """The settings it lists are those of the compiled ruleset."""
    settings = {"definition": {"kind": "settings", "id": "rules", "grace": "1m", "allowed_lateness": "1d"}}
    names = ["event/Bought@2", "condition/c@1", "offer/o@1", "settings/rules@1"]
    made = ruleset_of(
        catalog_of(**{"settings/rules@1": settings, "ruleset/s": {"engine": ENGINE, "definitions": names}}), "s"
    )
    assert (made.settings.grace, made.settings.allowed_lateness) == (MINUTE, DAY)


def test_a_ruleset_is_made_of_what_it_lists() -> None:
    """Whatever the head says: an old ruleset is compiled from the old definitions and the old event plan."""
    old = {"definition": {"kind": "offer", "id": "o", "entry": {"event": "Old name"}}}
    catalog = catalog_of(**{
        "offer/o@0": old, "ruleset/old": {"engine": ENGINE, "definitions": ["event/Bought@1", "offer/o@0"]},
    })  # fmt: skip
    assert ruleset_of(catalog, "old").offers["o"].version != ruleset_of(catalog, "r").offers["o"].version
    with pytest.raises(RulesetProblems, match="no event 'Old name'"):
        ruleset_of(catalog_of(**{"offer/o@1": old}), "r")


def test_a_ruleset_for_another_engine() -> None:
    """Is refused with what to do, not run with another meaning."""
    catalog = catalog_of(**{"ruleset/r": {"engine": ENGINE + 1, "definitions": []}})
    with pytest.raises(Refused, match=f"needs rules engine {ENGINE + 1}, this program has {ENGINE}"):
        ruleset_of(catalog, "r")


def test_a_ruleset_that_is_not_there() -> None:
    """Is a KeyError, for the caller to wait."""
    with pytest.raises(KeyError):
        ruleset_of(catalog_of(), "nope")
