"""Reads what topics hold now, between bounds, as a stream: no group membership, little memory.

The bounds are taken before the first record is read, so a scan ends however fast its topics grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown, Refused
from offerflow.runtime.kafka.admin import TIMEOUT_S, Admin, Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.kafka.consumer import RECEIVED_BYTES, Record
from offerflow.runtime.kafka.headers import mend_headers
from offerflow.runtime.settings import Settings

SILENCE_S = 30.0
BATCH = 2000
Span = tuple[int, int]
"""Offsets of one partition: the first, and the one behind the last."""


def scan(
    settings: Settings,
    topics: Iterable[str],
    client_id: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    starts: Mapping[Place, int] | None = None,
    ends: Mapping[Place, int] | None = None,
) -> Iterator[Record]:
    """Every committed record of ``topics`` (full names; those that do not exist count as empty), in log order within
    a partition.

    ``since_ms`` and ``until_ms`` bound the append time; ``starts`` and ``ends`` (exclusive) the offsets of the
    partitions they name. Raises KafkaDown when nothing comes for SILENCE_S.
    """
    found = spans(settings, topics, client_id, since_ms=since_ms, until_ms=until_ms)
    return read_spans(
        settings,
        {
            place: (max(first, (starts or {}).get(place, 0)), min(end, (ends or {}).get(place, end)))
            for place, (first, end) in found.items()
        },
        client_id,
    )


def spans(
    settings: Settings,
    topics: Iterable[str],
    client_id: str,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> dict[Place, Span]:
    """What each partition of ``topics`` holds now for a read_committed reader; narrowed to append times."""
    admin = Admin(settings, client_id)
    places = [(topic.name, p) for topic in admin.topics(topics).values() for p in range(topic.partitions)]
    starts, ends = admin.starts(places), admin.ends(places)
    if since_ms is not None:
        starts = _at(settings, client_id, starts, ends, since_ms)
    if until_ms is not None:
        ends = _at(settings, client_id, starts, ends, until_ms + 1)
    return {place: (starts[place], max(starts[place], ends[place])) for place in places}


def read_spans(
    settings: Settings, wanted: Mapping[Place, Span], client_id: str, *, whole: bool = False
) -> Iterator[Record]:
    """The committed records within ``wanted``; retention may have taken the first of them. ``whole``: it must not have,
    since what comes of the rest would be wrong; raises Refused if it has."""
    ends = {place: end for place, (first, end) in wanted.items() if first < end}
    if not ends:
        return
    consumer = _consumer(settings, client_id, "error" if whole else "earliest")
    try:
        consumer.assign([TopicPartition(*place, wanted[place][0]) for place in ends])
        heard = outside.monotonic()
        while ends:
            messages = consumer.consume(BATCH, 0.1)
            for message in messages:
                error = message.error()
                place = (str(message.topic()), int(message.partition() or 0))
                if error is None:
                    end, offset = ends.get(place), int(message.offset() or 0)
                    if end is None:
                        continue
                    if wanted[place][0] <= offset < end:
                        mend_headers(message)
                        yield cast(Record, message)
                    if offset >= end - 1:
                        del ends[place]
                        consumer.pause([TopicPartition(*place)])
                elif error.code() == KafkaError._PARTITION_EOF:
                    # A leader that has just become one may not know yet how far the log may be read.
                    if int(message.offset() or 0) >= ends.get(place, 0):
                        ends.pop(place, None)
                elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise Refused(
                        "journal_short",
                        f"{place[0]}/{place[1]} cannot be read from {wanted[place][0]} on ({error.str()}): its"
                        " beginning was removed meanwhile, or it was made anew. What was read of it stands",
                    )
                elif error.fatal() or not error.retriable():
                    raise translate(error, f"reading {message.topic()}", settings)
            if messages:
                # Only now: whoever takes the records may take long over them.
                heard = outside.monotonic()
            elif outside.monotonic() - heard > SILENCE_S:
                where = settings.kafka.bootstrap_servers
                raise KafkaDown(f"Kafka at {where} gave nothing for {SILENCE_S:.0f} s while reading; is it running?")
    except KafkaException as error:
        raise translate(error, "reading topics", settings) from None
    finally:
        consumer.close()


def _at(
    settings: Settings, client_id: str, starts: Mapping[Place, int], ends: Mapping[Place, int], moment_ms: int
) -> dict[Place, int]:
    """The first offset appended at or after ``moment_ms``; the end where there is none."""
    if not starts:
        return {}
    consumer = _consumer(settings, client_id)
    try:
        asked = [TopicPartition(*place, max(0, moment_ms)) for place in starts]
        answers = consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
    except KafkaException as error:
        raise translate(error, "looking for a time in the log", settings) from None
    finally:
        consumer.close()
    found = {(tp.topic, tp.partition): tp.offset for tp in answers}
    return {place: found[place] if found[place] >= 0 else ends[place] for place in starts}


def _consumer(settings: Settings, client_id: str, lost: str = "earliest") -> Consumer:
    return outside.Consumer({
        "enable.auto.commit": False,
        "auto.offset.reset": lost,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "fetch.queue.backoff.ms": 5,
        "fetch.max.bytes": 4 * 1024 * 1024,
        "fetch.message.max.bytes": 512 * 1024,
        "queued.max.messages.kbytes": 8 * 1024,
        "receive.message.max.bytes": RECEIVED_BYTES,
        **base_config(settings, client_id),
        "group.id": client_id,
    })  # fmt: skip
