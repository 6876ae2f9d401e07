"""The moments of a transaction and of an apply between which a worker may die, by name.

``reached`` does nothing until somebody watches: fault tests kill the process at a step, schedules let others run
there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """In the order in which a batch passes them. Validation has those of the transaction only."""

    ASSIGNED = "assigned"
    """Partitions were gained and claimed, and the group knows where we read."""
    REVOKED = "revoked"
    """Partitions were taken away and are forgotten."""
    READ = "read"
    """A batch was read."""
    LOADED = "loaded"
    """Its states were read from Redis."""
    DECIDED = "decided"
    """Its outputs are known, nothing is written."""
    BEGUN = "begun"
    """The transaction was begun."""
    PRODUCED = "produced"
    """The outputs were handed to the client."""
    OFFSETS_SENT = "offsets_sent"
    """The broker has the offsets in the transaction."""
    COMMITTED = "committed"
    """The transaction was committed; Redis knows nothing of it."""
    APPLIED = "applied"
    """Redis has the states and the position."""
    CLAIMED = "claimed"
    """Positions were read anew after a disturbance; nothing is read from them yet."""


watch: Callable[[Step], None] | None = None


def reached(step: Step) -> None:
    if watch is not None:
        watch(step)
