"""The only place in the tests that lets time pass: until something holds, never for its own sake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BETWEEN_LOOKS = (0.05, 0.5)
"""Seconds: a look may cost a process or a connection, so the longer it takes already the rarer they become."""


def until(look: Callable[[], T], what: str, seconds: float = 30.0, state: Callable[[], object] | None = None) -> T:
    """The first true value of ``look``. Fails naming ``what`` and the last ``state`` (default: the last value)."""
    began = time.monotonic()
    while True:
        value = look()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"waited {seconds:g} s for {what}; last: {state() if state else value!r}")
        time.sleep(min(max(BETWEEN_LOOKS[0], waited / 10), BETWEEN_LOOKS[1]))
