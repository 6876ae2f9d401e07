"""Calls that may never come back."""

from __future__ import annotations

from threading import Event

import pytest

from offerflow.runtime import outside


def test_a_call_gives_what_it_gives() -> None:
    """Its result, or its own error."""
    assert outside.bounded(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        outside.bounded(lambda: 1 / 0, 5)


def test_a_call_that_hangs_is_left_behind() -> None:
    """The caller goes on after the time it gave; the call may end whenever it likes."""
    ended = Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        outside.bounded(ended.wait, 0.01)
    ended.set()
