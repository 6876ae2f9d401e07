"""Headers that the Python client cannot make and cannot read, sent through the C library beneath it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from offerflow.runtime.kafka.headers import UNREADABLE, mend_headers

TOPIC, VALUE, HEADERS = 1, 4, 10
"""Tags of the values that rd_kafka_produceva takes (rdkafka.h, rd_kafka_vtype_t)."""


class Tagged(ctypes.Structure):
    """rd_kafka_vu_t: a tag and a union of 64 bytes."""

    _fields_ = (("tag", ctypes.c_int), ("padding", ctypes.c_int), ("words", ctypes.c_void_p * 8))


def library() -> Any:
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    loaded = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    for name in ("conf_new", "new", "headers_new", "mock_cluster_new", "produceva"):
        getattr(loaded, f"rd_kafka_{name}").restype = ctypes.c_void_p
    loaded.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return loaded


@pytest.fixture
def sent() -> Iterator[str]:
    """The address of a mock broker whose topic ``t`` has one record, with a header named by no UTF-8."""
    c, said = library(), ctypes.create_string_buffer(512)
    owner = ctypes.c_void_p(c.rd_kafka_new(0, ctypes.c_void_p(c.rd_kafka_conf_new()), said, 512))
    cluster = ctypes.c_void_p(c.rd_kafka_mock_cluster_new(owner, 1))
    address = c.rd_kafka_mock_cluster_bootstraps(cluster)
    conf = ctypes.c_void_p(c.rd_kafka_conf_new())
    c.rd_kafka_conf_set(conf, b"bootstrap.servers", address, said, 512)
    producer = ctypes.c_void_p(c.rd_kafka_new(0, conf, said, 512))
    headers = ctypes.c_void_p(c.rd_kafka_headers_new(ctypes.c_size_t(2)))
    for name, value in ((b"good", b"x"), (b"bad\xff", b"y")):
        c.rd_kafka_header_add(headers, name, ctypes.c_ssize_t(len(name)), value, ctypes.c_ssize_t(1))
    topic, body = ctypes.create_string_buffer(b"t"), ctypes.create_string_buffer(b"{}")
    arguments = (Tagged * 3)(
        Tagged(TOPIC, 0, (ctypes.addressof(topic),)),
        Tagged(VALUE, 0, (ctypes.addressof(body), 2)),
        Tagged(HEADERS, 0, (headers.value,)),
    )
    assert c.rd_kafka_produceva(producer, arguments, ctypes.c_size_t(3)) is None
    assert c.rd_kafka_flush(producer, 10_000) == 0
    yield address.decode()
    c.rd_kafka_destroy(producer)
    c.rd_kafka_mock_cluster_destroy(cluster)
    c.rd_kafka_destroy(owner)


def test_a_name_that_is_no_text_stops_nobody(sent: str) -> None:
    """The name is replaced, the value and the other headers are kept, however often they are asked for, and also where
    the interpreter has specialised the call since it was made often."""
    for _ in range(1000):
        mend_headers(Message(topic="t", value=b"{}", headers=[("good", b"x")]))
    consumer = Consumer({"bootstrap.servers": sent, "group.id": "g"})
    try:
        consumer.assign([TopicPartition("t", partition, OFFSET_BEGINNING) for partition in range(4)])
        (message,) = consumer.consume(1, 20)
        mend_headers(message)
        assert message.headers() == message.headers() == [("good", b"x"), (UNREADABLE, b"y")]
    finally:
        consumer.close()
