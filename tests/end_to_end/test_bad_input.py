"""Any bytes on a raw topic become a journal record or a dead letter, and never stop the stage."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.deployment import Deployment
from tests.end_to_end.coffee import RAW, WORKSPACE, Raw, Traffic, hostile
from tests.end_to_end.odd_headers import odd_headers, strangers
from tests.end_to_end.three_forms import NEXT
from tests.oracle import topics
from tests.waiting import until

pytestmark = pytest.mark.broker
MIB = 1024 * 1024


INPUTS = (*RAW, "raw.replay")


def _running(deployment: Callable[..., Deployment], *more: Path) -> Deployment:
    made = deployment()
    made.create_topics()
    made.apply(WORKSPACE, *more)
    programs = made.validation(), made.rules()
    for program in programs:
        program.wait_ready()
    return made


def _send(deployment: Deployment, raws: list[Raw]) -> None:
    for topic in INPUTS:
        deployment.produce(topic, [raw[1:] for raw in raws if raw[0] == topic])


def test_every_byte_is_journalled_or_preserved(deployment: Callable[..., Deployment]) -> None:
    """Hostile values and headers amid good ones, in every form and on the topic of replays: raw equals journal, dead
    letters and switched-off events, byte for byte, and no worker dies of it."""
    running = _running(deployment, NEXT)
    ids = running.schema_ids()
    now = int(time.time() * 1000)
    raws = [
        *Traffic(5).take(1500), *hostile(5, 2500), *odd_headers(5, ids, 1500),
        *strangers(5, ids, running.prefix, now, 1000), *Traffic(6).take(500),
    ]  # fmt: skip
    _send(running, raws)
    running.wait_idle(INPUTS)
    examined = running.examine(WORKSPACE, NEXT)
    assert not examined.report, str(examined.report)
    assert examined.totals["events"] == len(raws)
    assert examined.totals["entries"] > 0
    assert all(program.process.poll() is None for program in running.programs)


def _big(size: int) -> bytes:
    """A well-formed event of exactly ``size`` bytes."""
    event = {"event": "card → linked", "source": "till", "user_id": "big", "properties": {"x": ""}}
    empty = json.dumps(event).encode()
    return empty.replace(b'"x": ""', b'"x": "' + b"y" * (size - len(empty)) + b'"')


def _send_compressed(deployment: Deployment, codec: str, level: int, value: bytes) -> None:
    producer = Producer({
        "bootstrap.servers": deployment.services.kafka, "compression.type": codec, "compression.level": level,
        "message.max.bytes": 1_000_000_000,
    })  # fmt: skip
    failed: list[object] = []
    producer.produce(
        f"{deployment.prefix}raw.backend", value, b"big",
        on_delivery=lambda error, _: failed.append(error) if error is not None else None,
    )  # fmt: skip
    assert producer.flush(60) == 0
    assert not failed


def test_records_far_over_the_limit_become_dead_letters(deployment: Callable[..., Deployment]) -> None:
    """The broker takes what compresses well: a value of 60 MB is set aside whole, and the next event still passes.
    That holds for what our producers cannot compress as well as the sender did, or not at all."""
    running = _running(deployment)
    letters = bytes(random.Random(7).choices(b"abcdefgh", [64, 16, 8, 4, 4, 2, 1, 1], k=7_027_818))
    _send_compressed(running, "gzip", 6, letters)
    _send_compressed(running, "zstd", 9, letters)
    # It comes again behind the window of faster compressors: 45 MB to them, 1.8 MB to the sender.
    far = bytes(random.Random(4).choices(range(32), k=2_900_000)) * 25
    _send_compressed(running, "zstd", 12, far)
    odd: list[Raw] = [
        ("raw.backend", b"big", _big(MIB), []),
        ("raw.backend", b"big", _big(MIB + 1), []),
        ("raw.backend", b"big", b"\x00" * 6 * MIB, [("trace", b"1")]),
        ("raw.backend", b"big", b"[" * 60 * MIB, []),
        ("raw.backend", b"k" * 2 * MIB, b"{}", [("h" * 300, b"v" * MIB), ("h", None), ("h", b"")]),
        ("raw.backend", None, random.Random(1).randbytes(1_900_000), [("what compresses", b"not at all")]),
        ("raw.backend", None, b"\x00\x00\x00\x03\xe8" + b"\xfe\xff\xff\xff\x0f" * 200_000, []),
        ("raw.backend", None, None, [(f"h{n}", None) for n in range(20_000)]),
        ("raw.backend", b"big", _big(200), []),
    ]
    for raw in odd:
        _send(running, [raw])
    running.wait_idle(RAW)
    examined = running.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    assert examined.totals["dead_letters"] == {"too_large": 7, "undecodable": 3}
    assert len(examined.deads) == 10


def test_batches_and_partitions_of_any_size(deployment: Callable[..., Deployment]) -> None:
    """Three partitions, one worker that takes a record at a time beside one that takes seven: the same outputs."""
    made = deployment(partitions=3)
    made.create_topics()
    made.apply(WORKSPACE)
    _send(made, Traffic(8, users=20).take(300))
    for number, size in ((1, "1"), (2, "7")):
        made.validation(number, OFFERFLOW_BATCH__MAX_RECORDS=size)
        made.rules(number, OFFERFLOW_BATCH__MAX_RECORDS=size)
    made.wait_idle(RAW)
    examined = made.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    assert examined.totals["rewards"] > 1


def test_a_program_started_before_its_broker_waits(deployment: Callable[..., Deployment]) -> None:
    """Workers whose Kafka does not answer stay up, are not ready, and say why."""
    made = deployment()
    away = {"OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    for program in (made.validation(**away), made.rules(**away)):
        until(
            lambda p=program: "127.0.0.1:1" in p.tail(100_000), f"{program.name} to name the address", 60, program.tail
        )
        assert not program.ready()
        assert program.stop() == 0


def test_rules_wait_for_redis(deployment: Callable[..., Deployment]) -> None:
    """Without Redis the rules worker writes nothing and loses nothing; with it the same events give their outputs."""
    made = deployment()
    made.create_topics()
    made.apply(WORKSPACE)
    made.validation().wait_ready()
    waiting = made.rules(OFFERFLOW_REDIS__URL="redis://127.0.0.1:1/0")
    _send(made, Traffic(7).take(500))
    until(lambda: made.idle("validation", *RAW), "validation to be idle", 60)
    until(lambda: "127.0.0.1:1" in waiting.tail(100_000), "the worker to name the address", 60, waiting.tail)
    assert not topics.read(made.services.kafka, [made.prefix + "offer-entry"])[made.prefix + "offer-entry"]
    assert waiting.stop() == 0
    made.rules().wait_ready()
    made.wait_idle(RAW)
    examined = made.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
