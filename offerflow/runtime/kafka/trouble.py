"""Whether a producer's requests may still be on their way after it stopped waiting for them.

A request that was answered is over, however it was answered. One whose connection broke, or that timed out, may reach
the broker later, while the client sends it again and carries on without an error: a cut connection was seen to cost a
commit 0.6 s and to show nowhere but in the client's log and, up to a second later, in its statistics. The log is
written before the request is sent again and served by ``poll``, so after a call that succeeded it is complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

from offerflow.runtime.kafka.client import ClientLog

INFO = 6
"""The syslog level down to which the client must log for broken connections to be among it."""

_NEVER_UP = re.compile(r"in state (TRY_CONNECT|CONNECT|SSL_HANDSHAKE|APIVERSION_QUERY|AUTH_\w+)\b")
"""Nothing of ours was sent on a connection that failed so early: a broker that stays away is no trouble."""


class Trouble:
    """What one producer heard of, from its first connection on: of a broker that was lost once, the log is silent for
    the next 30 s. All of it is told from within calls of the client, never in between."""

    def __init__(self) -> None:
        self.seen = False
        self._counted: int | None = None

    def config(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Properties that make a producer tell, on top of ``given``."""
        return {
            "logger": ClientLog(self._heard),
            "log_level": max(INFO, int(given.get("log_level", INFO))),
            "log.connection.close": True,
            "error_cb": self._failed,
            "stats_cb": self._told,
        }

    def _heard(self, facility: str, text: str) -> None:
        if facility == "REQTMOUT" or (facility == "FAIL" and not _NEVER_UP.search(text)):
            self.seen = True

    def _failed(self, error: KafkaError) -> None:
        if not _NEVER_UP.search(error.str()):
            self.seen = True

    def _told(self, statistics: str) -> None:
        """The statistics leave nothing out, and come late."""
        brokers = json.loads(statistics)["brokers"].values()
        counted = sum(broker["req_timeouts"] + broker["disconnects"] for broker in brokers)
        if self._counted is not None and counted > self._counted:
            self.seen = True
        self._counted = counted
