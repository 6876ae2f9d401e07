"""A history for one test, in each of the databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from tests.consumers.history.said import Kept, opened
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store is to be."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.db'}"
    return cast(Postgres, request.getfixturevalue("postgresql")).database()


@pytest.fixture
def kept(url: str, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path, url)
    yield made
    made.engine.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = opened(url)
    yield made
    made.dispose()
