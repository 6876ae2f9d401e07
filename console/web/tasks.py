"""What the console process does in the background, beside following the catalog."""

from __future__ import annotations

from console.dead_letters import watch
from console.plan import adopting
from console.web.background import Background
from offerflow.runtime.settings import Settings


def tasks_of(settings: Settings) -> list[Background]:
    """One Background for each task, not started."""
    return [
        Background("dead-letters", lambda: watch.DeadLetterWatch(settings), watch.EVERY_S),
        Background("adopting", lambda: adopting.Adopter(settings), adopting.EVERY_S),
    ]
