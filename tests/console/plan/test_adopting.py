"""Names that plan themselves, against a catalog and a dead-letter topic in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from console.dead_letters.replay import Report
from console.plan import adopting
from console.workspace.definitions import definition_of
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown, TryAgain
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.scan import Span
from offerflow.runtime.settings import Settings
from schemas.dead_letter import DeadLetter, write_dead_letter

LAB = {"id": "lab", "origin": "sdk", "topics": ["raw.lab"], "unplanned_events": "adopt"}
SHOP = {"id": "shop", "origin": "backend", "topics": ["raw.backend"]}


class Line:
    """A record of a topic with one partition."""

    def __init__(self, topic: str, offset: int, value: bytes | None, headers: list[Any]) -> None:
        self._topic, self._offset, self._value, self._headers = topic, offset, value, headers

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return b"k"

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[Any]:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_772_704_800_000 + self._offset


class World:
    """What the adopter sees and does. ``failing`` steps raise what they are mapped to, once; ``replayed`` are the
    names of each replay."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Settings(topic_prefix="t.", partitions=1)
        self.catalog = Catalog({"source/lab": LAB, "source/shop": SHOP})
        self.failing: dict[str, Exception] = {}
        self.replayed: list[set[str]] = []
        self.lines: list[Line] = []
        for name in ("read_catalog", "plan_definitions", "replay", "spans", "read_spans"):
            monkeypatch.setattr(adopting, name, getattr(self, name))
        monkeypatch.setattr(adopting, "CatalogFollower", lambda *_: self)
        monkeypatch.setattr(adopting, "HandledLetters", lambda *_: self)
        self.adopter = adopting.Adopter(self.settings)

    def dead(self, event: str, properties: Mapping[str, Any], source: str = "lab") -> None:
        """An event that nobody planned becomes a dead letter."""
        value = json.dumps({"event": event, "user_id": "u", "properties": properties}).encode()
        came = Line("t.raw.lab", len(self.lines), value, [])
        letter = DeadLetter("unknown_event", "not planned", event=event, source=source)
        output = write_dead_letter("t.dead-letter", came, letter, "validation", 1)
        headers = [(name, text.encode() if isinstance(text, str) else text) for name, text in output.headers or ()]
        self.lines.append(Line("t.dead-letter", len(self.lines), output.value, headers))

    def planned(self) -> dict[str, Any]:
        """Schemas by record name."""
        return {value["schema"]["name"]: value["schema"] for value in self.catalog.current("event").values()}

    def turn(self) -> None:
        self.adopter.turn()

    # The catalog's follower, and what is known of handled letters.
    def start(self) -> None: ...

    def poll(self) -> None: ...

    def close(self) -> None: ...

    def refresh(self) -> None:
        self._fail("refresh")

    def __contains__(self, at: object) -> bool:
        return False

    # What the adopter calls.
    def read_catalog(self, _settings: Settings) -> Catalog:
        self._fail("read_catalog")
        return self.catalog

    def plan_definitions(self, _settings: Settings, definitions: list[dict[str, Any]], *_: object) -> None:
        self._fail("plan_definitions")
        records = dict(self.catalog.records)
        for one in [definition_of("event", dict(given)) for given in definitions]:
            records[one.name] = {"schema": one.content, "schema_id": 1000 + len(records)}
        keys = [key for key in records if key.startswith("event/")]
        self.catalog = Catalog({**records, "head": {"serial": 1, "definitions": keys}})

    def replay(self, _settings: Settings, selection: Any, dry_run: bool) -> Report:
        self._fail("replay")
        self.replayed.append(set(selection.events))
        return Report()

    def spans(self, *_: object) -> dict[Place, Span]:
        return {("t.dead-letter", 0): (0, len(self.lines))}

    def read_spans(self, _settings: Settings, wanted: Mapping[Place, Span], _client: str) -> Iterator[Line]:
        for first, end in wanted.values():
            for at in range(first, end):
                yield self.lines[at]
                self._fail("read")

    def _fail(self, step: str) -> None:
        if step in self.failing:
            raise self.failing.pop(step)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize(
    "step", ["read", "refresh", "read_catalog", "plan_definitions", "replay"]
)  # fmt: skip
@pytest.mark.parametrize("error", [KafkaDown("away"), TryAgain("another writer")], ids=["down", "again"])
def test_a_turn_that_fails_forgets_nothing(world: World, step: str, error: Exception) -> None:
    """Wherever a turn fails, the same process plans and replays in the next one what it had read."""
    world.dead("Lamp Lit", {"watt": 5})
    world.failing[step] = error
    with pytest.raises(type(error)):
        world.turn()
    assert world.replayed == []
    world.turn()
    assert set(world.planned()) == {"LampLit"}
    assert world.replayed == [{"Lamp Lit"}]
    world.turn()
    assert world.replayed == [{"Lamp Lit"}]


@pytest.mark.parametrize("name", ["Origin", "meta", "Lateness"])
def test_names_of_the_meta_record_are_planned_under_others(world: World, name: str) -> None:
    """An event may be called as a type inside events.Meta is; its record gets a number, and nothing stands still."""
    world.dead(name, {"watt": 5})
    world.dead("Lamp Lit", {"watt": 5})
    world.turn()
    assert set(world.planned()) == {f"{name.title()}2", "LampLit"}
    assert world.planned()[f"{name.title()}2"]["event"] == [name]
    assert world.replayed == [{name, "Lamp Lit"}]


def test_a_name_that_gives_no_schema_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the name whose draft fails is refused, for good; the others of the same turn and later ones are planned."""
    monkeypatch.setattr("console.plan.record_names.RESERVED", frozenset())
    world.dead("Origin", {})
    world.dead("Lamp Lit", {"watt": 5})
    world.turn()
    assert set(world.planned()) == {"LampLit"}
    world.dead("Origin", {})
    world.dead("Lamp Out", {})
    world.turn()
    assert world.replayed == [{"Lamp Lit"}, {"Lamp Out"}]


def test_only_sources_that_adopt_take_room(world: World) -> None:
    """Letters of other sources are not even kept, and are found when their source begins to adopt."""
    world.dead("Lamp Lit", {"watt": 5})
    world.dead("Cart Left", {}, source="shop")
    world.turn()
    assert set(world.planned()) == {"LampLit"}
    shop = {**SHOP, "unplanned_events": "adopt"}
    world.catalog = Catalog({**world.catalog.records, "source/shop": shop})
    world.turn()
    assert set(world.planned()) == {"LampLit", "CartLeft"}
    assert "Cart Left" in world.replayed[-1]


def test_a_name_like_the_record_of_another_is_a_name_of_its_own(world: World) -> None:
    """An event called LampLit is not the planned Lamp Lit, whose record has that name."""
    world.dead("Lamp Lit", {"watt": 5})
    world.turn()
    world.dead("LampLit", {"watt": 5})
    world.turn()
    assert {name: schema["event"] for name, schema in world.planned().items()} == {
        "LampLit": ["Lamp Lit"], "LampLit2": ["LampLit"],
    }  # fmt: skip


def test_foreign_records_are_passed_over(world: World) -> None:
    """What only looks like a dead letter stops nobody."""
    header = ("__connect.errors.class.name", b"unknown_event")
    world.lines += [Line("t.dead-letter", 0, b"no letter", [header]), Line("t.dead-letter", 1, None, [header])]
    world.dead("Lamp Lit", {})
    world.turn()
    assert set(world.planned()) == {"LampLit"}
