"""The raw topics as validation reads them: which there are, whom each is for, and who sends what names no source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from offerflow.catalog.view import Source
from offerflow.runtime.kafka.admin import Admin, TopicInfo
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import CHANNELS
from schemas.replay import TOPICS


@dataclass(frozen=True, slots=True)
class Channel:
    """A raw topic: its short name, Kafka's id of it, the origin it is for, and its only source if it has just one.

    ``raw.replay`` and ``raw.import`` are for no origin of their own (None): what they hold is judged as if it lay where
    its headers say it came from.
    """

    name: str
    topic_id: str
    origin: str | None
    default_source: str | None


def channels_of(settings: Settings, admin: Admin, sources: Mapping[str, Source]) -> dict[str, Channel]:
    """The raw topics to read: the fixed ones and those that sources name, by full name. Absent ones are left out."""
    named = {name for source in sources.values() for name in source.topics}
    names = {settings.topic(name): name for name in sorted({*named, *CHANNELS, *TOPICS})}
    there: Mapping[str, TopicInfo] = admin.topics(names)
    channels = {}
    for full, info in there.items():
        name = names[full]
        declared = sorted(source.id for source in sources.values() if name in source.topics)
        if name in TOPICS:
            channels[full] = Channel(name, info.id, None, None)
            continue
        origin = CHANNELS.get(name) or sources[declared[0]].origin
        channels[full] = Channel(name, info.id, origin, declared[0] if len(declared) == 1 else None)
    return channels
