"""A store for one test, in each of the databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Empty, with all its tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = cast(Postgres, request.getfixturevalue("postgresql")).database()
    made = open_store(load_settings(store={"url": url}))
    yield made
    made.dispose()
