"""What leaves the index by age, what it begins with, when it is complete; and names of events it has to wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from consumers.history import index as module
from consumers.history import names
from consumers.history.complete import Completeness
from consumers.history.index import DAY_S, Retention
from consumers.history.names import Names
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime import outside
from offerflow.runtime.errors import Refused, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from tests.consumers.history.came import JOURNAL, LETTERS, Index, dead, valid
from tests.consumers.history.test_index import UNPLANNED


class Log:
    """As much of Kafka as is asked: where each partition starts and ends, and where it was at the moment asked for."""

    def __init__(self, start: int = 0, edge: int = 0, end: int = 9) -> None:
        self.start, self.edge, self.end = start, edge, end
        self.asked: list[datetime] = []

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        return dict.fromkeys(places, self.start)

    def at(self, places: Iterable[Place], moment: datetime) -> dict[Place, int]:
        self.asked.append(moment)
        return dict.fromkeys(places, self.edge)

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        return dict.fromkeys(places, self.end)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr(module, "Admin", lambda *_: made)
    return made


def retention(engine: Engine, days: float = 2) -> tuple[Index, Retention]:
    index = Index(engine)
    return index, Retention(Settings.model_validate({"history": {"days": days}}), engine, index.index)


def test_rows_leave_by_when_their_records_were_appended(
    engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few per turn, until all below the offset of that moment are gone; of partitions that are ours only."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    index, keeping = retention(engine)
    index.take(*(valid(at) for at in range(6)), *(valid(at, 1) for at in range(6)), dead(0, b"{}", UNPLANNED))
    log.edge = 5
    ours = {(JOURNAL, 0): 6, (LETTERS, 0): 1}
    left = []
    for _ in range(6):
        keeping.turn(ours)
        left.append(len(index.rows(dead=0, partition=0)) + len(index.rows(dead=1)))
    assert (sorted(left, reverse=True), left[-1]) == (left, 1)
    assert [row["offset"] for row in index.rows(dead=0, partition=0)] == [5]
    assert len(index.rows(dead=0, partition=1)) == 6
    [moment] = log.asked
    assert moment <= datetime.fromtimestamp(time.time() - 2 * DAY_S, UTC)


def test_nothing_is_asked_while_nothing_is_ours(engine: Engine, log: Log) -> None:
    """A member without partitions leaves the store and Kafka alone."""
    _, keeping = retention(engine)
    keeping.turn({})
    assert log.asked == []


@pytest.mark.parametrize(("start", "edge", "first"), [(3, 7, 7), (7, 3, 7)])
def test_the_index_begins_where_it_would_keep_rows(start: int, edge: int, first: int, engine: Engine, log: Log) -> None:
    """Not with what would leave at once, nor with what Kafka no longer has."""
    _, keeping = retention(engine)
    log.start, log.edge = start, edge
    assert keeping.starts([(JOURNAL, 0)]) == {(JOURNAL, 0): first}


def test_complete_is_what_was_there_at_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked in idle moments, now and then in others, and never again once it is so; after the store was emptied from
    the ends as they are then."""
    marked: list[dict[Place, int]] = []
    answers = [False, True, True]
    known = False

    def mark(ends: Any) -> bool:
        marked.append(dict(ends))
        return answers.pop(0)

    watch = Completeness(cast(Admin, log), [TopicInfo("t", "id", 1)], lambda: known, mark, "events")
    watch.turn(idle=False)
    assert marked == []
    watch.turn(idle=True)
    assert not watch.reached
    monkeypatch.setattr("consumers.history.complete.LOOK_S", -1)
    watch.turn(idle=False)
    watch.turn(idle=True)
    assert (watch.reached, marked) == (True, [{("t", 0): 9}] * 2)
    log.end = 12
    watch.begin()
    watch.turn(idle=True)
    assert (watch.reached, marked[-1]) == (True, {("t", 0): 12})
    known = True
    watch.begin()
    assert watch.reached


class Catalogs:
    """A follower that is given a new view at each poll, while there are any."""

    def __init__(self, *views: dict[str, Any]) -> None:
        self._views = [Catalog(records) for records in views]
        self.catalog = Catalog()

    def start(self) -> Catalog:
        return self.catalog

    def poll(self) -> bool:
        if not self._views:
            return False
        self.catalog = self._views.pop(0)
        return True


class Frame:
    """A program that counts its pauses, for which time passes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.paused = 0

    def pause(self, seconds: float, why: str) -> None:
        self.paused += 1
        self.now += 1.0


def followed(monkeypatch: pytest.MonkeyPatch, *views: dict[str, Any]) -> tuple[Names, Frame]:
    frame = Frame()
    monkeypatch.setattr(outside, "monotonic", lambda: frame.now)
    return Names(cast(CatalogFollower, Catalogs(*views)), cast(Program, frame)), frame


def planned(schema_id: int, name: str) -> dict[str, Any]:
    schema = {
        "type": "record", "namespace": "events", "name": name, "event": [f"{name} Done", name],
        "fields": [{"name": "meta", "type": "events.Meta"}],
    }  # fmt: skip
    return {f"event/{name}@{schema_id}": {"schema": schema, "schema_id": schema_id}}


def test_a_name_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal may be read sooner than the catalog; a schema is known by its id though no event is of it now."""
    named, frame = followed(monkeypatch, planned(1000, "Tea"), planned(1000, "Tea") | planned(1001, "Cake"))
    assert (named.name_of(1001), named.name_of(1000), frame.paused) == ("Cake Done", "Tea Done", 0)


def test_a_name_that_never_comes_stops_nothing_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds the session is to begin again, with no record passed by."""
    named, frame = followed(monkeypatch)
    with pytest.raises(TryAgain, match="event schema 1007"):
        named.name_of(1007)
    assert frame.now >= names.PATIENCE_S


def test_a_plan_that_cannot_be_read_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for a record that cannot be read, which would be passed by."""
    named, _ = followed(monkeypatch, {"event/Tea@1": {"schema": {}, "schema_id": 1000}})
    with pytest.raises(Refused, match="event plan"):
        named.name_of(1000)
