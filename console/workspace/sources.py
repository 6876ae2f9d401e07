"""Sources against the topics and the event plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from console.workspace.problems import Path
from offerflow.catalog.view import LOCAL_SERVER
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.topics import CHANNELS, RAW
from schemas.plan import Plan


def check_sources(
    sources: Mapping[str, dict[str, Any]], plan: Plan, problem: Callable[[str, Path, str], None]
) -> list[str]:
    """Tells ``problem`` (name, path, message) what is wrong with ``sources`` (by name such as ``source/shop``; what an
    earlier one says of a topic holds for the later ones). Returns the raw topics of their own that must exist."""
    own: list[str] = []
    origins: dict[str, tuple[str, str]] = {topic: (origin, "the topic") for topic, origin in CHANNELS.items()}
    for name, source in sources.items():
        if source["id"] == LOCAL_SERVER.id:
            problem(name, ("id",), f"{LOCAL_SERVER.id} is built in; expected another id")
        for at, topic in enumerate(source.get("topics", ())):
            if topic in RAW and topic not in CHANNELS:
                problem(name, ("topics", at), f"{topic} is kept for replays and imports")
                continue
            origin, owner = origins.setdefault(topic, (source["origin"], f"source {source['id']}"))
            if origin != source["origin"]:
                message = f"{topic} is for {origin} ({owner}); expected a topic for {source['origin']}"
                problem(name, ("topics", at), message)
            if topic not in RAW and topic not in own:
                own.append(topic)
        for event in source.get("system_events", {}):
            schema = plan.by_name.get(event)
            if schema is None:
                system = [n for s in plan.newest.values() if s.system for n in s.names]
                message = f"the event plan has no event {event!r}{did_you_mean(event, system)}"
                problem(name, ("system_events", event), message)
            elif not schema.system:
                problem(name, ("system_events", event), f"{event!r} is not a system event; it cannot be switched")
    return own
