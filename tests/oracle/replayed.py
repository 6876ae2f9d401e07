"""Records that tools sent again: what their headers say of where they were first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tests.oracle.model import Record
from tests.oracle.shape import TIMES
from tests.oracle.workspace import RESENT, Workspace


class NoOriginError(Exception):
    """A header of the origin is missing or malformed."""


@dataclass(frozen=True)
class Place:
    """Where and when a record is judged to be: ``record`` as it was read at its origin, ``topic`` without prefix."""

    record: Record
    topic: str
    received_at: int
    lateness: str = "normal"


def place_of(record: Record, plan: Workspace, prefix: str) -> Place:
    """The record's own place, or the one its headers name if it lies on a topic where they are trusted."""
    topic = record.topic.removeprefix(prefix)
    if topic not in RESENT:
        return Place(record, topic, record.timestamp)
    told = {name: _text(value) for name, value in record.headers if name.startswith("of-origin-")}
    partition, offset = (_number(told, name, 10**18) for name in ("partition", "offset"))
    appended, received = (_number(told, name, TIMES.stop) for name in ("timestamp", "received-at"))
    origin = told.get("of-origin-topic")
    if not origin:
        raise NoOriginError("of-origin-topic is missing")
    at_origin = replace(
        record, topic=origin, topic_id=plan.topic_ids.get(origin, ""), partition=partition, offset=offset,
        timestamp=appended,
    )  # fmt: skip
    short = origin.removeprefix(prefix) if origin.startswith(prefix) else f"another deployment's {origin}"
    return Place(at_origin, short, received, "ignore")


def attempts(record: Record, prefix: str) -> int:
    """How often the record will have been judged once it is judged here."""
    if record.topic.removeprefix(prefix) not in RESENT:
        return 1
    said = [value or b"" for name, value in record.headers if name == "of-attempts"]
    return int(said[-1]) + 1 if said and re.fullmatch(rb"[0-9]{1,9}", said[-1]) else 1


def _text(value: bytes | None) -> str:
    """Empty for what is no text, which no header of the origin may be."""
    try:
        return (value or b"").decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _number(told: dict[str, str], name: str, end: int) -> int:
    text = told.get(f"of-origin-{name}", "")
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) >= end:
        raise NoOriginError(f"of-origin-{name} is {text!r}, not a number below {end}")
    return int(text)
