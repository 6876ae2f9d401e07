"""The headers of records on ``raw.replay`` and ``raw.import``: where a record was first, and what became of it since.

Only offerflow's own tools write to these topics, so these headers are trusted there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.refused import REFUSED

REPLAY = "raw.replay"
TOPICS = (REPLAY, "raw.import")
"""Short names of the topics on which the headers below are trusted."""
PREFIX = "of-"
ORIGIN_TOPIC = "of-origin-topic"
ORIGIN_PARTITION = "of-origin-partition"
ORIGIN_OFFSET = "of-origin-offset"
ORIGIN_TIMESTAMP = "of-origin-timestamp"
ORIGIN_RECEIVED_AT = "of-origin-received-at"
ORIGIN = (ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET, ORIGIN_TIMESTAMP, ORIGIN_RECEIVED_AT)
DEAD_LETTER = "of-dead-letter"
"""``<partition>/<offset>`` of the dead letter that is replayed."""
ATTEMPTS = "of-attempts"
"""How often the record was judged before."""

Header = tuple[str, bytes | None]


def import_headers(topic: str, received_ms: int, line: int = 0) -> list[tuple[str, bytes]]:
    """The headers of an imported record: ``topic``, the full name of its source's channel, is where it would have come
    in. ``line`` stands for the offset; it makes the event id of a record that has none, so writers give every record
    one."""
    values = (topic, "0", str(line), str(received_ms), str(received_ms))
    return [(name, value.encode()) for name, value in zip(ORIGIN, values, strict=True)]


def replay_headers(
    headers: Sequence[Header], place: tuple[str, int, int], appended_ms: int, attempts: int, dead_letter: str,
    trusted: bool,
) -> list[Header]:  # fmt: skip
    """The headers of a record that is sent again: its own, then ours. What refused it where it came in
    goes along, since some of that is for good (schemas.refused).

    ``place`` (topic, partition, offset) and ``appended_ms`` say where it was read. If that was itself a topic of
    replays (``trusted``), the origin it names is kept, so that it stays the first one however often it is sent again.
    """
    own = [(name, value) for name, value in headers if not name.startswith(PREFIX) or name == REFUSED]
    origin = [(name, value) for name, value in headers if name in ORIGIN] if trusted else []
    if not origin:
        values = (place[0], str(place[1]), str(place[2]), str(appended_ms), str(appended_ms))
        origin = [(name, value.encode()) for name, value in zip(ORIGIN, values, strict=True)]
    return [*own, *origin, (DEAD_LETTER, dead_letter.encode()), (ATTEMPTS, str(attempts).encode())]
