"""Records of one partition to what is written for them and to what is counted, under one view of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from consumers.validation.seen import NAME_CHARACTERS, Tally
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.transactional import Output
from schemas.channels import Channel
from schemas.cloudevents import CloudEnvelope
from schemas.dead_letter import DeadLetter, write_dead_letter
from schemas.envelope import Undecodable
from schemas.plan import Plan
from schemas.raw import read
from schemas.requests import REQUESTS_BY_NAME
from schemas.step import Emit, Step

STAGE = "validation"


@dataclass(slots=True)
class Judged:
    """The outputs of some records in their order, and what is to be counted of them. ``orphans`` of the dead letters
    are without a source because their topic has not exactly one."""

    outputs: list[Output] = field(default_factory=list)
    tally: Tally = field(default_factory=dict)
    schema_ids: set[int] = field(default_factory=set)
    stripped: Counter[str] = field(default_factory=Counter)
    orphans: int = 0


class Judge:
    """``planned``: the display names of the plan, and those of requests. ``sources``: ids that may be counted by name.
    ``stripped`` is what ``step`` counts left-out properties in, by event."""

    def __init__(
        self, journal: str, dead_letters: str, step: Step, plan: Plan, sources: Set[str], stripped: Counter[str]
    ) -> None:
        self._journal = journal
        self._dead_letters = dead_letters
        self._step = step
        names = {**plan.by_name, **REQUESTS_BY_NAME}
        self._names: Mapping[str, str] = {name: schema.names[0] for name, schema in names.items()}
        self._sources = sources
        self._stripped = stripped
        self.planned = frozenset(self._names.values())

    def __call__(self, channel: Channel, records: list[Record], failed_at: int) -> Judged:
        """Raises DependencyDown if the schema registry is needed and away; nothing was judged then."""
        judged = Judged()
        self._stripped.clear()
        step, journal, tally, write = self._step, self._journal, judged.tally, judged.outputs.append
        for record in records:
            outcome = step(record)
            if isinstance(outcome, Emit):
                write(Output(journal, outcome.key, outcome.value))
                key = (outcome.event, outcome.source, "valid")
            elif isinstance(outcome, DeadLetter):
                write(write_dead_letter(self._dead_letters, record, outcome, STAGE, failed_at))
                key = self._dead(outcome, channel)
                if not key[1] and _is_orphan(record, outcome, channel):
                    judged.orphans += 1
                if outcome.schema_id is not None and outcome.reason == "unknown_schema":
                    judged.schema_ids.add(outcome.schema_id)
            else:
                key = (outcome.event, outcome.source, "dropped")
            counted = tally.get(key)
            at = record.timestamp()[1]
            if counted is None:
                tally[key] = [1, at, at]
            else:
                counted[0] += 1
                if at > counted[2]:
                    counted[2] = at
                elif at < counted[1]:
                    counted[1] = at
        judged.stripped.update(self._stripped)
        return judged

    def _dead(self, letter: DeadLetter, channel: Channel) -> tuple[str, str, str]:
        event = letter.event or ""
        source = letter.source or channel.default_source or ""
        name = self._names.get(event) or event[:NAME_CHARACTERS]
        return name, source if source in self._sources else "", letter.reason


def _is_orphan(record: Record, letter: DeadLetter, channel: Channel) -> bool:
    """Whether the record would belong to the topic's only source if there were one. What names a source in an envelope
    of our own never does; a CloudEvent or an Avro record does, whatever it names."""
    if channel.default_source is not None:
        return False
    if letter.source is None or letter.schema_id is not None:
        return True
    try:
        return type(read(record.value(), record.headers())) is CloudEnvelope
    except Undecodable:
        return False
