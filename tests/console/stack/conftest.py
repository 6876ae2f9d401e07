"""Stacks for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.console.stack.stacks import Stack


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stack]]:
    """Makes stacks; whatever they left running ends with the module."""
    made: list[Stack] = []

    def make(name: str) -> Stack:
        made.append(Stack(tmp_path_factory.mktemp(name)))
        return made[-1]

    yield make
    for stack in made:
        stack.run("down", "--purge", "--yes")
        for process in stack.processes():
            process.kill()
