"""What of an event is hidden as personal, and what is not: its own event type, then the names of all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.cli.events_table import comparison
from console.dead_letters.masking import HIDDEN
from console.events.comparing import compare
from console.events.telling import row_of
from console.events.verdicts import VALID, Verdict
from console.events.world import World
from schemas.plan import Plan, load_event_schema
from tests.console.dead_letters.letters import letter
from tests.console.events.events import BACKEND, BOUGHT, META, Raw, envelope, judged, world
from tests.console.events.test_comparing import compared, dead, lines


def personal_too(known: World, *names: str) -> World:
    """The same world where another event has personal properties of these names."""
    fields = [{"name": name, "type": ["null", "string"], "default": None, "pii": True} for name in names]
    sent = {**BOUGHT, "name": "Sent", "event": ["Sent"], "fields": [META, *fields]}
    known.plan = Plan([*known.plan.newest.values(), load_event_schema(sent, 1009)])
    return known


def test_what_the_plan_says_is_not_personal_shows() -> None:
    """A property may have the name of a personal one of another event: its own event type decides, of dead letters
    too. Beside the properties, and of what no plan has, names alone decide."""
    found = compared(Raw(envelope("Noted", properties={"email": "a@b.c"})))
    assert lines(found.properties)["email"][0] == HIDDEN  # nobody planned it
    view = Raw(envelope("Page Viewed", properties={"path": "/x"}, context={"path": "/y", "street": "Via 1"}))
    known = personal_too(world(), "path")
    found = compared(view, known)
    assert lines(found.properties)["path"] == ("/x", "/x", "")
    assert (found.sent["properties"], found.sent["context"]) == ({"path": "/x"}, {"path": HIDDEN, "street": HIDDEN})
    late = compare(known, dead(known, letter(topic=BACKEND, value=view.value(), reason="clock_skew", field=None)))
    assert lines(late.properties)["path"][0] == "/x"
    assert late.sent["context"] == {"path": HIDDEN, "street": HIDDEN}


@pytest.mark.parametrize("event", ["Page Vewed", "Bought", "Sent"])
def test_what_is_personal_stays_hidden_in_dead_letters(event: str) -> None:
    """Of an event that nobody planned, that has no such property, or whose property it is: names decide."""
    known = personal_too(world(), "path", "name")
    sent = envelope(event, properties={"path": "secret"}, traits={"name": "secret"},
                    context={"traits": {"name": "secret"}})  # fmt: skip
    told = row_of(known, dead(known, letter(topic=BACKEND, value=sent)), whole=True)
    assert told["sent"]["properties"] == {"path": HIDDEN}
    assert "secret" not in json.dumps(told)


def test_a_planned_name_shows_nothing_that_is_no_plain_value() -> None:
    """In a dead letter anything may be where text belongs."""
    known = personal_too(world(), "path", "name")
    view = envelope("Page Viewed", properties={"path": {"name": "secret"}})
    told = row_of(known, dead(known, letter(topic=BACKEND, value=view)), whole=True)
    assert told["sent"]["properties"] == {"path": HIDDEN}
    assert "secret" not in json.dumps(told)


def test_what_every_sdk_calls_so_shows() -> None:
    """The name of a library, an app or a model is nobody's, whatever the plan calls personal. That of a device, the
    title and the path of a page may be somebody's, and so may whatever else lies there."""
    known = personal_too(world(), "name", "model", "title", "path")
    context = {
        "library": {"name": "analytics.js", "street": "Via 1"}, "app": {"name": "Shop", "version": "1"},
        "device": {"name": "Ana's phone", "model": "X1"},
        "page": {"title": "Ana's home", "path": "/ana", "search": "?q"},
        "campaign": {"name": "spring", "x": {"name": "secret"}}, "os": {"name": {"name": "secret"}},
        "network": {"name": "Ana's home"},
    }  # fmt: skip
    document = compared(Raw(envelope("Noted", context=context, via={"library": "x/1"})), known).sent
    assert document["context"] == {
        "library": {"name": "analytics.js", "street": HIDDEN}, "app": {"name": "Shop", "version": "1"},
        "device": {"name": HIDDEN, "model": "X1"}, "page": {"title": HIDDEN, "path": HIDDEN, "search": "?q"},
        "campaign": {"name": "spring", "x": {"name": HIDDEN}}, "os": {"name": HIDDEN},
        "network": {"name": HIDDEN},
    }  # fmt: skip
    assert document["via"] == {"library": "x/1"}


def optional(name: str, kind: Any, **given: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None, **given}


