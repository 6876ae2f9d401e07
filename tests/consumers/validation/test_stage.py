"""The stage in memory: whatever goes wrong and whenever, everything is written once and counted once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from consumers.validation import hold
from consumers.validation.seen import ROOM
from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.kafka.transactional import Output, Unwritable
from schemas.codec import EventEncoder
from tests.consumers.validation.world import RAW, SETTINGS, SHOP, Crash, Process, World, catalog, disturbed, event

KINDS = st.sampled_from(["good", "alias", "unplanned", "nobody", "broken"])
FAULTS = st.sampled_from([None, None, None, "crash", "crash after", "disturbed", "disturbed after", "rebalance"])


def _value(n: int, kind: str) -> bytes:
    return {
        "good": event(n), "alias": event(n, "Bezahlt"), "unplanned": event(n, f"New {n % 3}"),
        "nobody": event(n, source="nobody"), "broken": b"{",
    }[kind]  # fmt: skip


def _key(n: int, kind: str) -> tuple[str, str, str]:
    return {
        "good": ("Paid", "shop", "valid"), "alias": ("Paid", "shop", "valid"),
        "unplanned": (f"New {n % 3}", "shop", "unknown_event"), "nobody": ("Paid", "", "unknown_source"),
        "broken": ("", "shop", "undecodable"),
    }[kind]  # fmt: skip


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        yield made


def _run(world: World, patch: pytest.MonkeyPatch, faults: list[str | None], every: int) -> None:
    """Lives of a worker until everything was read, with one fault per turn as long as there are any."""
    process: Process | None = None
    while process is None or faults or any(world.committed[place] < len(log) for place, log in world.log.items()):
        fault = faults.pop(0) if faults else None
        try:
            if process is None:
                process = Process(world, patch, every).start()
            if fault == "rebalance":
                process.rebalance()
            elif fault is not None:
                raised = Crash() if fault.startswith("crash") else disturbed()
                world.faults = [(raised, fault.endswith("after"))]
            process.turns(1)
        except Crash:
            process = None
        world.faults = []
    process.turns(3)
    process.stop()


@given(
    st.lists(st.tuples(KINDS, st.integers(0, 1)), max_size=40),
    st.lists(FAULTS, max_size=25),
    st.lists(st.integers(1, 9), max_size=25),
    st.integers(1, 20),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_written_once_and_counted_once(
    patch: pytest.MonkeyPatch, records: list[tuple[str, int]], faults: list[str | None], sizes: list[int], every: int
) -> None:
    """Killed or disturbed before or after a commit, in batches of any size: journal and dead letters hold every raw
    record once, and the counts are those of the raw log."""
    kinds = {partition: [kind for kind, at in records if at == partition] for partition in (0, 1)}
    world = World({partition: [_value(n, kind) for n, kind in enumerate(of)] for partition, of in kinds.items()})
    world.sizes = sizes
    _run(world, patch, faults, every)
    expected = Counter(_key(n, kind) for of in kinds.values() for n, kind in enumerate(of))
    assert world.counts() == expected
    good = sum(n for (_, _, outcome), n in expected.items() if outcome == "valid")
    assert len(world.written("journal")) == good
    assert len(world.written("dead-letter")) == len(records) - good
    places = [tuple(value for name, value in output.headers or () if name.endswith(("partition", "offset")))
              for output in world.written("dead-letter")]  # fmt: skip
    assert len(set(places)) == len(places)


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_metrics_grow_only_with_the_commit(patch: pytest.MonkeyPatch) -> None:
    """What was judged again after a disturbance is in the metrics once; a name from outside is no label."""
    labels = {"channel": "raw.backend", "event": "", "outcome": "dead_letter"}
    before = _metric("offerflow_events_total", **labels)
    stripped = _metric("offerflow_unplanned_properties_total", event="Paid")
    unplanned = event(2, properties={"amount": 1, "x": 1, "y": 2})
    world = World({0: [event(1, "Hostile")] * 5 + [unplanned], 1: []})
    process = Process(world, patch).start()
    world.faults = [(disturbed(), False)]
    process.turns(1)
    assert _metric("offerflow_events_total", **labels) == before
    process.turns(2)
    assert _metric("offerflow_events_total", **labels) == before + 5
    assert _metric("offerflow_unplanned_properties_total", event="Paid") == stripped + 2
    assert _metric("offerflow_events_total", **{**labels, "event": "Hostile"}) == 0


def test_a_reason_never_met_before(patch: pytest.MonkeyPatch) -> None:
    """The first dead letter of a reason is news once; for a worker that comes later it is not."""
    world = World({0: [b"{"] * 3, 1: []})
    before = _metric("offerflow_first_seen_total", kind="reason")
    Process(world, patch).start().turns(2)
    assert _metric("offerflow_first_seen_total", kind="reason") == before + 1
    world.log[RAW, 0] += [type(one)((RAW, 0), one.offset() + 3, b"{", 2000) for one in world.log[RAW, 0]]
    Process(world, patch).start().turns(2)
    assert world.counts()["", "shop", "undecodable"] == 6
    assert _metric("offerflow_first_seen_total", kind="reason") == before + 1


def test_a_registry_that_is_away_makes_no_dead_letters(patch: pytest.MonkeyPatch) -> None:
    """Without an answer to what a schema id means nothing is judged; with one the same records are."""
    world = World({0: [event(1), b"\x00\x00\x00\x00\x63rest"], 1: []})

    def away(_: int) -> int:
        raise DependencyDown("the registry at http://127.0.0.1:1 does not answer")

    process = Process(world, patch, schema_ids=lambda plan: away).start()
    with pytest.raises(DependencyDown):
        process.turns(1)
    assert not world.outputs
    assert world.committed[RAW, 0] == 0
    Process(world, patch, schema_ids=lambda plan: lambda _: None).start().turns(2)
    assert world.counts() == {("Paid", "shop", "valid"): 1, ("", "shop", "unknown_schema"): 1}


def test_hostile_names_are_bounded(patch: pytest.MonkeyPatch) -> None:
    """Thousands of names, some of them huge, take no more room than their slots, and the planned one stays exact."""
    values = [event(n, f"{n} " + "x" * 500) if n % 2 else event(n) for n in range(2000)]
    world = World({0: values, 1: []})
    process = Process(world, patch).start()
    process.turns(5)
    process.stop()
    snapshot = world.snapshots[RAW, 0]
    assert len(snapshot.slots) == ROOM
    assert all(len(seen.name) == 200 for seen in snapshot.slots)
    assert sum(seen.count for seen in snapshot.slots) == 1000
    assert snapshot.evicted == 1000 - ROOM
    assert [(seen.name, seen.count, seen.first, seen.last) for seen in snapshot.kept] == [("Paid", 1000, 1000, 2998)]


def test_a_name_that_becomes_planned_keeps_its_counts(patch: pytest.MonkeyPatch) -> None:
    """Planned later, it has a place of its own from then on."""
    world = World({0: [event(n, "Paid") for n in range(4)], 1: []})
    planned, world.catalog = world.catalog, catalog(0)
    world.catalog.head = type(planned.head)()
    process = Process(world, patch, every=1).start()
    process.turns(2)
    assert [seen.outcome for seen in world.snapshots[RAW, 0].slots] == ["unknown_event"]
    process.follow(planned)
    process.stop()
    assert [(seen.name, seen.count) for seen in world.snapshots[RAW, 0].kept] == [("Paid", 4)]
    assert not world.snapshots[RAW, 0].slots


def test_retention_was_faster_than_the_counts(patch: pytest.MonkeyPatch) -> None:
    """What is gone from the raw topic is said to be uncounted rather than passed over in silence."""
    world = World({0: [event(n) for n in range(20)], 1: []})
    Process(world, patch, every=10).start().turns(1)
    place = RAW, 0
    world.snapshots[place].next, world.starts[place] = 4, 12
    world.committed[place] = 20
    process = Process(world, patch).start()
    process.turns(2)
    process.stop()
    assert world.snapshots[place].uncounted == 8
    assert world.snapshots[place].next == 20


def test_an_old_partition_without_counts(patch: pytest.MonkeyPatch) -> None:
    """Counted from its start, and nothing of it is written again."""
    world = World({0: [event(n) for n in range(20)], 1: []})
    world.committed[RAW, 0] = 15
    process = Process(world, patch).start()
    process.turns(2)
    process.stop()
    assert world.counts()["Paid", "shop", "valid"] == 20
    assert len(world.written("journal")) == 5


def test_counted_as_it_was_judged(patch: pytest.MonkeyPatch) -> None:
    """Killed, and the plan changed before the next worker came: what was written as good is counted as good."""
    world = World({0: [event(n) for n in range(30)], 1: []})
    world.sizes = [10, 10]
    process = Process(world, patch, every=1000).start()
    process.turns(2)
    assert (world.committed[RAW, 0], world.snapshots[RAW, 0].next) == (20, 10)
    world.catalog = catalog(2, maximum=-1)
    process = Process(world, patch).start()
    process.turns(2)
    process.stop()
    assert world.counts() == {("Paid", "shop", "valid"): 20, ("Paid", "shop", "rule_of_plan_violation"): 10}
    assert (len(world.written("journal")), len(world.written("dead-letter"))) == (20, 10)


def test_a_batch_that_trips_the_fuse_is_not_written(patch: pytest.MonkeyPatch) -> None:
    """Held, the stage reads nothing and says why; killed, the next one holds at once; mended, it goes on."""
    world = World({0: [event(n) for n in range(100)], 1: []})
    world.sizes = [50, 50]
    process = Process(world, patch).start()
    process.turns(1)
    process.follow(catalog(2, maximum=-1))
    process.turns(3)
    assert "grew by more than 50%" in str(process.why)
    assert _metric("offerflow_refusing", reason="fuse") == 1
    assert len(world.written("journal")) == 50
    assert not world.written("dead-letter")
    process = Process(world, patch).start()
    process.turns(1)
    assert "grew by more than 50%" in str(process.why)
    process.rebalance()
    process.follow(catalog(2, maximum=-1))
    process.turns(3)
    assert "grew by more than 50%" in str(process.why)
    assert not world.written("dead-letter")
    process.follow(catalog(3))
    process.turns(4)
    assert process.why is None
    assert _metric("offerflow_refusing", reason="fuse") == 0
    assert len(world.written("journal")) == 100
    assert not world.written("dead-letter")


def test_the_fuse_is_released(patch: pytest.MonkeyPatch) -> None:
    """Released by hand, what follows is written as dead letters, however bad."""
    world = World({0: [event(n) for n in range(100)], 1: []})
    world.sizes = [50, 50]
    process = Process(world, patch).start()
    process.turns(1)
    process.follow(catalog(2, maximum=-1))
    process.turns(2)
    process.follow(catalog(2, maximum=-1, released=True))
    process.turns(4)
    assert process.why is None
    assert len(world.written("dead-letter")) == 50


ANOTHER = {"id": "another", "origin": "backend", "topics": ["raw.backend"]}
CLOUD = {"specversion": "1.0", "id": "c", "source": "/shop/checkout", "type": "Paid", "subject": "u"}
MISTAKES = {
    "removed": ([], event(1)),
    "ambiguous": ([SHOP, ANOTHER], event(1)),
    "removed, and named by the events": ([], event(1, source="shop")),
    "moved elsewhere": ([{**SHOP, "topics": ["raw.integration"]}], event(1)),
    "removed, of CloudEvents": ([], json.dumps({**CLOUD, "data": {"amount": 1}}).encode()),
    "removed, in Avro": ([], EventEncoder(1001).encode("", "u", None, 1000, 0, "whoever", "backend", bytes(8))),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_sources_trip_the_fuse(patch: pytest.MonkeyPatch, mistake: str) -> None:
    """Events whose source is no longer known count for the one they had before, also if the worker that counted them
    then was killed; and what it holds for can be seen, the batch that is not written included."""
    sources, value = MISTAKES[mistake]
    world = World({0: [value] * 50, 1: []})
    world.sizes = [30]
    Process(world, patch).start().turns(1)
    assert len(world.written("journal")) == 30
    world.catalog = catalog(2, sources=sources)
    world.sizes = [4, 16]
    process = Process(world, patch).start()
    process.turns(3)
    assert "shop 0% -> 100%" in str(process.why)
    assert len(world.written("dead-letter")) == 4, "there were too few to tell"
    watch = world.snapshots[RAW, 0].watch
    assert (watch.since["shop"].bad, watch.pending["shop"].events, watch.pending["shop"].bad) == (4, 16, 16)
    process.follow(catalog(3))
    process.turns(3)
    assert process.why is None
    assert len(world.written("journal")) == 46
    assert not world.snapshots[RAW, 0].watch.pending


def test_sources_that_never_were_declared_only_alarm(patch: pytest.MonkeyPatch) -> None:
    """However many events name a source that nobody knows, or come to a topic that never had a source of its own, and
    whatever changed just before: they are dead letters and hold nothing."""
    world = World({0: [*(event(n) for n in range(50)), *(event(n, source="ghost") for n in range(200))], 1: []})
    world.sizes = [50]
    process = Process(world, patch).start()
    process.turns(1)
    process.follow(catalog(2, sources=[]))
    process.turns(3)
    assert process.why is None
    assert len(world.written("dead-letter")) == 200

    world = World({0: [*(event(n, source="shop") for n in range(50)), *(event(n) for n in range(200))], 1: []})
    world.catalog = catalog(1, sources=[SHOP, ANOTHER])
    world.sizes = [50]
    process = Process(world, patch).start()
    process.turns(1)
    process.follow(catalog(2, maximum=100, sources=[SHOP, ANOTHER]))
    process.turns(3)
    assert process.why is None
    assert len(world.written("dead-letter")) == 200


def test_the_end_of_a_watch_is_written_for_every_partition(patch: pytest.MonkeyPatch) -> None:
    """Also for those without an event, which otherwise would be shown as watching, and be watched by the next."""
    world = World({0: [event(n) for n in range(50)], 1: []})
    process = Process(world, patch).start()
    process.turns(1)
    process.follow(catalog(2, maximum=100))
    process.turns(1)
    assert [snapshot.watch.over for snapshot in world.snapshots.values()] == [False, False]
    world.log[RAW, 0] += [type(world.log[RAW, 0][0])((RAW, 0), 50 + n, event(n), 2000) for n in range(150)]
    process.turns(2)
    assert [snapshot.watch.over for snapshot in world.snapshots.values()] == [True, True]


def test_who_takes_a_partition_over_says_so(patch: pytest.MonkeyPatch) -> None:
    """Without an event, and without one of the partitions in a batch of another: `fuse show` goes by it."""
    world = World({0: [event(n) for n in range(20)], 1: [event(n) for n in range(20)]})
    world.sizes = [20, 20]
    process = Process(world, patch).start()
    process.turns(3)
    process.stop()
    world.log[RAW, 0].append(type(world.log[RAW, 0][0])((RAW, 0), 20, event(20), 2000))
    for snapshot in world.snapshots.values():
        snapshot.worker = "validation-9"
    world.sizes = [1]
    Process(world, patch, every=10**6).start().turns(1)
    assert {snapshot.worker for snapshot in world.snapshots.values()} == {"validation-1"}


def test_what_cannot_be_written_stops_the_stage(patch: pytest.MonkeyPatch) -> None:
    """It is told which record and why, nothing moves, and it is tried again until it works."""
    world = World({0: [b"{", *(event(n) for n in range(9))], 1: []})
    place = [("__connect.errors.topic", RAW), ("__connect.errors.partition", "0"), ("__connect.errors.offset", "0")]
    letter = Output(SETTINGS.topic("dead-letter"), b"k", b"v", [*place])
    process = Process(world, patch).start()
    world.faults = [(disturbed(), False), (Unwritable(letter, "Message size too large"), False)]
    process.turns(3)
    assert f"the dead letter of {RAW}/0@0 cannot be written" in str(process.why)
    assert _metric("offerflow_refusing", reason="dead_letter") == 1
    process.turns(3)
    assert not world.outputs
    assert world.committed[RAW, 0] == 0
    patch.setattr(hold, "RETRY_S", 0.0)
    world.faults = [(Unwritable(letter, "Message size too large"), False)]
    process.turns(3)
    assert _metric("offerflow_refusing", reason="dead_letter") == 1
    process.turns(3)
    assert process.why is None
    assert _metric("offerflow_refusing", reason="dead_letter") == 0
    assert (len(world.written("journal")), len(world.written("dead-letter"))) == (9, 1)
    assert sum(world.counts().values()) == 10
