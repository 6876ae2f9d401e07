"""Random schedules of faults over the real workers: none goes wrong, and without any one of the guards some does."""

from __future__ import annotations

import pytest

from tests.schedules.mutations import MUTATIONS, Mutation
from tests.schedules.schedule import run
from tests.schedules.seeds import SEEDS

INTACT = [one for one in MUTATIONS if one.patch is None]
MUTATED = [one for one in MUTATIONS if one.patch is not None]
CHUNK = 40
CHUNKS = {"nothing": 20}
"""How many chunks of seeds each scene is given with all guards on: 2 where it is not named here."""
NEARBY = 60
"""Whatever is changed anywhere gives a seed another schedule. So many are tried from the recorded one on."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutation", "first"),
    [(one, CHUNK * at) for one in INTACT for at in range(CHUNKS.get(one.name, 2))],
    ids=lambda value: value.name.replace(" ", "-") if isinstance(value, Mutation) else str(value),
)
def test_with_all_guards_nothing_goes_wrong(mutation: Mutation, first: int) -> None:
    """Every raw record is settled once, outputs and dead letters are there once, Redis is the fold, and all of it comes
    to rest, whatever happened: `python -m tests.schedules --only NAME --seed N --trace` shows one that did not."""
    wrong = {}
    for seed in range(first, first + CHUNK):
        result = run(seed, mutation.scene)
        if result.bad:
            wrong[seed] = result.wrong
    assert wrong == {}


@pytest.mark.parametrize("mutation", MUTATED, ids=lambda one: one.name.replace(" ", "-"))
def test_without_it_a_schedule_goes_wrong(mutation: Mutation) -> None:
    """With this one guard left out, a schedule that all guards together survive ends wrong."""
    first = SEEDS[mutation.name]
    seeds = range(first, first + NEARBY)
    bad = next((seed for seed in seeds if run(seed, mutation.scene, mutation.patch).bad), None)
    assert bad is not None, f"no schedule of {seeds} goes wrong without {mutation.name}"
    assert run(bad, mutation.scene).kind == "ok"
