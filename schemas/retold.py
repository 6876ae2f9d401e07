"""Where a record of ``raw.replay`` or ``raw.import`` was first, by its headers. The contract is in docs/formats.md,
Replays and imports."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.envelope import Headers, Undecodable
from schemas.replay import ORIGIN, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_RECEIVED_AT, ORIGIN_TIMESTAMP, ORIGIN_TOPIC
from schemas.values import TIMES

_TIMES = range(TIMES.stop)
_NUMBERS = {
    ORIGIN_PARTITION: range(10**18), ORIGIN_OFFSET: range(10**18), ORIGIN_TIMESTAMP: _TIMES,
    ORIGIN_RECEIVED_AT: _TIMES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """The first place of a record, by full topic name; when it was appended there and when it was received."""

    topic: str
    at_partition: int
    at_offset: int
    appended: int
    received_at: int

    def partition(self) -> int:
        return self.at_partition

    def offset(self) -> int:
        return self.at_offset


def origin_of(headers: Headers | None) -> Origin:
    """Raises Undecodable if a header is missing or malformed."""
    said = {name: value for name, value in headers or () if name in ORIGIN}
    numbers = [_number(name, said.get(name), within) for name, within in _NUMBERS.items()]
    topic = said.get(ORIGIN_TOPIC)
    try:
        name = (topic or b"").decode()
    except UnicodeDecodeError:
        name = ""
    if not name:
        raise _wrong(ORIGIN_TOPIC, "the full name of a topic", topic)
    return Origin(name, *numbers)


def _number(name: str, value: bytes | None, within: range) -> int:
    number = int(value) if value and value.isdigit() and len(value) <= 18 else None
    if number is None or number not in within:
        raise _wrong(name, f"a decimal number from {within.start} to {within.stop - 1}", value)
    return number


def _wrong(name: str, expected: str, value: bytes | None) -> Undecodable:
    got = "nothing" if value is None else ascii(value[:40].decode("utf-8", "replace"))
    detail = f"header {name}: expected {expected}, got {got}; only offerflow's own tools may write to this topic"
    return Undecodable(detail, None, (name, expected, got))
