"""What makes a producer suspect that a request of its is still on its way."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import KafkaError

from offerflow.runtime.kafka.trouble import Trouble

CUT = "[thrd:127.0.0.1:1/1]: 127.0.0.1:1/1: Disconnected: connection closed by peer (after 1727ms in state UP)"
REFUSED = "[thrd:127.0.0.1:1/1]: 127.0.0.1:1/1: Connect to 127.0.0.1:1 failed (after 0ms in state CONNECT)"


def statistics(req_timeouts: int, disconnects: int, retries: int = 0) -> str:
    broker = {"txretries": retries, "req_timeouts": req_timeouts, "disconnects": disconnects}
    return json.dumps({"brokers": {"1": broker, "TxnCoordinator": dict.fromkeys(broker, 0)}})


@pytest.mark.parametrize(
    ("facility", "text", "is_one"),
    [
        ("FAIL", CUT, True),
        ("FAIL", "1/1: Disconnected: verify that security.protocol is right", True),
        ("REQTMOUT", "Timed out EndTxnRequest in flight (after 6000ms, timeout #0)", True),
        ("FAIL", REFUSED, False),
        ("GETPID", "Failed to acquire transactional PID: Coordinator load in progress: retrying", False),
    ],
)
def test_a_broken_connection_is_trouble_and_one_that_never_was_is_none(facility: str, text: str, is_one: bool) -> None:
    """What was sent on a connection that broke may arrive later; nothing was sent on one that was refused."""
    trouble = Trouble()
    trouble.config({})["logger"].log(20, "%s [%s] %s", facility, "producer-1", text)
    assert trouble.seen is is_one


@pytest.mark.parametrize(("text", "is_one"), [("1/1 brokers are down", True), (CUT, True), (REFUSED, False)])
def test_the_clients_errors_count_likewise(text: str, is_one: bool) -> None:
    """An error that is raised beside the calls says the same as the log."""
    trouble = Trouble()
    trouble.config({})["error_cb"](KafkaError(KafkaError._TRANSPORT, text))
    assert trouble.seen is is_one


def test_statistics_tell_what_the_log_left_out() -> None:
    """Time-outs and disconnects that grow are trouble; those of the start, and requests that were answered and sent
    again, are none."""
    trouble = Trouble()
    told = trouble.config({})["stats_cb"]
    told(statistics(0, 1))
    told(statistics(0, 1, retries=9))
    assert not trouble.seen
    told(statistics(0, 2))
    assert trouble.seen


def test_a_request_that_timed_out_shows_in_the_statistics() -> None:
    """Also where its connection lived on."""
    trouble = Trouble()
    told = trouble.config({})["stats_cb"]
    told(statistics(0, 1))
    told(statistics(1, 1))
    assert trouble.seen


def test_a_quiet_log_is_made_to_tell() -> None:
    """Properties of the deployment may make the log more talkative, not less than broken connections need."""
    assert Trouble().config({"log_level": "3", "log.connection.close": "false"})["log_level"] == 6
    assert Trouble().config({"log_level": 7})["log_level"] == 7
    assert Trouble().config({"log.connection.close": "false"})["log.connection.close"] is True
