"""Faults in other proportions: what is likeliest to go wrong where one guard is missing."""

from __future__ import annotations

from dataclasses import replace

from tests.schedules.faults import Scene

EVERYTHING = Scene({
    "kill": 2, "kill at a step": 3, "stop": 2, "stop at a step": 3, "replace": 2, "leave": 1, "expel": 1,
    "rebalance": 2, "time-out": 1, "broker away": 1, "hang": 2, "fail-over": 2, "empty": 2, "half-way": 2,
    "no reply": 1, "redis down": 1, "redis full": 1, "outage": 1,
})  # fmt: skip
COMMITS = replace(EVERYTHING, endings=0.25, sendings=0.2, late=0.03, in_transactions=0.3)
"""Many commits whose end is unclear, and requests that come late."""
LATE = replace(
    EVERYTHING, kinds={"kill at a step": 4, "rebalance": 2, "expel": 2, "stop at a step": 2}, faults=24, rate=0.04,
    endings=0.3, sendings=0.3, in_transactions=0.5, late=0.0, duplicates=True,
)  # fmt: skip
"""Requests that were sent twice, and come a second time within the next transaction."""
SCRIPTS = replace(
    EVERYTHING, kinds={"half-way": 5, "rebalance": 2, "expel": 2, "stop at a step": 4, "fail-over": 1}, faults=40,
    rate=0.06,
)  # fmt: skip
"""Many scripts that die half-way, while partitions change hands."""
ZOMBIES = replace(
    EVERYTHING, kinds={"replace": 2, "stop": 1, "stop at a step": 8, "expel": 2, "rebalance": 1}, faults=20, rate=0.03,
    endings=0.08, decisions=2000,
)  # fmt: skip
"""Owners who live on after they lost their partitions, stopped in the midst of a batch."""
REPLAYS = replace(
    EVERYTHING, kinds={"fail-over": 4, "empty": 2, "stop at a step": 6, "expel": 2, "rebalance": 2}, faults=28,
    rate=0.045, decisions=2000,
)  # fmt: skip
"""A Redis that goes back, while partitions change hands."""
KILLS = replace(EVERYTHING, kinds={"kill at a step": 5, "expel": 2, "rebalance": 1}, faults=30, rate=0.05)
"""Workers that die right after a commit."""
EXPELS = replace(EVERYTHING, kinds={"expel": 6, "rebalance": 3, "stop at a step": 1}, faults=50, rate=0.08)
"""Members that the broker believes dead, again and again."""
LOADS = replace(EVERYTHING, kinds={"fail-over at a load": 3, "kill": 1}, faults=20, rate=0.03)
"""A Redis that goes back just when somebody loads."""
TIMES = replace(
    EVERYTHING, kinds={"empty": 3, "fail-over": 1}, faults=10, rate=0.012, jump=0.02, records=40, upload=0.1,
    losses_at_rest=True,
)  # fmt: skip
"""Many timers that are due at once, and folded again."""
LOSSES = replace(
    EVERYTHING, kinds={"fail-over": 3, "empty": 1, "kill at a step": 1, "rebalance": 1}, faults=14, rate=0.03,
    losses_at_rest=True,
)  # fmt: skip
"""A Redis that goes back, again and again, at the end when nobody has anything to do."""
RESETS = replace(EVERYTHING, kinds={"reset": 3, "kill": 1}, faults=8, rate=0.03, records=60, upload=0.15)
BACK = replace(EVERYTHING, kinds={"set back": 1}, faults=1, rate=0.01)
STRANGERS = replace(EVERYTHING, kinds={"foreign": 2, "kill": 1}, faults=3)
SHORT = replace(EVERYTHING, kinds={"truncate": 1, "kill": 1}, faults=3)
CLOCKS = replace(EVERYTHING, kinds={**EVERYTHING.kinds, "clock": 4}, ahead_s=20.0)
OUTAGES = replace(EVERYTHING, kinds={"outage": 2, "stop": 1, "rebalance": 1}, faults=10, rate=0.02, jump=0.02)
"""Validation stands still while time goes on."""
EVICTS = replace(EVERYTHING, kinds={"evict": 3, "kill": 1, "rebalance": 1}, faults=10, rate=0.02)
"""A Redis that is told to make room, which ours must never be."""
