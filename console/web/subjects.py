"""Subjects: the names under which Confluent's clients look for schemas, and which versions each of them holds.

Every naming strategy of theirs finds what it needs: ``events.PurchaseCompleted`` (record),
``offerflow.raw.backend-value`` (topic) and ``offerflow.raw.backend-events.PurchaseCompleted`` (topic and record).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from offerflow.runtime.topics import RAW
from schemas.output_topics import RECORD_OF
from schemas.registered import Registered, Registry


@dataclass(frozen=True)
class Subject:
    """``versions``: version number to schema, ascending. Under the name of a topic that carries many kinds of records
    the schema id serves as version, since the versions of the plan would collide."""

    name: str
    versions: Mapping[int, Registered]

    def current(self, deleted: bool = False) -> dict[int, Registered]:
        """Without the versions that were removed from the plan, unless ``deleted`` asks for them too."""
        return {version: schema for version, schema in self.versions.items() if schema.current or deleted}

    def kinds(self) -> set[str]:
        """Full names of the records it holds."""
        return {schema.name for schema in self.versions.values()}


class Subjects:
    """Those of one deployment. ``topic`` gives a topic's full name."""

    def __init__(self, registry: Registry, topic: Callable[[str], str], raw: Iterable[str] = ()) -> None:
        """``raw``: short names of raw topics that sources declare, beside the fixed ones."""
        self._registry = registry
        self._raw_prefix = topic("raw.")
        self._raw = sorted({topic(name) for name in (*RAW, *raw)})
        self._journal = topic("journal")
        self._single = {topic(name): f"outputs.{record}" for name, record in RECORD_OF.items()}

    def find(self, name: str) -> Subject | None:
        """The subject of a name, None if nothing is known under it. ``:.:`` before it is the only context."""
        name = name.removeprefix(":.:")
        if name in self._registry.by_name:
            return _of_record(name, self._registry.by_name[name])
        topic, _, rest = name.rpartition("-")
        if rest == "value":
            return self._of_topic(name, topic)
        # A topic may have dashes in its name; a record cannot.
        schemas = self._registry.by_name.get(rest)
        return _of_record(name, schemas) if schemas and set(schemas) & set(self._carried(topic)) else None

    def names(self, deleted: bool = False) -> list[str]:
        """Every subject that is worth listing: records, and topics under Confluent's default strategy."""
        records = [name for name, found in self._registry.by_name.items() if deleted or any(s.current for s in found)]
        topics = [f"{topic}-value" for topic in (*self._raw, *self._single, self._journal)]
        return sorted((*records, *(name for name in topics if (found := self.find(name)) and found.current(deleted))))

    def holding(self, schema: Registered) -> Iterator[tuple[str, int]]:
        """(subject, version) of every listed place of a schema."""
        for name in self.names(deleted=True):
            subject = self.find(name)
            for version, found in subject.versions.items() if subject else ():
                if found.id == schema.id:
                    yield name, version

    def expected(self) -> str:
        """What a subject may be called, for whoever asked for another."""
        return (
            f"expected a record such as events.PurchaseCompleted, or <topic>-value, where raw topics are named"
            f" {self._raw_prefix}…"
        )

    def _of_topic(self, name: str, topic: str) -> Subject | None:
        if topic in self._single:
            return _of_record(name, self._registry.by_name[self._single[topic]])
        if topic == self._journal or self._is_raw(topic):
            return Subject(name, {schema.id: schema for schema in self._carried(topic)})
        return None

    def _carried(self, topic: str) -> list[Registered]:
        """What a topic may hold."""
        if topic in self._single:
            return list(self._registry.by_name[self._single[topic]])
        if topic == self._journal:
            own = (s for s in self._registry.by_id.values() if s.name.startswith("journal."))
            return sorted((*own, *self._registry.events), key=lambda schema: schema.id)
        return sorted(self._registry.events, key=lambda schema: schema.id) if self._is_raw(topic) else []

    def _is_raw(self, topic: str) -> bool:
        """Any raw topic will do, also one that a source is only about to declare."""
        return topic.startswith(self._raw_prefix) and len(topic) > len(self._raw_prefix)


def _of_record(name: str, schemas: Iterable[Registered]) -> Subject:
    return Subject(name, {schema.version: schema for schema in schemas})
