"""What SDKs send by themselves, on or off per source, and traits that only some origins may set: from the request of a
client to the verdict of validation, without a broker."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest

from offerflow.catalog.view import Source as Declared
from offerflow.runtime.keys import key_hash, new_key
from producers.ingest.keyring import Source, Terms
from schemas.channels import Channel
from schemas.dead_letter import DeadLetter
from schemas.plan import Plan, parse_event_schema
from schemas.step import Emit, Outcome, Skip, Step
from tests.deployment import ROOT
from tests.producers.ingest.edge import Edge
from tests.schemas.raw_samples import PREFIX, Raw

LOUD, QUIET, SHOP = new_key("wk_"), new_key("wk_"), new_key()
APPENDED = 1_800_000_000_000
SWITCHES = {"Screen Viewed": False, "Application Opened": False, "Session Started": True}
SOURCES = {
    "loud-app": Declared("loud-app", "sdk"),
    "quiet-app": Declared("quiet-app", "sdk", (), SWITCHES),
    "shop": Declared("shop", "backend"),
}
KEYS = {LOUD: Source("loud-app", "sdk"), QUIET: Source("quiet-app", "sdk"), SHOP: Source("shop", "backend")}


@cache
def plan() -> Plan:
    """The standard one, in which the trait ``plan`` is for servers alone."""
    found = []
    for at, path in enumerate(sorted((ROOT / "schemas" / "events").glob("*.avsc"))):
        schema: dict[str, Any] = json.loads(path.read_text())
        if schema["name"] == "Identified":
            (trait,) = [field for field in schema["fields"] if field["name"] == "plan"]
            trait["origins"] = ["backend", "integration"]
        found.append(parse_event_schema(schema, 1000 + at))
    return Plan(found)


def judged(key: str, path: str, body: object, source: Source | None = None) -> list[Outcome]:
    """What becomes of a request of a Segment client."""
    edge = Edge()
    edge.keys.replace({key_hash(one): opened for one, opened in {**KEYS, key: source or KEYS[key]}.items()})
    basic = base64.b64encode(f"{key}:".encode()).decode()
    answer = edge.request("POST", path, json=body, headers={"authorization": f"Basic {basic}"})
    assert answer.status_code == 200, answer.text
    names = ("raw.sdk", "raw.backend")
    channels = {PREFIX + name: Channel(name, "topic", name.removeprefix("raw."), None) for name in names}
    step = Step(plan(), SOURCES, channels)
    return [
        step(Raw(record.value, record.topic.removeprefix("test."), record.headers, time=APPENDED))  # type: ignore[arg-type]
        for record in edge.publisher.records
    ]


def item(kind: str, **more: object) -> dict[str, object]:
    """As analytics-kotlin and analytics-swift send it."""
    library = {"name": "analytics-kotlin", "version": "1.16.3"}
    return {"type": kind, "anonymousId": "a-1", "userId": "u-1", "messageId": f"m-{kind}", "integrations": {},
            "timestamp": "2026-03-05T10:00:00.250Z", "context": {"library": library}, **more}  # fmt: skip


def lifecycle() -> list[dict[str, object]]:
    """What a mobile client sends when somebody opens the app, and a moment that the app's makers chose."""
    return [
        item("track", event="Application Opened", properties={"from_background": False, "version": "4.1"}),
        item("screen", name="Home", properties={"name": "Home"}),
        item("track", event="Session Started", properties={}),
        item("track", event="Lesson Started", properties={"lesson_id": "l-1"}),
    ]


def test_a_source_gets_the_system_events_it_did_not_switch_off() -> None:
    """One without switches has all of them; one with switches has those it left on, the others are dropped by name."""
    assert [one.event for one in judged(LOUD, "/v1/batch", {"batch": lifecycle()}) if isinstance(one, Emit)] == [
        "Application Opened", "Screen Viewed", "Session Started", "Lesson Started",
    ]  # fmt: skip
    assert [(type(one), one.event, one.source) for one in judged(QUIET, "/v1/batch", {"batch": lifecycle()})] == [
        (Skip, "Application Opened", "quiet-app"), (Skip, "Screen Viewed", "quiet-app"),
        (Emit, "Session Started", "quiet-app"), (Emit, "Lesson Started", "quiet-app"),
    ]  # fmt: skip


def test_what_is_switched_off_is_not_judged_any_further() -> None:
    """A property of the wrong type in it is nobody's concern."""
    wrong = item("screen", name=["no", "text"], properties={"name": 5})
    assert [type(one) for one in judged(QUIET, "/v1/screen", wrong)] == [Skip]
    assert [type(one) for one in judged(LOUD, "/v1/screen", wrong)] == [DeadLetter]


def test_traits_that_are_for_servers() -> None:
    """A client's identify may set the others; with one that is not its own the dead letter names the trait and who may
    set it. The same call of a server is valid."""
    known = item("identify", traits={"country": "DE", "plan": None})
    assert [type(one) for one in judged(LOUD, "/v1/identify", known)] == [Emit]
    paid = item("identify", traits={"country": "DE", "plan": "pro"})
    (refused,) = judged(LOUD, "/v1/identify", paid)
    assert isinstance(refused, DeadLetter)
    assert (refused.reason, refused.field) == ("rule_of_plan_violation", "plan")
    assert "backend or integration" in refused.detail
    assert [type(one) for one in judged(SHOP, "/v1/identify", paid)] == [Emit]


@pytest.mark.parametrize(("allowed", "reasons"), [
    ({"Lesson Started", "Identified"}, ["origin_forbidden", "origin_forbidden", "origin_forbidden", None]),
    ({"Screen Viewed", "Session Started"}, ["origin_forbidden", None, None, "origin_forbidden"]),
])  # fmt: skip
def test_an_allow_list_is_held_against_the_names_of_the_plan(allowed: set[str], reasons: list[str | None]) -> None:
    """A screen is Screen Viewed there. What the key may not send is a dead letter that names key and event; the rest of
    the batch goes on."""
    limited = Source("loud-app", "sdk", Terms("abc", frozenset(allowed)))
    outcomes = judged(LOUD, "/v1/batch", {"batch": lifecycle()}, limited)
    assert [one.reason if isinstance(one, DeadLetter) else None for one in outcomes] == reasons
    (first, *_) = outcomes
    assert isinstance(first, DeadLetter)
    assert (first.event, first.source) == ("Application Opened", "loud-app")
    assert "key abc of source loud-app may not send" in first.detail


def test_reserved_names_never_reach_the_fold() -> None:
    """A client that calls its event like a request gets a dead letter, whatever its key may do."""
    request = item("track", event="offerflow.EnterOffer", properties={"offer": "welcome"})
    (outcome,) = judged(SHOP, "/v1/track", request)
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == "origin_forbidden"
