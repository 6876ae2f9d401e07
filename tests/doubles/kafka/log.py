"""One partition of a topic: records, the markers that end transactions, and how far each kind of reader may read."""

from __future__ import annotations

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

Place = tuple[str, int]
Headers = list[tuple[str, str | bytes | None]]
"""As confluent_kafka wants them; the values are bytes here."""


class Transaction:
    """What one producer writes between two ends. ``outcome`` is None while it is open, then whether it committed."""

    __slots__ = ("groups", "outcome", "places", "producer", "started", "unmarked")

    def __init__(self, producer: str, started: float) -> None:
        self.producer = producer
        self.started = started
        self.places: dict[Place, None] = {}
        self.groups: dict[str, None] = {}
        self.outcome: bool | None = None
        self.unmarked = 0
        """Markers still to be written after the outcome was decided."""


class Partition:
    """``start`` is the first offset that is left. An entry of None is a marker: it takes an offset, nobody reads it."""

    __slots__ = ("_entries", "_owners", "number", "open", "start", "topic")

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.start = 0
        self.open: dict[Transaction, int] = {}
        """First offset of each transaction that has no marker here yet, the earliest first."""
        self._entries: list[Message | None] = []
        self._owners: list[Transaction | None] = []

    @property
    def end(self) -> int:
        """The high watermark: behind the last entry."""
        return len(self._entries)

    @property
    def stable(self) -> int:
        """The last stable offset: where a read_committed reader must stop."""
        for first in self.open.values():
            return first
        return len(self._entries)

    def append(
        self, key: bytes | None, value: bytes | None, headers: Headers | None, now: float, owner: Transaction | None
    ) -> Message:
        offset = len(self._entries)
        message = Message(
            topic=self.topic, partition=self.number, offset=offset, key=key, value=value, headers=headers,
            timestamp=(TIMESTAMP_LOG_APPEND_TIME, int(now * 1000)),
        )  # fmt: skip
        self._entries.append(message)
        self._owners.append(owner)
        if owner is not None and owner not in self.open:
            self.open[owner] = offset
        return message

    def mark(self, owner: Transaction) -> None:
        """Write the marker of a transaction whose outcome is decided. Kafka writes one even where nothing was written
        in between."""
        self.open.pop(owner, None)
        self._entries.append(None)
        self._owners.append(owner)

    def read(self, position: int, limit: int, committed: bool) -> tuple[list[Message], int]:
        """Records from ``position`` on and the position behind them, which lies past markers and aborted records."""
        entries, owners = self._entries, self._owners
        end = self.stable if committed else len(entries)
        found: list[Message] = []
        while position < end:
            message = entries[position]
            if message is not None:
                owner = owners[position]
                if owner is None or owner.outcome or not committed:
                    if len(found) == limit:
                        break
                    found.append(message)
            position += 1
        return found, position

    def offset_at(self, moment_ms: int) -> int:
        """The first offset appended at ``moment_ms`` or later, or -1."""
        for offset in range(self.start, len(self._entries)):
            message = self._entries[offset]
            if message is not None and message.timestamp()[1] >= moment_ms:
                return offset
        return -1

    def truncate(self, at: int) -> None:
        """Lose everything from ``at`` on, as a cluster does that elects a leader which lacks it."""
        del self._entries[at:], self._owners[at:]
        self.open = {owner: first for owner, first in self.open.items() if first < at}