def record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def map_of(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


def event(name: str, *fields: dict[str, Any], version: int = 1) -> dict[str, Any]:
    return {"type": "record", "namespace": "events", "name": name, "event": [name], "version": version,
            "fields": [META, *fields]}  # fmt: skip


SHIPPED = event(
    "Shipped",
    optional("shipping", record("Shipping", optional("city", "string"), optional("name", "string"))),
    optional("attributes", map_of("string")),
    optional("stops", {"type": "array", "items": record("Stop", optional("name", "string"))}),
    optional("people", map_of(record("Person", optional("name", "string")))),
    optional("phone", map_of("string")),
    optional("data", map_of("string")),
    optional("properties", map_of("string")),
)


def shipped(*others: dict[str, Any]) -> World:
    """Where other events call an email, a phone, a city, a name and a pair of shoes personal."""
    known = personal_too(world(), "email", "phone", "city", "name", "shoes")
    added = [load_event_schema(one, 1020 + at) for at, one in enumerate((SHIPPED, *others))]
    known.plan = Plan([*known.plan.newest.values(), *added])
    return known


SAID: dict[str, Any] = {
    "shipping": {"city": "Rome", "name": "Home", "email": "secret", "deep": [{"phone": "secret", "at": 1}]},
    "attributes": {"phone": "secret", "name": "secret", "color": "red"},
    "stops": [{"name": "North", "email": "secret"}, {"name": "South"}],
    "people": {"first": {"name": "shown", "email": "secret"}, "email": {"name": "secret"}},
    "phone": {"color": "secret"},
}
SEEN: dict[str, Any] = {
    "shipping": {"city": "Rome", "name": "Home", "email": HIDDEN, "deep": [{"phone": HIDDEN, "at": 1}]},
    "attributes": {"phone": HIDDEN, "name": HIDDEN, "color": "red"},
    "stops": [{"name": "North", "email": HIDDEN}, {"name": "South"}],
    "people": {"first": {"name": "shown", "email": HIDDEN}, "email": HIDDEN},
    "phone": HIDDEN,
}


@pytest.mark.parametrize("reason", [VALID, "clock_skew"])
def test_what_no_plan_speaks_of_inside_records_and_maps(reason: str) -> None:
    """Members that a record does not plan, and keys of maps, go by the names of all, judged or dead; members that it
    plans show."""
    known = shipped()
    sent = Raw(envelope("Shipped", properties=SAID))
    arrival, stored = judged(sent, of=known)
    verdict = Verdict(VALID, arrival, stored)
    if reason != VALID:
        verdict = dead(known, letter(topic=BACKEND, value=sent.value(), reason=reason, event="Shipped", field=None))
    found = compare(known, verdict)
    assert found.sent["properties"] == SEEN
    assert "secret" not in json.dumps(row_of(known, verdict, whole=True))
    assert "secret" not in "".join(comparison(found))
    told = lines(found.properties)
    assert (told["shipping.city"][0], told["stops[0].name"][0]) == ("Rome", "North")
    assert (told["shipping.email"][0], told["attributes.phone"][0]) == (HIDDEN, HIDDEN)
    if found.stored is not None:
        assert found.stored["shipping"] == {"city": "Rome", "name": "Home"}
        assert found.stored["attributes"] == SEEN["attributes"]
    known.show_pii = True
    assert compare(known, verdict).sent["properties"] == SAID


PLAIN = {"name": "shown"}
OTHERS = {"name": "secret", "phone": {"color": "secret"}, "shipping": {"name": "secret"}}


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"event": "Shipped", "user_id": "u", "properties": {"shipping": PLAIN}, "data": OTHERS, "meta": OTHERS,
          "traits": OTHERS, "shipping": OTHERS, "name": "secret"}, "properties"),
        ({"specversion": "1.0", "id": "c", "source": "/x", "type": "Shipped", "subject": "u",
          "data": {"shipping": PLAIN}, "properties": OTHERS, "meta": OTHERS, "shipping": OTHERS}, "data"),
    ],
)  # fmt: skip
def test_the_schema_speaks_of_the_properties_alone(sent: dict[str, Any], place: str) -> None:
    """Whatever else lies in a raw record under their names was judged by nobody."""
    known = shipped()
    verdict = Verdict(VALID, *judged(Raw(json.dumps(sent).encode()), of=known))
    document = compare(known, verdict).sent
    assert document[place] == {"shipping": PLAIN}
    assert "secret" not in json.dumps(row_of(known, verdict, whole=True))


