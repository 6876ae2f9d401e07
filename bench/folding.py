"""Deciding alone: many offers of which few concern an event, states packed and unpacked as a worker does, timers."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from functools import partial

from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.decide import decide
from offerflow.rules.definitions import OfferDefinition
from offerflow.rules.durations import DAY
from offerflow.rules.events import Event, EventType, Kind, PropertyType
from offerflow.rules.fold import Fold
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity
from offerflow.rules.states import MemoryStates

START = 1_790_000_000_000
USERS_PER = 50
"""Events of each user."""
BATCH = 5_000
TIMERS = 1_000_000
PROPERTIES = {"amount": PropertyType(Kind.NUMBER, required=True), "order_id": PropertyType(Kind.STRING, required=True)}
Made = list[tuple[str, Event, EventType]]


def rates(count: int) -> dict[str, float]:
    """Events per second: with 100 live offers of three leaves, of which 5 % of the offers, or of the leaves, name the
    type of an event; with ten times the offers and as many leaves that name it; packed and unpacked; with timers."""
    # As the worker has it: states are trees, so there is little to collect.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    found = {}
    for named, offers, types in (
        ("5 leaves concern an event, of 100 offers", 100, 60),
        ("5 leaves concern an event, of 1,000 offers", 1_000, 600),
        ("15 leaves concern an event, of 100 offers", 100, 20),
    ):
        planned = plan(types)
        live = rules(offers, planned)
        made = events(count, count // USERS_PER, planned[:20])
        found[f"decide: {named}"] = rate(partial(fold, live, made, {}), count)
        packed: dict[str, bytes] = {}
        found[f"  packed and unpacked in every batch: {named}"] = rate(partial(fold_packed, live, made, packed), count)
        size = sum(map(len, packed.values())) / len(packed)
        found[f"  bytes of a state of {USERS_PER} events: {named}"] = size
    return found | timed(count)


def timed(count: int) -> dict[str, float]:
    """The same through the fold that keeps timers, with and without a million of them waiting; the best of three."""
    planned = plan(60)
    ruleset = compiled(100, planned)
    made = events(count, count // USERS_PER, planned[:20])
    found: dict[str, float] = {}
    for named, waiting in (("no other timer waits", 0), ("1,000,000 timers wait", TIMERS)):
        states = MemoryStates()
        for n in range(waiting):
            states.put(f"u:waiting-{n}", _WAITING, START + 400 * DAY + n, False)
        gc.freeze()
        for attempt in range(3):
            folding = Fold(0, PartitionState(), lambda _: ruleset, states, careful=False)
            folding.activate("bench")
            mine = [(f"{entity}/{attempt}", event, one) for entity, event, one in made]
            key = f"fold with timers: {named}"
            found[key] = max(found.get(key, 0), rate(partial(through, folding, mine), count))
    return found


_WAITING = EntityState()


def through(folding: Fold, made: Made) -> None:
    for start in range(0, len(made), BATCH):
        for entity, event, planned in made[start : start + BATCH]:
            folding.event(entity, event, planned)
        folding.settle()


def plan(types: int) -> list[EventType]:
    return [EventType(f"E{n}", (f"E{n}",), PROPERTIES) for n in range(types)]


def compiled(offers: int, planned: list[EventType]) -> Ruleset:
    """``offers`` live offers of three leaves that differ; every type is named by as many leaves."""
    names = [planned[n % len(planned)].name for n in range(3 * offers)]
    random.Random(7).shuffle(names)
    definitions = {}
    for n in range(offers):
        first, second, third = names[3 * n : 3 * n + 3]
        definitions[f"offer-{n}"] = OfferDefinition.model_validate(
            {
                "kind": "offer", "id": f"offer-{n}",
                "entry": {"event": first, "where": f"amount >= {n % 50}", "count": {"at_least": 4}, "within": "2d"},
                "audience": {"none": [{"event": second, "count": {"at_least": 20 + n % 500}}]},
                "completion": {"event": third, "count": {"at_least": 3 + n % 500}},
                "expires_after": "14d", "reward": {"id": "r", "value": "10 EUR"},
            }
        )  # fmt: skip
    return compile_ruleset("bench", {}, definitions, planned)


def rules(offers: int, planned: list[EventType]) -> LiveRules:
    ruleset = compiled(offers, planned)
    return LiveRules(activate(PartitionState(), ruleset), lambda _: ruleset)


def events(count: int, users: int, planned: list[EventType]) -> Made:
    """Events of ``users`` within 30 days, in order."""
    chosen = random.Random(11)
    made = []
    for n in range(count):
        user = f"u-{chosen.randrange(users)}"
        one = planned[chosen.randrange(len(planned))]
        at = START + n * 30 * DAY // count
        event_id = f"{chosen.getrandbits(32):08x}-0000-7000-8000-{n:012x}"
        properties = {"amount": chosen.random() * 100, "order_id": f"o-{n}"}
        event = Event(one.name, event_id, user, None, at, at, "s", "backend", n, properties, 0, n)
        made.append((f"u:{user}", event, one))
    return made


def fold(live: LiveRules, made: Made, states: dict[str, EntityState]) -> None:
    for entity, event, planned in made:
        state = states.get(entity)
        if state is None:
            state = states[entity] = EntityState()
        decide(live, entity, state, event, planned, 0)


def fold_packed(live: LiveRules, made: Made, packed: dict[str, bytes]) -> None:
    """As a worker does: the states of a batch are unpacked and packed once."""
    for start in range(0, len(made), BATCH):
        states: dict[str, EntityState] = {}
        for entity, event, planned in made[start : start + BATCH]:
            state = states.get(entity)
            if state is None:
                state = states[entity] = unpack_entity(packed.get(entity))
            decide(live, entity, state, event, planned, 0)
        for entity, state in states.items():
            packed[entity] = pack(state)


def rate(action: Callable[[], object], count: int) -> float:
    began = time.process_time()
    action()
    return count / max(time.process_time() - began, 1e-9)
