"""Who really sends which events, as validation has counted them."""

from __future__ import annotations

import functools
from collections.abc import Callable

from offerflow.runtime.settings import Settings

LoadTraffic = Callable[[], dict[tuple[str, str], int]]
"""Gives events seen by (display name, source id), every outcome together; empty if nothing was counted yet."""


def traffic_from(settings: Settings) -> LoadTraffic:
    """Reads when it is first asked: most changes break nobody and need not wait for it."""

    @functools.cache
    def load() -> dict[tuple[str, str], int]:
        from schemas.seen import read_seen

        found: dict[tuple[str, str], int] = {}
        for one in read_seen(settings):
            found[one.name, one.source] = found.get((one.name, one.source), 0) + one.count
        return found

    return load
