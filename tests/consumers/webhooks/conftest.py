"""Fixtures of the webhooks' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.consumers.webhooks.world import World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds with webhook settings of their own; their stores are closed with the test."""
    made: list[World] = []

    def make(**given: object) -> World:
        directory = tmp_path / f"world{len(made)}"
        directory.mkdir()
        made.append(World(directory, **given))
        return made[-1]

    yield make
    for one in made:
        one.engine.dispose()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
