"""What thousands of schedules would compile again and again from the same catalog: made once, shared by all.

Nothing of it changes once made. What it was made of is its key, so another catalog gets its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from offerflow.catalog.view import Catalog
from offerflow.rules.live import LiveRules
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import PartitionState
from schemas import catalog as compiling
from schemas.codec import RecordCodec
from schemas.journal import EventReader
from schemas.plan import EventSchema, Plan

_rulesets: dict[bytes, Ruleset] = {}
_plans: dict[bytes, Plan] = {}
_live: dict[tuple[Any, ...], tuple[list[Ruleset], LiveRules]] = {}
_readers: dict[tuple[int, frozenset[str]], tuple[EventSchema, EventReader]] = {}


def ruleset_of(catalog: Catalog, name: str) -> Ruleset:
    """In place of ``schemas.catalog.ruleset_of``."""
    record: dict[str, Any] = catalog.records.get(f"ruleset/{name}", {})
    parts = {key: catalog.records.get(key) for key in record.get("definitions", ())}
    made_of = msgspec.json.encode([name, record, parts])
    if made_of not in _rulesets:
        _rulesets[made_of] = compiling.ruleset_of(catalog, name)
    return _rulesets[made_of]


def plan_of(catalog: Catalog) -> Plan:
    """In place of ``schemas.catalog.plan_of``."""
    made_of = msgspec.json.encode([catalog.of_kind("event"), list(catalog.current("event"))])
    if made_of not in _plans:
        _plans[made_of] = compiling.plan_of(catalog)
    return _plans[made_of]


def reader(schema: EventSchema, reads: frozenset[str]) -> EventReader:
    """In place of ``schemas.journal.EventReader``. Keeps the schema alive, so that its identity stays its own."""
    known = _readers.get((id(schema), reads))
    if known is None:
        known = _readers[id(schema), reads] = schema, EventReader(schema, reads)
    return known[1]


def live_rules(state: PartitionState, compiled: Callable[[str], Ruleset]) -> LiveRules:
    """In place of ``offerflow.rules.live.LiveRules``. Keeps the rulesets alive, so that identities stay theirs."""
    names = sorted({*state.versions.values(), *([state.ruleset] if state.ruleset else [])})
    rulesets = [compiled(name) for name in names]
    made_of = (
        state.ruleset, state.generation, tuple(state.leaves.items()), tuple(state.traits.items()),
        tuple(state.versions.items()), *map(id, rulesets),
    )  # fmt: skip
    if made_of not in _live:
        _live[made_of] = rulesets, LiveRules(state, compiled)
    return _live[made_of][1]


@lru_cache(maxsize=256)
def shipped(folder: str, name: str) -> RecordCodec:
    """In place of ``RecordCodec.shipped``."""
    return _shipped(folder, name)


_shipped = RecordCodec.shipped
