"""Schemas matched by what they encode, and ids of a registry of the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.settings import RegistrySettings, Settings
from schemas.codec import META, inlined
from schemas.plan import EventSchema, Plan, load_event_schema
from schemas.registry import ExternalIds, InvalidSchema, canonical, parse, register
from tests.registry_stub import Stub, serving
from tests.schemas.samples import definition, field, optional

STANDARD = sorted((Path(__file__).parents[2] / "schemas" / "events").glob("*.avsc"))
BOUGHT = definition(field("amount", "double", minimum=0, doc="How much."), optional("coupon"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as stub:
        yield stub


def loaded(schema_id: int, schema: dict[str, object]) -> EventSchema:
    return load_event_schema(schema, schema_id)


def ids_of(stub: Stub, *schemas: EventSchema, now: Clock | None = None) -> ExternalIds:
    settings = Settings(registry=RegistrySettings(url=stub.url))
    return ExternalIds(settings, Plan(schemas), now=now or Clock())


@pytest.mark.parametrize("path", STANDARD, ids=lambda path: path.stem)
def test_the_canonical_form_holds_what_encodes_and_nothing_else(path: Path) -> None:
    """As a file, with the meta inlined, and stripped of the plan's attributes: one form."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    bare = {key: schema[key] for key in ("type", "namespace", "name", "fields")}
    assert canonical(schema) == canonical(inlined(schema)) == canonical(bare) == canonical(parse(json.dumps(bare)))


def test_what_changes_the_bytes_changes_the_form() -> None:
    """A type, a name, the order of fields, one field more; a default or a bound does not."""
    amount, coupon = BOUGHT["fields"][1:]
    others = [
        definition({**amount, "type": "float"}, coupon),
        definition({**amount, "name": "total"}, coupon),
        definition(coupon, amount),
        definition(amount, coupon, field("shop")),
        definition(amount, coupon, name="Sold"),
    ]
    assert len({canonical(BOUGHT), *map(canonical, others)}) == 1 + len(others)
    assert canonical(definition({**amount, "minimum": 7, "default": 1.0}, coupon)) == canonical(BOUGHT)


def test_a_schema_may_refer_to_others() -> None:
    """References are written out in place, and a name that nothing defines is named."""
    schema = definition(field("shop", "events.Shop"))
    shop = {"type": "record", "name": "events.Shop", "fields": [field("city")]}
    assert canonical(schema, (META, shop)) == canonical(definition(field("shop", shop)))
    with pytest.raises(InvalidSchema, match=r"events\.Shop"):
        canonical(schema)


def test_ids_are_matched_by_form_and_asked_once(stub: Stub) -> None:
    """The registry's ids become the plan's, whatever else its texts say; each is asked for a single time."""
    ids = ids_of(stub, loaded(1000, BOUGHT), loaded(1001, definition(field("city"), name="Moved")))
    stub.has(7, inlined(definition(*BOUGHT["fields"][1:], doc="Another text.")))
    stub.has(8, definition(field("city"), name="Moved"), references=[])
    stub.has(9, definition(field("city"), name="Left"))
    stub.has(10, {"type": "record", "name": "PurchaseMessage"}, schemaType="PROTOBUF")
    for _ in range(2):
        assert [ids(number) for number in (7, 8, 9, 10, 11)] == [1000, 1001, None, None, None]
    assert len(stub.asked) == 5


def test_of_two_versions_with_one_form_the_newest_is_meant(stub: Stub) -> None:
    """Also when the older one was removed from the plan."""
    first, second = loaded(1000, BOUGHT), loaded(1001, {**BOUGHT, "version": 2})
    stub.has(7, BOUGHT)
    assert ids_of(stub, second, first)(7) == 1001
    ids = ExternalIds(Settings(registry=RegistrySettings(url=stub.url)), Plan([first], [second]))
    assert ids(7) == 1000


def test_a_later_plan_needs_no_new_question(stub: Stub) -> None:
    """An id means the same schema for ever; what it is in the plan follows the plan."""
    ids = ids_of(stub)
    stub.has(7, BOUGHT)
    assert ids(7) is None
    ids.plan = Plan([loaded(1000, BOUGHT)])
    assert ids(7) == 1000
    assert len(stub.asked) == 1


def test_an_unknown_id_is_asked_for_again_after_a_while(stub: Stub) -> None:
    """It may be registered later; until then a flood of it costs one question a minute."""
    clock = Clock()
    ids = ids_of(stub, loaded(1000, BOUGHT), now=clock)
    assert ids(7) is None
    stub.has(7, BOUGHT)
    clock.now = 59.0
    assert ids(7) is None
    clock.now = 60.0
    assert ids(7) == 1000
    assert len(stub.asked) == 2


def test_memory_is_bounded(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known and unknown ids beyond the limits are forgotten, oldest first, and asked for again."""
    monkeypatch.setattr(ExternalIds, "KEPT", 2)
    monkeypatch.setattr(ExternalIds, "UNKNOWN_KEPT", 2)
    ids = ids_of(stub, loaded(1000, BOUGHT))
    for number in (1, 2, 3):
        stub.has(number, BOUGHT)
    for number in (1, 2, 3, 3, 2, 1, 11, 12, 13, 13, 12, 11):
        assert ids(number) == (1000 if number < 10 else None)
    assert [path.rpartition("/")[2] for _, path in stub.asked] == ["1", "2", "3", "1", "11", "12", "13", "11"]


def test_nothing_is_said_while_the_registry_is_away(stub: Stub) -> None:
    """DependencyDown, not None; and nothing of it is remembered."""
    ids = ids_of(stub, loaded(1000, BOUGHT))
    stub.answers["/schemas/ids/7"] = (503, "away")
    with pytest.raises(DependencyDown):
        ids(7)
    stub.has(7, BOUGHT)
    assert ids(7) == 1000


def test_an_applied_schema_is_registered_whole(stub: Stub) -> None:
    """Under the name of its record, with the meta inlined."""
    stub.answers["/subjects/events.Bought/versions"] = (200, {"id": 41})
    assert register(Settings(registry=RegistrySettings(url=stub.url)), loaded(1000, BOUGHT)) == 41
    assert json.loads(stub.bodies[0]["schema"]) == inlined(BOUGHT)
