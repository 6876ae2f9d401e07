"""What the validation stage says of every simulated record, under the standard plan and the demo's sources."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from offerflow.catalog.view import Source
from producers.simulator.broken import KINDS
from producers.simulator.event import BACKEND, INTEGRATION, SDK, Sent
from producers.simulator.lives import LONGEST
from producers.simulator.stream import Options, Stream
from schemas.dead_letter import DeadLetter
from schemas.plan import Plan, parse_event_schema
from schemas.step import Channel, Emit, Skip, Step

ROOT = Path(__file__).parents[3]
FILES = sorted([*(ROOT / "schemas" / "events").glob("*.avsc"), *(ROOT / "deploy" / "demo" / "events").glob("*.avsc")])
START = 1_772_000_000_000
REASONS = {kind.name: kind.reason for kind in KINDS if kind.reason != "duplicate_conflict"}


class Appended:
    """A record as the stage reads it, appended when the last journey is over."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    def topic(self) -> str:
        return self._sent.channel

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 1

    def key(self) -> bytes | None:
        return self._sent.key

    def value(self) -> bytes | None:
        return self._sent.value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, START + LONGEST


@cache
def step() -> Step:
    plan = Plan([parse_event_schema(json.loads(file.read_text("utf-8")), 1000 + n) for n, file in enumerate(FILES)])
    written = YAML(typ="safe").load((ROOT / "deploy" / "demo" / "sources.yaml").read_text("utf-8"))
    sources = {
        source["id"]: Source(source["id"], source["origin"], tuple(source.get("topics", ()))) for source in written
    }
    default = {topic: source.id for source in sources.values() for topic in source.topics}
    origins = {SDK: "sdk", BACKEND: "backend", INTEGRATION: "integration"}
    return Step(plan, sources, {name: Channel(name, "id", origin, default[name]) for name, origin in origins.items()})


def verdicts() -> list[tuple[str, str]]:
    """(what the record is, what became of it) of a whole run."""
    records = [record for wave in Stream(Options(500, 7, START, 0.05, 0.03)).waves() for record in wave]
    outcomes = [(record.what, step()(Appended(record))) for record in records]
    return [
        (what, outcome.reason if isinstance(outcome, DeadLetter) else "skip" if isinstance(outcome, Skip) else "event")
        for what, outcome in outcomes
    ]


def test_good_and_repeated_records_are_events_and_broken_ones_dead_letters_of_their_reason() -> None:
    """No good record is refused, and each broken kind fails for exactly the reason it stands for."""
    found = Counter(verdicts())
    for (what, became), count in found.items():
        assert became == REASONS.get(what, "event"), f"{count} records {what}: {became}"
    assert set(REASONS) < {what for what, _ in found}


def test_the_plan_is_covered() -> None:
    """Every event type of the standard plan and of the demo's own happens to somebody, and somebody types in a code."""
    happened = set()
    for wave in Stream(Options(1500, 7, START)).waves():
        for record in wave:
            outcome = step()(Appended(record))
            assert isinstance(outcome, Emit)
            happened.add(outcome.event)
    names = {json.loads(file.read_text("utf-8"))["event"][0] for file in FILES}
    assert happened == names | {"offerflow.EnterOffer"}
