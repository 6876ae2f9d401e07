"""Commits of offsets that a person has judged. A worker never does this: it commits in its transactions only."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from offerflow.runtime import outside
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.admin import TIMEOUT_S, Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import Settings

_WORKING = frozenset({
    KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS,
})  # fmt: skip


def commit_judged(settings: Settings, group: str, offsets: Mapping[Place, tuple[int, str]]) -> None:
    """Commit ``offset, metadata`` for a group that nobody is a member of.

    The plain commit of a consumer without a generation: the broker itself takes it only while the group is empty, so
    no worker can have gone on meanwhile. Raises TryAgain where it has members.
    """
    if not offsets:
        return
    parts = [TopicPartition(t, p, offset, metadata) for (t, p), (offset, metadata) in offsets.items()]
    consumer = outside.Consumer({
        "enable.auto.commit": False, "socket.timeout.ms": int(TIMEOUT_S * 1000),
        **base_config(settings, "offerflow-admin"), "group.id": group,
    })  # fmt: skip
    try:
        done = consumer.commit(offsets=parts, asynchronous=False) or []
        for tp in done:
            if tp.error is not None:
                raise KafkaException(tp.error)
    except KafkaException as error:
        if error.args[0].code() in _WORKING:
            raise TryAgain(f"group {group} has members, so nothing was committed: stop its workers first") from None
        raise translate(error, f"committing offsets of group {group}", settings) from None
    finally:
        consumer.close()
