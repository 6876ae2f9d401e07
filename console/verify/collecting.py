"""What the output topics hold, sorted by the journal partition it was decided in: id, fingerprint and place of each.

Outputs lie by user and the journal by entity, so one topic partition holds outputs of many journal partitions. The
sorted entries go to files, one per journal partition and task: memory stays small however much there is.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from console.verify.bounds import CLIENT, OUTPUT_TOPICS
from console.verify.findings import OUTPUTS, Bytes, Difference
from console.verify.processes import Told
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import Span, read_spans
from offerflow.runtime.partitions import partition_of
from offerflow.runtime.settings import Settings
from schemas.codec import RecordCodec
from schemas.dead_letter import unstamped
from schemas.folding.announced import STAGE
from schemas.output_topics import RECORD_OF

ID = 16
_ENTRY = struct.Struct(">B16s16sIQQ")
_FLUSH = 1 << 20
_TELL = 500
DEAD_LETTERS = "dead-letter"
CODECS = {topic: RecordCodec.shipped("outputs", record) for topic, record in RECORD_OF.items()}
Name = tuple[int, bytes]
"""The number of an output topic in OUTPUT_TOPICS and the id there."""


class Spot(NamedTuple):
    """Where an output lies, the fingerprint of what lies there, and when it was appended, in ms since 1970."""

    fingerprint: bytes
    topic: int
    partition: int
    offset: int
    appended: int


class Collecting(msgspec.Struct, frozen=True):
    """A task: read these spans of output topics. ``wanted``: the journal partitions to sort out, of ``journal``."""

    settings: Settings
    spans: dict[Place, Span]
    wanted: frozenset[int]
    journal: int
    folder: str
    number: int


class Collected(msgspec.Struct, frozen=True):
    """``first_ms``: append time of the first record there still is of each place. ``foreign``: records that none of
    our workers can have written."""

    first_ms: dict[Place, int]
    foreign: list[Difference]


def collect(task: Collecting, told: Told) -> Collected:
    """Write the entries of a task to its files."""
    reader = _Reader(task.settings, task.journal)
    written: defaultdict[int, bytearray] = defaultdict(bytearray)
    first_ms: dict[Place, int] = {}
    foreign, since = list[Difference](), 0
    for record in read_spans(task.settings, task.spans, CLIENT):
        first_ms.setdefault((record.topic(), record.partition()), record.timestamp()[1])
        since += 1
        if since == _TELL:
            told(since)
            since = 0
        try:
            found = reader.entry(record)
        except ValueError as error:
            foreign.append(_foreign(reader.short(record), record, str(error)))
            continue
        if found is None or found[0] not in task.wanted:
            continue
        entries = written[found[0]]
        entries += _ENTRY.pack(*found[1:], record.partition(), record.offset(), max(0, record.timestamp()[1]))
        if len(entries) > _FLUSH:
            _append(task, found[0], entries)
    for partition, entries in written.items():
        _append(task, partition, entries)
    told(since)
    return Collected(first_ms, foreign)


def collected(folder: str, partition: int) -> Iterator[tuple[Name, Spot]]:
    """What was found of one journal partition."""
    for path in sorted(Path(folder).glob(f"{partition}.*")):
        for topic, output_id, *spot in _ENTRY.iter_unpack(path.read_bytes()):
            yield (topic, output_id), Spot(spot[0], topic, *spot[1:])


def name_and_fingerprint(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> tuple[bytes, bytes]:
    """The id of an output, as 16 bytes, and a hash of all that must be equal: key, value and headers; of a dead letter
    without who judged it and when. Raises ValueError for what is no output."""
    if value is None:
        raise ValueError("has no value")
    if topic == DEAD_LETTERS:
        output_id, value = unstamped(value)
    else:
        output_id = (dict(headers).get("ce_id") or b"").decode("ascii", "replace")
    try:
        packed = bytes.fromhex(output_id)
    except ValueError:
        packed = b""
    if len(packed) != ID:
        raise ValueError(f"has the id {output_id!r}, expected 32 hexadecimal digits")
    return packed, blake2b(msgspec.msgpack.encode((key, value, headers)), digest_size=ID).digest()


Headers = tuple[tuple[str, bytes | None], ...]


def plain_headers(headers: Sequence[tuple[str, str | bytes | None]] | None) -> Headers:
    """Headers as a reader gets them, whoever they come from."""
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers or ())


class _Reader:
    def __init__(self, settings: Settings, journal: int) -> None:
        self._journal = journal
        self._topic = settings.topic("journal").encode()
        self._short = {settings.topic(name): name for name in OUTPUT_TOPICS}
        self._number = {name: number for number, name in enumerate(OUTPUT_TOPICS)}

    def short(self, record: Record) -> str:
        return self._short[record.topic()]

    def entry(self, record: Record) -> tuple[int, int, bytes, bytes] | None:
        """Journal partition, topic, id and fingerprint; None for what the rules have not written."""
        topic, headers = self.short(record), plain_headers(record.headers())
        partition = self._letter(headers) if topic == DEAD_LETTERS else self._output(topic, record)
        if partition is None:
            return None
        return partition, self._number[topic], *name_and_fingerprint(topic, record.key(), record.value(), headers)

    def _letter(self, headers: Headers) -> int | None:
        told = dict(headers)
        if told.get("__connect.errors.stage") != STAGE.encode() or told.get("__connect.errors.topic") != self._topic:
            return None
        return int(told.get("__connect.errors.partition") or b"")

    def _output(self, topic: str, record: Record) -> int:
        key, value = record.key(), record.value()
        if key is None or value is None:
            raise ValueError("has no key or no value")
        entity = b"u:" + key
        # A user's id may look like that of a visitor.
        if key.startswith(b"a:") and _user(topic, value) is None:
            entity = key
        return partition_of(entity, self._journal)


def _user(topic: str, value: bytes) -> str | None:
    try:
        found = CODECS[topic].decode(value)
    except Exception as error:  # whatever a decoder makes of foreign bytes
        raise ValueError(f"is no {CODECS[topic].name}: {error}") from None
    user: str | None = found["user_id"]
    return user


def _foreign(topic: str, record: Record, why: str) -> Difference:
    place = (topic, record.partition(), record.offset())
    found = Bytes(record.key(), record.value(), plain_headers(record.headers()))
    return Difference(
        check=OUTPUTS, kind="unexpected", partition=-1, subject=topic, id="", places=(place,), found=found,
        words=f"no worker writes such a record: it {why}",
    )  # fmt: skip


def _append(task: Collecting, partition: int, entries: bytearray) -> None:
    with (Path(task.folder) / f"{partition}.{task.number}").open("ab") as file:
        file.write(entries)
    entries.clear()
