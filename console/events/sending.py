"""Sends one event, by the edge as an SDK would or straight to its raw topic as a server with access to Kafka would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from offerflow.catalog.view import Source
from offerflow.runtime.errors import DependencyDown, OfferflowError
from offerflow.runtime.kafka.publisher import Publisher, Record
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import CHANNELS

_SECONDS = 30.0
_LONGEST = 2000


class _Fault(Struct):
    message: str
    field: str = ""


class _Refusal(Struct):
    message: str
    events: list[_Fault] = []


class NotTaken(OfferflowError):
    """The edge answered that it did not take the event, and why."""


def by_edge(url: str, key: str, event: Mapping[str, Any]) -> None:
    """Returns once Kafka has it. Raises NotTaken, and DependencyDown where nobody answers."""
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/v1/events", content=msgspec.json.encode(event),
            headers={"authorization": f"Bearer {key}", "content-type": "application/json"}, timeout=_SECONDS,
        )  # fmt: skip
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DependencyDown(f"nobody takes events at {url}: {error}") from None
    if answer.status_code != 202:
        raise NotTaken(f"{url} answered {answer.status_code}: {_said(answer.text)}")


def by_kafka(settings: Settings, source: Source, event: Mapping[str, Any]) -> None:
    """To the raw topic of the source's origin. Returns once Kafka has it. Raises KafkaDown."""
    channel = settings.topic(next(name for name, origin in CHANNELS.items() if origin == source.origin))
    key = event.get("user_id") or event.get("anonymous_id") or ""
    publisher = Publisher(settings, "offerflow-send")
    try:
        publisher.publish([Record(channel, str(key).encode(), msgspec.json.encode({**event, "source": source.id}))])
    finally:
        publisher.close(timeout=1.0)


def _said(text: str) -> str:
    """What is wrong with the event, else the message of a refusal, or the answer as it is where it is no refusal."""
    try:
        refusal = msgspec.json.decode(text, type=_Refusal)
    except msgspec.MsgspecError:
        return text[:_LONGEST]
    faults = [f"{bad.field}: {bad.message}" if bad.field else bad.message for bad in refusal.events]
    return ("; ".join(faults) or refusal.message)[:_LONGEST]
