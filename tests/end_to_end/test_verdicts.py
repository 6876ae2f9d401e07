"""The validation step and the oracle, each written from the same page, on the same records and without a broker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import fastavro
import pytest

from offerflow.catalog.view import Source
from schemas.dead_letter import DeadLetter
from schemas.plan import Plan, parse_event_schema
from schemas.step import Channel, Emit, Skip, Step
from tests.end_to_end.coffee import WORKSPACE, Raw, Traffic, hostile
from tests.end_to_end.odd_headers import odd_headers, strangers
from tests.end_to_end.three_forms import NEXT, ThreeForms
from tests.oracle import wire
from tests.oracle.judge import judge
from tests.oracle.model import Dead, Event, Record, Verdict
from tests.oracle.workspace import REQUESTS, Workspace, read

NOW = int(time.time() * 1000)


class Message:
    """What the step asks of a consumed message."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return lambda: getattr(self._record, name)

    def timestamp(self) -> tuple[int, int]:
        return 2, self._record.timestamp

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self._record.headers)


class Both:
    """The oracle's verdict on a record beside the step's, in the oracle's words."""

    def __init__(self, plan: Workspace) -> None:
        self.plan = plan
        planned = {key: one for key, one in plan.versions.items() if one.name not in REQUESTS}
        self.ids = {key: 1000 + n for n, key in enumerate(planned)}
        plan.ids = {self.ids[key]: one for key, one in planned.items()}
        parsed = [parse_event_schema(one.schema, self.ids[key]) for key, one in planned.items()]
        self.readers = {
            schema_id: (one.name, one.version, fastavro.parse_schema(wire.plain(one.whole)))
            for schema_id, one in plan.ids.items()
        }
        sources = {
            one.id: Source(one.id, one.origin, one.topics, dict.fromkeys(one.switched_off, False))
            for one in plan.sources.values()
        }
        channels = {}
        for topic in plan.topics():
            only = plan.only_source_of(topic)
            channels[topic] = Channel(topic, "ID", plan.origin_of(topic), only.id if only else None)
        plan.topic_ids = dict.fromkeys(channels, "ID")
        self.step = Step(Plan(parsed), sources, channels)

    def __call__(self, record: Record) -> tuple[Verdict, Verdict | str]:
        return judge(record, self.plan, ""), self._stepped(record)

    def _stepped(self, record: Record) -> Verdict | str:
        outcome = self.step(Message(record))  # type: ignore[arg-type]
        if isinstance(outcome, DeadLetter):
            return Dead(outcome.reason, outcome.detail)
        if isinstance(outcome, Skip):
            return "dropped"
        assert isinstance(outcome, Emit)
        schema_id, body = wire.unframe(outcome.value, record.where)
        name, version, schema = self.readers[schema_id]
        event, _ = wire.event_of(name, version, wire.decode(body, schema, record.where))
        assert outcome.key == event.entity.encode()
        return event


def _told(verdict: Verdict | str) -> str:
    if isinstance(verdict, Dead):
        return verdict.reason
    return verdict.canonical() if isinstance(verdict, Event) else "dropped"


@pytest.mark.parametrize("traffic", ["usual", "hostile", "three forms", "odd headers", "strangers"])
def test_the_step_judges_as_the_oracle_does(traffic: str) -> None:
    """Thousands of records, good and bad, get the same verdict, reason and journal content from both."""
    both, kinds = Both(read([WORKSPACE, NEXT])), Counter[str]()
    raws: dict[str, Iterable[Raw]] = {
        "usual": Traffic(11).take(4000),
        "hostile": hostile(11, 4000),
        "three forms": ThreeForms(11, both.ids).take(8000),
        "odd headers": odd_headers(11, both.ids, 4000),
        "strangers": strangers(11, both.ids, "", NOW, 4000),
    }
    for n, (topic, key, value, headers) in enumerate(raws[traffic]):
        record = Record(topic, "ID", n % 8, n, NOW, key, value, tuple(headers))
        mine, theirs = both(record)
        assert _told(theirs) == _told(mine), f"the oracle says {mine}, the step {theirs}, of {value!r:.500}"
        kinds[mine.reason if isinstance(mine, Dead) else type(mine).__name__] += 1
    assert {"Event", "Dropped", "undecodable", "missing_user", "schema_violation", "unknown_event"} <= set(kinds)
