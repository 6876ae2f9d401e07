"""Names of events seen, planned or not, per source and outcome: what the topic ``events-seen`` holds, and reading it.

Each raw partition has one record under ``<raw topic>/<partition>``: counts of everything below offset ``next``.
Validation writes it now and then within its own transactions; whoever takes a partition over counts on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import Settings

TOPIC = "events-seen"
CLIENT = "offerflow-events-seen"


class Seen(msgspec.Struct, array_like=True):
    """How often a name came from a source (``''``: none that is declared) to an outcome: ``valid``, ``dropped`` or a
    dead-letter reason. ``first`` and ``last`` are append times, ms since 1970. ``count`` is too high by ``error`` at
    most."""

    name: str
    source: str
    outcome: str
    count: int
    first: int
    last: int
    error: int = 0


class Share(msgspec.Struct, array_like=True):
    """Events of a source, and how many of them became dead letters."""

    events: int = 0
    bad: int = 0


class Watch(msgspec.Struct):
    """What the fuse knows of a raw partition: shares per source under the plan ``plan`` since ``changed_at`` (ms), and
    ``before`` it. ``over``: the plan was found good, or was released by hand. ``held`` says why validation holds, and
    ``pending`` is what of the batch that it does not write counted for that. ``default`` is the only source that the
    topic has, or had last: events that name none belong to it."""

    plan: str = ""
    changed_at: int = 0
    before: dict[str, Share] = {}
    since: dict[str, Share] = {}
    over: bool = True
    released: bool = False
    held: str | None = None
    pending: dict[str, Share] = {}
    default: str = ""


class Snapshot(msgspec.Struct):
    """Counts of one raw partition below ``next``. ``kept`` are planned names, all of them; ``slots`` the others, as
    many as there is room for; ``evicted`` names lost their slot, and none without one came more than ``floor`` times.
    ``uncounted`` offsets were never looked at: the
    partition is older than its counts, or retention was faster. ``schema_ids`` are those nobody had registered.
    What follows ``next`` was judged under the plan of ``serial``, until there is another snapshot."""

    topic_id: str
    next: int
    kept: list[Seen] = []
    slots: list[Seen] = []
    evicted: int = 0
    floor: int = 0
    uncounted: int = 0
    schema_ids: list[int] = []
    serial: int = 0
    watch: Watch = msgspec.field(default_factory=Watch)
    worker: str = ""


class Report(msgspec.Struct):
    """All partitions together. A name that is not listed came at most ``floor`` times, a listed one at most ``floor``
    times more than its count says; ``floor`` is 0 as long as nothing was ``evicted``."""

    entries: list[Seen]
    floor: int
    evicted: int
    uncounted: int


_decoder = msgspec.json.Decoder(Snapshot)


def write_snapshot(settings: Settings, place: Place, snapshot: Snapshot) -> Output:
    """The record for ``events-seen``. Its partition follows from that of the raw topic, so that a claim of a few raw
    partitions reads a few partitions of snapshots."""
    key = f"{place[0]}/{place[1]}".encode()
    return Output(settings.topic(TOPIC), key, msgspec.json.encode(snapshot), partition=place[1] % settings.partitions)


def load_snapshots(settings: Settings, partitions: Collection[int] | None = None) -> dict[Place, Snapshot]:
    """The newest snapshot of every raw partition that has one; of those numbered ``partitions`` at least."""
    wanted = None if partitions is None else {partition % settings.partitions for partition in partitions}
    found: dict[Place, Snapshot] = {}
    there = spans(settings, [settings.topic(TOPIC)], CLIENT)
    chosen = {place: span for place, span in there.items() if wanted is None or place[1] in wanted}
    newest: dict[bytes, bytes] = {}
    for record in read_spans(settings, chosen, CLIENT):
        key, value = record.key(), record.value()
        if key is not None and value is not None:
            newest[key] = value
    for key, value in newest.items():
        topic, _, partition = key.decode().rpartition("/")
        found[topic, int(partition)] = _decoder.decode(value)
    return found


def read_seen(settings: Settings) -> list[Seen]:
    """Every name seen, in the order of names, sources and outcomes."""
    return read_report(settings).entries


def read_report(settings: Settings) -> Report:
    return merge(load_snapshots(settings).values())


def merge(snapshots: Iterable[Snapshot]) -> Report:
    """The sums of counts and of their bounds (Agarwal et al., Mergeable Summaries, PODS 2012)."""
    merged: dict[tuple[str, str, str], Seen] = {}
    report = Report([], 0, 0, 0)
    for snapshot in snapshots:
        report.evicted += snapshot.evicted
        report.uncounted += snapshot.uncounted
        report.floor += snapshot.floor
        for entry in (*snapshot.kept, *snapshot.slots):
            whole = merged.get((entry.name, entry.source, entry.outcome))
            if whole is None:
                merged[entry.name, entry.source, entry.outcome] = msgspec.structs.replace(entry)
            else:
                whole.count += entry.count
                whole.error += entry.error
                whole.first = min(whole.first, entry.first)
                whole.last = max(whole.last, entry.last)
    report.entries = [merged[key] for key in sorted(merged)]
    return report
