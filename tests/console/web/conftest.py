from __future__ import annotations

import pytest

from tests.console.web.served import BOUGHT, BOUGHT_2, RATED, Client, View


@pytest.fixture
def client() -> Client:
    """Three versions of two event types: Bought 1 (1000) and 2 (1002), Rated (1001)."""
    return Client(View((1000, BOUGHT, True), (1001, RATED, True), (1002, BOUGHT_2, True)))
