"""What new rules make of an old state: what was not in force all the time counts no more."""

from __future__ import annotations

from offerflow.rules.live import LiveRules
from offerflow.rules.state import EntityState


def settle(rules: LiveRules, state: EntityState) -> None:
    """Leave of leaves, watches and traits those that were in force since the state was looked at last. Nobody is in an
    offer that is not live."""
    since, generation = rules.generations, state.generation
    never = rules.generation + 1
    for key in [key for key in state.leaves if since.get(key, never) > generation]:
        del state.leaves[key]
    for key in [key for key in state.gaps if since.get(key, never) > generation]:
        del state.gaps[key]
    for watch in state.watches:
        if since.get(watch.key, never) > generation:
            watch.key = 0
    for name in [name for name in state.traits_set if rules.trait_generations.get(name, never) > generation]:
        del state.traits_set[name]
        state.traits.pop(name, None)
    for name, offer in state.offers.items():
        offer.gone = name not in rules.active
    state.generation = rules.generation
