"""Records of the journal and of the dead letters to rows of the index: of what arrived, who, what and when, with its
verdict. Bodies are not looked into beyond that."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
import msgspec

from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.store.events import EventRow, shown_name
from offerflow.runtime.store.outcomes import storable
from offerflow.runtime.topics import CHANNELS
from schemas.codec import FIRST_EVENT_ID, FRAME, META, plain_times, schema_id_of
from schemas.dead_letter import StoredLetter, read_dead_letter
from schemas.envelope import MAX_ID, Envelope, Undecodable
from schemas.raw import is_framed, read
from schemas.replay import TOPICS
from schemas.requests import REQUESTS_BY_ID
from schemas.retold import origin_of
from schemas.values import TIMES, parse_time

Rows = list[EventRow]
_META = fastavro.parse_schema(plain_times(META))
_NO_FRAMES = frozenset({"too_large", "undecodable", "unknown_schema"})
"""Reasons for which nobody knows what a framed record is."""


class JournalReader:
    """Rows of valid events, requests by API among them. ``name_of`` gives the display name of an event schema's id; it
    may raise TryAgain."""

    def __init__(self, name_of: Callable[[int], str]) -> None:
        self._name_of = name_of
        self._names: dict[int, str] = {schema_id: schema.names[0] for schema_id, schema in REQUESTS_BY_ID.items()}

    def __call__(self, record: Record, into: Rows) -> None:
        """Ticks and rulesets concern no event, and make no row. Raises ValueError for what is no record of ours."""
        value = record.value()
        if value is None:
            raise ValueError("a record without a value")
        schema_id = schema_id_of(value)
        name = self._names.get(schema_id)
        if name is None:
            if schema_id < FIRST_EVENT_ID:
                return
            name = self._names[schema_id] = shown_name(self._name_of(schema_id))
        meta = _meta_of(value)
        user_id, anonymous_id = meta["user_id"], meta["anonymous_id"]
        into.append(EventRow(
            0, record.partition(), record.offset(), 0, storable(meta["event_id"]), name,
            None if user_id is None else storable(user_id), None if anonymous_id is None else storable(anonymous_id),
            meta["time"], meta["received_at"], shown_name(meta["source"]), meta["origin"], None,
        ))  # fmt: skip


class LetterReader:
    """Rows of dead letters, with as much of who and when as could be read. ``prefix`` is that of topics."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._again = frozenset(prefix + name for name in TOPICS)

    def __call__(self, record: Record, into: Rows) -> None:
        """Raises ValueError for what is no dead letter."""
        letter = read_dead_letter(record)
        who = _who(letter)
        raw = letter.topic.removeprefix(self._prefix)
        received_at = letter.timestamp
        if letter.topic in self._again:
            try:
                origin = origin_of(letter.headers)
                received_at, channel = origin.received_at, origin.topic.removeprefix(self._prefix)
            except Undecodable:
                channel = raw
        else:
            channel = raw
        into.append(EventRow(
            1, record.partition(), record.offset(), 0, who.event_id, _name(letter.event), who.user_id,
            who.anonymous_id, who.time if who.said else received_at, received_at, _name(letter.source),
            CHANNELS.get(channel), letter.reason, shown_name(raw), letter.partition, letter.offset,
        ))  # fmt: skip


class _Who(msgspec.Struct, gc=False):
    """Whose a dead letter is. ``said``: it has a time of its own, None where that could not be read."""

    event_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    time: int | None = None
    said: bool = False


class _Readable(msgspec.Struct, gc=False):
    """Of JSON that is no envelope, members that may be what they should be all the same."""

    event_id: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    time: Any = None


_readable = msgspec.json.Decoder(_Readable)


def _meta_of(value: bytes) -> dict[str, Any]:
    """Raises ValueError where the bytes are too few or no UTF-8."""
    body = BytesIO(value)
    body.seek(FRAME)
    try:
        return fastavro.schemaless_reader(body, _META, None)  # type: ignore[return-value]
    except (EOFError, IndexError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"not an event: {error}") from None


def _who(letter: StoredLetter) -> _Who:
    said: Envelope | _Readable
    if is_framed(letter.value):
        return _who_framed(letter)
    try:
        said = read(letter.value, letter.headers)
    except Undecodable:
        try:
            said = _readable.decode(letter.value or b"")
        except (ValueError, RecursionError):
            return _Who()
    return _Who(
        _id(said.event_id), _id(said.user_id), _id(said.anonymous_id), _moment(said.time), said.time is not None
    )


def _who_framed(letter: StoredLetter) -> _Who:
    if letter.reason in _NO_FRAMES:
        return _Who()
    try:
        meta = _meta_of(letter.value or b"")
    except ValueError:
        return _Who()
    event_id, user_id, anonymous_id = (_id(meta[name]) for name in ("event_id", "user_id", "anonymous_id"))
    return _Who(event_id, user_id, anonymous_id, _moment(meta["time"]), True)


def _id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return storable(value[:MAX_ID]) if isinstance(value, str) and value else None


def _name(value: str | None) -> str | None:
    return None if value is None else shown_name(value)


def _moment(value: Any) -> int | None:
    moment = parse_time(value) if isinstance(value, str) else value
    return moment if isinstance(moment, int) and not isinstance(moment, bool) and moment in TIMES else None
