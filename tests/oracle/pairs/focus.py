"""What a pair has more of than others, so that what is rare comes up too."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("Bought",) * 5 + ("Opened",) * 5 + ("Closed",) * 4 + ("Paid",) * 3 + ("Refunded",) * 2 + ("Seen", "Identified")


@dataclass(frozen=True)
class Focus:
    """There is one in so many: of records ``ticks``, ``requests``, ``behind``, ``exempt``, ``again``, ``belated``;
    of conditions plain events (``simple``); of offers those without reward (``bare``), that expire, are entered again,
    have a code or the API (``asked``). ``names`` are of events, ``plain`` what plain conditions are of; so many
    activations as ``changes`` has may follow the first."""

    ticks: int = 6
    requests: int = 9
    behind: int = 4
    exempt: int = 14
    again: int = 14
    names: tuple[str, ...] = NAMES
    simple: int = 3
    changes: tuple[int, ...] = (0, 0, 0, 1, 1, 2)
    bare: int = 6
    expires: int = 2
    reenters: int = 2
    asked: int = 6
    belated: int = 12
    plain: tuple[str, ...] = ("Bought", "Opened", "Closed", "Paid")


FOCUSES = {
    "mixed": Focus(),
    "time": Focus(ticks=3, requests=30, behind=3, exempt=8, simple=2, bare=20, expires=1),
    "refunds": Focus(
        names=("Bought",) * 6 + ("Refunded",) * 4 + ("Opened",) * 2,
        simple=1,
        bare=30,
        requests=40,
        plain=("Bought", "Bought", "Opened"),
    ),
    "late": Focus(
        names=("Opened",) * 5 + ("Bought",) * 2,
        ticks=3,
        behind=4,
        belated=2,
        exempt=30,
        again=40,
        requests=40,
        simple=1,
        bare=30,
        expires=1,
        plain=("Bought", "Opened"),
    ),
    "requests": Focus(requests=2, bare=20, simple=2, ticks=8, asked=1),
    "changes": Focus(changes=(1, 2, 3, 4), ticks=5, simple=2),
    "repeats": Focus(names=("Bought", "Opened", "Closed", "Paid"), reenters=1, behind=6, ticks=12),
}
