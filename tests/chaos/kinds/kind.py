"""What a kind of fault is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.watching import STAGES
from tests.chaos.world import World


@dataclass
class Scene:
    """What a fault has to work with. ``random`` is its lane's own, so that lanes do not depend on each other's pace."""

    world: World
    random: random.Random
    told: list[str] = field(default_factory=list)
    """What it did exactly, for the record."""

    def tell(self, text: str) -> None:
        self.told.append(text)

    def wait(self, seconds: float) -> None:
        """How long a fault lasts is part of the fault: nothing is waited for."""
        time.sleep(seconds)


class NotMet(Exception):
    """The occasion for the fault did not come; it does not count."""


class Unexpected(Exception):
    """What should have been refused was not, or the other way round."""


Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Kind:
    """``lane``: faults of different lanes happen at the same time. ``alone``: it waits until nothing else happens.
    ``most``: times in a run. ``early``: only in its first half, since what it costs grows with the journal."""

    name: str
    lane: str
    act: Act
    weight: float = 1.0
    alone: bool = False
    most: int = 1_000_000
    early: bool = False

    @property
    def stages(self) -> tuple[str, ...]:
        """Whose recovery it has to wait for."""
        return (self.lane,) if self.lane in STAGES else STAGES
