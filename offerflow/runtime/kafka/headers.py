"""Headers whose names are not UTF-8, which anybody who may write to a raw topic can send.

Asked for them, the client (2.16) raises SystemError the first time and gives a null pointer for the name the second.
"""

from __future__ import annotations

from operator import methodcaller

from confluent_kafka import Message

_ask = methodcaller("headers")
"""Not ``message.headers()``: where that is run often, CPython 3.11 and later calls the C function without looking
whether it left an error behind, and the SystemError strikes whoever comes next."""

UNREADABLE = "\ufffd"
"""Stands for such a name; the header's value is kept."""


def mend_headers(message: Message) -> None:
    """Make ``message.headers()`` safe to call. To be called before anybody else asks for them."""
    try:
        _ask(message)
    except SystemError:
        # The pairs may be looked at by repr and by index 1 alone: their first item may be the null pointer.
        pairs = message.headers() or []
        message.set_headers([(UNREADABLE if repr(pair).startswith("(<NULL>") else pair[0], pair[1]) for pair in pairs])