def test_properties_of_avro_are_at_the_top() -> None:
    """There those named like members of an envelope are properties too, and what is in them goes by its names."""
    known = shipped()
    said = {"shipping": {"city": "Rome"}, "data": {"name": "secret"}, "properties": {"name": "secret"}}
    framed = Raw(judged(Raw(envelope("Shipped", properties=said)), of=known)[1].value)
    document = compare(known, Verdict(VALID, *judged(framed, of=known))).sent
    assert (document["shipping"]["city"], document["meta"]["user_id"]) == ("Rome", "u-1")
    assert (document["data"], document["properties"]) == ({"name": HIDDEN}, {"name": HIDDEN})


def test_a_plain_name_shows_what_its_type_takes() -> None:
    """Text where a record or a number belongs is what others call so."""
    known = shipped(event("Walked", optional("shoes", "int"), optional("city", record("City", optional("x", "int")))))
    sent = envelope("Walked", properties={"shoes": "secret", "city": "secret"})
    found = compare(known, dead(known, letter(topic=BACKEND, value=sent, event="Walked", field=None)))
    assert found.sent["properties"] == {"shoes": HIDDEN, "city": HIDDEN}
    sent = envelope("Walked", properties={"shoes": 43, "city": {"x": 1}})
    found = compare(known, dead(known, letter(topic=BACKEND, value=sent, event="Walked", field=None)))
    assert found.sent["properties"] == {"shoes": 43, "city": {"x": 1}}


def test_a_mark_that_was_taken_off_still_hides() -> None:
    """What was sent under it was personal, at any depth; what a version marks hides what came before it too."""
    home = record("Home", optional("street", "string", pii=True), optional("city", "string"))
    first = event("Joined", optional("nickname", "string", pii=True), optional("home", home), optional("age", "int"))
    bare = record("Home", optional("street", "string"), optional("city", "string"))
    then = event("Joined", optional("nickname", "string"), optional("home", bare),
                 optional("age", "int", pii=True), version=2)  # fmt: skip
    sent = Raw(
        envelope("Joined", properties={"nickname": "secret", "age": 7, "home": {"street": "secret", "city": "R"}})
    )
    seen = {"nickname": HIDDEN, "age": HIDDEN, "home": {"street": HIDDEN, "city": "R"}}
    old, new = load_event_schema(first, 1030), load_event_schema(then, 1031)
    known = world()
    known.plan = Plan([old])
    before = judged(sent, of=known)
    for plan in (Plan([new], [old]), Plan([old, new]), Plan([old], [new])):
        known = world()
        known.plan = plan
        for verdict in (
            Verdict(VALID, *before),
            dead(known, letter(topic=BACKEND, value=sent.value(), event="Joined", reason="clock_skew", field=None)),
        ):
            assert compare(known, verdict).sent["properties"] == seen
            assert "secret" not in json.dumps(row_of(known, verdict, whole=True))
    after = compare(known, Verdict(VALID, *before)).stored
    assert after is not None
    assert after["age"] == HIDDEN


def test_an_id_that_joins_records_of_two_event_types() -> None:
    """What was sent goes by the name it came under, even where the journal record beside it is of another."""
    known = shipped()
    stored = judged(Raw(envelope("Shipped", event_id="e", properties={"shipping": PLAIN})), of=known)[1]
    other = judged(Raw(envelope("Sent", event_id="e", properties={"name": "secret", "shipping": OTHERS})), of=known)[0]
    verdict = Verdict(VALID, other, stored)
    assert "secret" not in json.dumps(row_of(known, verdict, whole=True))
    assert compare(known, verdict).stored["shipping"]["name"] == "shown"  # type: ignore[index]


def test_members_of_no_envelope() -> None:
    """An object in the place of a name or an id is hidden like any other."""
    known = shipped()
    sent = json.dumps({"event": {"name": "secret"}, "user_id": [{"email": "secret"}], "properties": {}}).encode()
    one = letter(topic=BACKEND, value=sent, reason="undecodable", field=None, expected=None, got=None)
    found = compare(known, dead(known, one))
    assert lines(found.meta)["user_id"][0] == [{"email": HIDDEN}]
    assert "secret" not in "".join(comparison(found))


def test_what_led_to_a_mark_in_another_version() -> None:
    """Text in the place where records with personal data were, and the other spelling of a marked name."""
    home = record("Home", optional("street", "string", pii=True))
    first = event("Moved", optional("home", home), optional("first_name", "string", pii=True))
    then = event("Moved", optional("home", "string"), optional("firstName", "string"), version=2)
    known = world()
    known.plan = Plan([load_event_schema(then, 1031)], [load_event_schema(first, 1030)])
    sent = Raw(envelope("Moved", properties={"home": "secret", "firstName": "secret"}))
    assert "secret" not in json.dumps(row_of(known, Verdict(VALID, *judged(sent, of=known)), whole=True))
