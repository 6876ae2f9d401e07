"""Sends requests to the backend channel, as the API does, and says how far it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from offerflow.catalog.view import LOCAL_SERVER, Catalog, sources_of
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.kafka.publisher import Publisher, Record
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import CHANNELS
from schemas.asking import Request

ORIGIN = "backend"
AT_ONCE = 1000
Progress = Callable[[int, int], None]


class Interrupted(DependencyDown):
    """Kafka took the first ``sent`` requests, and perhaps some of those after them."""

    def __init__(self, sent: int, of: int, why: object) -> None:
        super().__init__(f"Kafka has {sent} of {of} requests ({why}); run the same again: nothing counts twice")
        self.sent = sent


def source_for(settings: Settings, catalog: Catalog, given: str | None) -> str:
    """The source that a command's requests come from: ``given``, else the local stack's own, else the only one of
    origin backend. Raises UsageError."""
    sources = {name: source for name, source in sources_of(settings, catalog).items() if source.origin == ORIGIN}
    if given is not None:
        if given not in sources:
            hint = did_you_mean(given, sources) or f"; there are {', '.join(sorted(sources)) or 'none'}"
            raise click.UsageError(f"there is no source {given!r} of origin backend{hint}")
        return given
    if LOCAL_SERVER.id in sources:
        return LOCAL_SERVER.id
    if len(sources) != 1:
        there = ", ".join(sorted(sources)) or "none is declared"
        raise click.UsageError(f"say by --source which source of origin backend asks: {there}")
    return next(iter(sources))


def send(settings: Settings, requests: Sequence[Request], progress: Progress | None = None) -> None:
    """Returns once Kafka has all of them. Raises Interrupted with the number it surely has."""
    (channel,) = (settings.topic(topic) for topic, origin in CHANNELS.items() if origin == ORIGIN)
    sent = 0
    publisher = Publisher(settings, "offerflow-requests")
    try:
        for at in range(0, len(requests), AT_ONCE):
            part = requests[at : at + AT_ONCE]
            publisher.publish(Record(channel, one.user_id.encode(), one.encode()) for one in part)
            sent += len(part)
            if progress is not None:
                progress(sent, len(requests))
    except (DependencyDown, KeyboardInterrupt) as error:
        raise Interrupted(sent, len(requests), str(error) or "interrupted") from None
    finally:
        publisher.close(timeout=1.0)
