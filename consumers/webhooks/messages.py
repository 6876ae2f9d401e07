"""Outputs to messages: the payload of Standard Webhooks, encoded once for all endpoints and all tries.

``{"type": "reward.satisfied", "timestamp": …, "data": {…}}``: data are the output's fields, decimals as strings, times
in RFC 3339. The id of the message is the output's own, so whoever keeps ids sees each message once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from offerflow.amounts import amount
from offerflow.runtime.kafka.consumer import Record
from schemas.announce import rfc3339
from schemas.codec import RecordCodec, load_schema

_TYPES = {
    "offer-entry": ("OfferEntered", "offer.entered", "entered_at"),
    "offer-exit": ("OfferExited", "offer.exited", "exited_at"),
    "reward-satisfied": ("RewardSatisfied", "reward.satisfied", "satisfied_at"),
    "reward-reversed": ("RewardReversed", "reward.reversed", "reversed_at"),
    "reward-fulfilled": ("RewardFulfilled", "reward.fulfilled", "fulfilled_at"),
}
TOPICS = tuple(_TYPES)
"""Short names of the topics whose records become messages."""


class Message(msgspec.Struct, frozen=True):
    """``offer`` or ``reward`` (the id of a reward.satisfied) is what it concerns, ``at`` when it was announced."""

    id: str
    type: str
    at: int
    offer: str | None
    reward: str | None
    body: str


class Writer:
    """Makes messages of the records of one topic, named short."""

    def __init__(self, topic: str) -> None:
        record, self._type, self._time = _TYPES[topic]
        self._codec = RecordCodec.shipped("outputs", record)
        self._times = _time_fields(load_schema("outputs", record))

    def __call__(self, record: Record) -> Message:
        """Raises ValueError if the record is none of the topic's."""
        value = record.value()
        if value is None:
            raise ValueError("it has no value")
        try:
            data = self._codec.decode(value)
        except (EOFError, IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"its Avro is broken ({error})") from None
        at = data[self._time]
        for name in self._times & data.keys():
            data[name] = None if data[name] is None else rfc3339(data[name])
        for item in data.get("evidence", ()):
            item["time"] = rfc3339(item["time"])
        if data.get("value") is not None:
            data["value"] = amount(data["value"])
        payload = {"type": self._type, "timestamp": rfc3339(at), "data": data}
        body = msgspec.json.encode(payload).decode()
        return Message(data["id"], self._type, record.timestamp()[1], data.get("offer"), data.get("reward_id"), body)


def _time_fields(schema: Mapping[str, Any]) -> frozenset[str]:
    """Names of the fields that are times, or may be."""

    def is_time(kind: Any) -> bool:
        branches = kind if isinstance(kind, list) else [kind]
        return any(isinstance(branch, dict) and branch.get("logicalType") == "timestamp-millis" for branch in branches)

    return frozenset(field["name"] for field in schema["fields"] if is_time(field["type"]))
