"""What may go wrong with requests that end or extend a transaction, and requests that arrive late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
    """What becomes of an EndTxn request."""

    PLAIN = "done"
    SLOW = "done, the answer takes two seconds"
    LOST_DONE = "done, the answer never comes"
    LOST = "not done, the request is lost"
    HELD = "not done for now, the request comes late"
    DUPLICATED = "done, after a disconnect it was sent again and the first one comes late"


class Sending(Enum):
    """What becomes of a TxnOffsetCommit request."""

    PLAIN = "done"
    LOST_DONE = "done, the answer never comes"
    LOST = "not done, the request is lost"
    HELD = "not done for now, the request comes late"
    DUPLICATED = "done, after a disconnect it was sent again and the first one comes late"


SLOW_S = 2.0
RECONNECT_S = 0.1


@dataclass(frozen=True)
class Late:
    """A request that still travels. ``arrive`` gives the code of the broker's answer, which nobody hears."""

    what: str
    arrive: Callable[[], int]

    def __repr__(self) -> str:
        return self.what
