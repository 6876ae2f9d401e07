"""The only place in the tests that lets time pass: until something holds, never for its own sake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BETWEEN_LOOKS = 0.05


def until(look: Callable[[], T], what: str, seconds: float = 30.0, state: Callable[[], object] | None = None) -> T:
    """The first true value of ``look``. Fails naming ``what`` and the last ``state`` (default: the last value)."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last: {state() if state else value!r}")
        time.sleep(BETWEEN_LOOKS)
