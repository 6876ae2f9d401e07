"""The faults, by kind. Each begins, lasts as long as it lasts, and is over when it returns. Recovery is not its
part."""

from __future__ import annotations

from tests.chaos.kinds import brokers, network, offsets, processes, stores
from tests.chaos.kinds.kind import Kind


def every(several: bool) -> list[Kind]:
    """All kinds; ``several``: of a cluster of several brokers."""
    return [*processes.KINDS, *stores.KINDS, *network.KINDS, *brokers.kinds(several), *offsets.KINDS]
