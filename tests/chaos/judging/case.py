"""What every process of the judge must know, and how they hand work on to each other."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from tests.chaos.load import CHANGED, WORKSPACE
from tests.chaos.world import PARTITIONS, PREFIX, World
from tests.oracle import topics, wire
from tests.oracle.compare import Report, Written
from tests.oracle.identity import partition_of
from tests.oracle.model import Event, Record
from tests.oracle.verdict import WRITTEN, written
from tests.oracle.workspace import Workspace, read


@dataclass(frozen=True)
class Case:
    """``committed``: up to where each journal partition was folded. ``changes``: the workspaces in order."""

    bootstrap: str
    settings: Settings
    changes: tuple[Path, ...]
    topic_ids: dict[str, str]
    catalog: tuple[Record, ...]
    committed: dict[int, int]
    directory: Path

    @classmethod
    def of(cls, world: World, directory: Path) -> Case:
        bootstrap, raws = world.bootstrap, [PREFIX + one for one in read([WORKSPACE], False).topics()]
        places = [(PREFIX + "journal", partition) for partition in range(PARTITIONS)]
        found = Admin(world.settings).committed(PREFIX + "rules", places)
        return cls(
            bootstrap, world.settings, tuple(world.changes),
            topics.topic_ids(bootstrap, [one for one in raws if one in topics.existing(bootstrap)]),
            tuple(topics.read(bootstrap, [PREFIX + "catalog"])[PREFIX + "catalog"]),
            {place[1]: found[place].offset for place in places}, directory,
        )  # fmt: skip

    @classmethod
    def load(cls, directory: Path) -> Case:
        found: Case = pickle.loads((directory / "case").read_bytes())  # noqa: S301 - our own
        return found

    def plans(self) -> list[Workspace]:
        """The workspaces that were in force, each once: the first, then the others."""
        kept = list(dict.fromkeys(self.changes))
        plans = [read([WORKSPACE, CHANGED] if one == CHANGED else [WORKSPACE], local_server=False) for one in kept]
        ids = wire.schema_ids(self.catalog)
        for plan in plans:
            plan.ids = {ids[key]: one for key, one in plan.versions.items() if key in ids}
            plan.topic_ids = self.topic_ids
        return plans

    def stream(self, names: list[str], partition: int | None = None) -> Iterator[Record]:
        """Records of topics named without the prefix, of one partition or of all."""
        only = None if partition is None else {partition}
        return topics.stream(self.bootstrap, [PREFIX + name for name in names], only=only)

    def outputs_of(self, number: int) -> Iterator[tuple[Record, Written]]:
        """Outputs about users of a journal partition. They lie where their keys belong, which are not the journal's; so
        all are read, and those are decoded of which the key says that they may be meant."""
        kept: dict[bytes | None, bool] = {}
        for record in self.stream(list(WRITTEN)):
            meant = kept.get(record.key)
            if meant is None:
                names = (b"u:" + (record.key or b""), record.key or b"")
                meant = kept[record.key] = number in {partition_of(name, PARTITIONS) for name in names}
            if meant:
                one = read_output(record)
                if partition_of(_entity(one), PARTITIONS) == number:
                    yield record, one

    def put(self, name: str, value: object) -> None:
        """For a later process."""
        (self.directory / name).write_bytes(pickle.dumps(value))

    def get(self, name: str) -> Any:
        return pickle.loads((self.directory / name).read_bytes())  # noqa: S301 - our own


def read_output(record: Record) -> Written:
    """Raises ValueError for what is no output."""
    report = Report()
    found = written(record, report)
    if found is None:
        raise ValueError(str(report))
    return found


def _entity(one: Written) -> bytes:
    user = one.fields["user_id"]
    return f"a:{one.fields.get('anonymous_id')}".encode() if user is None else f"u:{user}".encode()


def digest(event: Event) -> int:
    """Of all that the journal must say of an event."""
    return int.from_bytes(blake2b(event.canonical().encode(), digest_size=8).digest(), "big")
