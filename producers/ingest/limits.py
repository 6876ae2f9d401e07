"""How much one request may carry, and how to measure the depth of an event without decoding it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from offerflow.runtime.settings import IngestSettings

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]|[\]}]")


@dataclass(frozen=True, slots=True)
class Limits:
    """``depth`` counts levels of objects and arrays inside the event: its ``properties`` are the first."""

    body_bytes: int = 4 * 1024 * 1024
    event_bytes: int = 64 * 1024
    events: int = 2000
    depth: int = 16

    @classmethod
    def of(cls, settings: IngestSettings) -> Limits:
        return cls(settings.max_body_bytes, settings.max_event_bytes, settings.max_events, settings.max_depth)


def deeper_than(json_object: bytes, depth: int) -> bool:
    """Whether well-formed JSON nests more than ``depth`` levels below its outermost object."""
    if json_object.count(b"{") + json_object.count(b"[") <= depth + 1:
        return False
    level = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", json_object)):
        level += 1 if bracket[0] in b"[{" else -1
        if level > depth + 1:
            return True
    return False
