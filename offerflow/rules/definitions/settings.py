"""What holds for all rules, and the senders of events, as people write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from offerflow.rules.definitions.values import Duration, Identifier, Model, SpanOrNone, Zone
from offerflow.rules.durations import DAY, MINUTE

Origin = Literal["sdk", "backend", "integration"]
TopicName = Annotated[str, StringConstraints(pattern=r"^raw\.[a-z0-9][a-z0-9._-]{0,99}$")]


class SettingsDefinition(Model):
    """``allowed_lateness``: how far behind its entity's clock an event still counts; ``grace``: how long after its due
    time a timer fires; ``timezone``: of days, streaks and dates that name none. There is one, with the id ``rules``."""

    kind: Literal["settings"]
    id: Literal["rules"]
    name: str | None = None
    description: str | None = None
    allowed_lateness: SpanOrNone = Duration(7 * DAY, "7d")
    grace: SpanOrNone = Duration(10 * MINUTE, "10m")
    timezone: Zone = "UTC"


class SourceDefinition(Model):
    """A sender: where it may publish, which system events of its SDK are tracked, and whether events it sends that the
    plan lacks are planned by themselves (``adopt``, for development)."""

    id: Identifier
    origin: Origin
    topics: list[TopicName] = Field(default_factory=list)
    system_events: dict[str, bool] = Field(default_factory=dict)
    unplanned_events: Literal["dead-letter", "adopt"] = "dead-letter"
