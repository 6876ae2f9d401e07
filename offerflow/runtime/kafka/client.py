"""What every Kafka client shares: properties, quiet logs, and errors in our own words.

librdkafka would write raw lines to stderr; here they become structured log lines. Its errors are translated at this
border, so nobody above needs to know its codes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException

from offerflow.runtime.errors import ConfigError, Disturbed, Fenced, KafkaDown, OfferflowError
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings

_AWAY = frozenset({
    KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE, KafkaError._MSG_TIMED_OUT, KafkaError._WAIT_COORD, KafkaError._WAIT_CACHE,
    KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION, KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.NOT_CONTROLLER,
    KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, KafkaError.UNSTABLE_OFFSET_COMMIT,
    # Broker and client have heard of a change of leader, one after the other.
    KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE, KafkaError.KAFKA_STORAGE_ERROR,
})  # fmt: skip
_NO_TOPIC = frozenset({
    KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION,
})  # fmt: skip
_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
_MOVED = frozenset({
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._STATE, KafkaError._FATAL, KafkaError.CONCURRENT_TRANSACTIONS, KafkaError.INVALID_TXN_STATE,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, KafkaError.UNKNOWN_PRODUCER_ID, KafkaError.INVALID_PRODUCER_ID_MAPPING,
})  # fmt: skip
_SETTINGS = frozenset({
    KafkaError._INVALID_ARG, KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
})  # fmt: skip

_TOLD_BY_ERRORS = frozenset({"FAIL", "ERROR", "REQTMOUT", "COORDQUERY", "GETPID"})


class ClientLog:
    """Called by librdkafka from ``poll`` with (level of ``logging``, template, facility, client, text).

    Facilities that repeat what our own errors say (a broker that went away) are news for debugging only. A command
    that has configured no logs hears nothing: structlog's default would write into the data on its stdout. ``hear`` is
    told (facility, text) of everything.
    """

    def __init__(self, hear: Callable[[str, str], None] | None = None) -> None:
        self._hear = hear

    def log(self, level: int, template: str, facility: str, client: str, text: str) -> None:
        if self._hear is not None:
            self._hear(facility, text)
        if not structlog.is_configured():
            return
        loud = level >= logging.WARNING and facility not in _TOLD_BY_ERRORS
        get_logger().log(
            logging.WARNING if loud else logging.DEBUG, "kafka client", facility=facility, client=client, text=text
        )


def base_config(settings: Settings, client_id: str) -> dict[str, Any]:
    """Properties for any client of this deployment, ``kafka.extra`` included. Add those of the one client on top."""
    return {
        "client.id": client_id,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "logger": ClientLog(),
        **settings.kafka.properties(),
    }


def translate(error: KafkaException | KafkaError, doing: str, settings: Settings) -> OfferflowError:
    """The error of our tree for one of librdkafka, in one line with the address. ``doing``: "publishing to …"."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    where = f"Kafka at {settings.kafka.bootstrap_servers}"
    if not isinstance(cause, KafkaError):
        return OfferflowError(f"{where} failed while {doing}: {cause}")
    code, words = cause.code(), cause.str().strip()
    if code in _FENCED:
        return Fenced(f"{where}: another process took over while {doing} ({words})")
    if code in _MOVED or cause.txn_requires_abort() or cause.fatal():
        return Disturbed(f"{where} disturbed {doing}: {words}")
    if code in _AWAY or cause.retriable():
        return KafkaDown(f"{where} does not answer while {doing} ({words}); is it running, is the address right?")
    if code in _NO_TOPIC:
        return KafkaDown(f"{where} lacks a topic needed for {doing} ({words}); run `offerflow topics create`")
    if code in _SETTINGS:
        return ConfigError(f"{where} refuses {doing}: {words}; check OFFERFLOW_KAFKA__EXTRA__… and the access rights")
    return OfferflowError(f"{where} failed while {doing}: {words} [{cause.name()}]")
