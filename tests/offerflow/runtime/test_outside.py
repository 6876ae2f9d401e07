"""Calls that may never come back."""

from __future__ import annotations

import gc
import weakref
from threading import Event

import pytest

from offerflow.runtime import outside
from tests.waiting import until


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


def test_a_call_that_failed_is_let_go() -> None:
    """What it used is gone with its error, with no help of the collector of cycles: it may be a client at work."""

    class Client:
        def ask(self) -> None:
            raise ConnectionError("away")

    def fail() -> weakref.ref[Client]:
        client = Client()
        try:
            outside.bounded(client.ask, 5)
        except ConnectionError:
            return weakref.ref(client)
        raise AssertionError("it answered")

    gc.disable()
    try:
        client = fail()
        until(lambda: client() is None, "the client to go", 5)
    finally:
        gc.enable()
