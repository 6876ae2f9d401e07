"""What the calls of every protocol become in the standard plan: Identified, Aliased, Page Viewed, Screen Viewed, Group
Joined, and the events that SDKs send by themselves. From the request to the journal record, without a broker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import pytest

from offerflow.catalog.view import Source as Declared
from producers.ingest.adapters.all import all_adapters
from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from producers.ingest.routes import Routes
from schemas.channels import Channel
from schemas.codec import event_reader
from schemas.plan import Plan, parse_event_schema
from schemas.step import Emit, Step
from tests.deployment import ROOT
from tests.producers.ingest.exchange import RECEIVED, asked, fixture
from tests.schemas.raw_samples import PREFIX, Raw

APP = Source("app", "sdk")
ROUTES = Routes(all_adapters(Limits()))
DAY = 24 * 3600 * 1000


class Judged(NamedTuple):
    event: str
    user: str | None
    anonymous: str | None
    time: int
    id: str
    properties: Mapping[str, Any]


@cache
def definitions() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((ROOT / "schemas" / "events").glob("*.avsc"))]


@cache
def step() -> Step:
    plan = Plan([parse_event_schema(one, 1000 + at) for at, one in enumerate(definitions())])
    channel = Channel("raw.sdk", "topic", "sdk", None)
    return Step(plan, {APP.id: Declared(APP.id, APP.origin)}, {PREFIX + "raw.sdk": channel})


def judged(request: Request) -> list[Judged]:
    """The journal's events of a request. Fails if one is refused, dropped or a dead letter."""
    (adapter, _), *_ = [routed for routed in ROUTES.find(request.path) if routed.adapter.claims(request)]
    events = adapter.read(request, APP)
    assert not isinstance(events, Refusal | Answer), events
    found = []
    for event in events:
        outcome = step()(Raw(event.value, "raw.sdk", time=RECEIVED))
        assert isinstance(outcome, Emit), (event.value, outcome)
        assert outcome.key.decode()[2:] == event.key
        read = event_reader(definitions()[int.from_bytes(outcome.value[1:5], "big") - 1000], None)(outcome.value)
        meta = read.pop("meta")
        said = {name: value for name, value in read.items() if value is not None}
        found.append(Judged(outcome.event, meta["user_id"], meta["anonymous_id"], meta["time"], meta["event_id"], said))
    return found


def segment(kind: str, /, **more: Any) -> Request:
    item = {"type": kind, "userId": "u", "anonymousId": "a", "messageId": "m", **more}
    return asked("/v1/batch", {"batch": [item], "writeKey": "wk_a"})


def amplitude(event_type: str, /, **more: Any) -> Request:
    item = {"event_type": event_type, "user_id": "u", "device_id": "a", "insert_id": "m", **more}
    return asked("/2/httpapi", {"api_key": "wk_a", "events": [item]})


def posthog(event: str, /, **properties: Any) -> Request:
    item = {"event": event, "distinct_id": "u", "uuid": "m", "properties": {"$device_id": "a", **properties}}
    return asked("/batch", {"api_key": "wk_a", "batch": [item]})


def cloudevent(kind: str, /, **data: Any) -> Request:
    return asked("/cloudevents", {"specversion": "1.0", "id": "m", "source": "/", "type": kind, "subject": "u",
                                  "anonymousid": "a", "data": data})  # fmt: skip


def resonance(name: str, /, **data: Any) -> Request:
    return asked("/events/v1/events", {"userId": "u", "name": name, "data": data}, idempotency_key="m")


def reteno(key: str, /, **said: str) -> Request:
    params = [{"name": name, "value": value} for name, value in said.items()]
    event = {"eventTypeKey": key, "keyValue": "m", "params": params}
    return asked("/api/v1/events", {"deviceId": "a", "externalUserId": "u", "events": [event]})


PAGE = {"url": "https://shop.example/cart", "path": "/cart", "title": "Cart", "referrer": "https://shop.example/"}
SEEN: list[tuple[Request, str, dict[str, Any]]] = [
    (segment("page", name="Cart", category="Shop", properties={**PAGE, "search": "?a=1"}), "Page Viewed",
     {"name": "Cart", "category": "Shop", **PAGE}),
    (segment("page", properties={**PAGE, "name": "Cart"}), "Page Viewed", {"name": "Cart", **PAGE}),
    (segment("page"), "Page Viewed", {}),
    (segment("screen", name="Cart", properties={"x": 1}), "Screen Viewed", {"name": "Cart"}),
    (segment("track", event="Screen Viewed", properties={"name": "Cart"}), "Screen Viewed", {"name": "Cart"}),
    (segment("group", groupId="g-1", traits={"name": "Class 1", "plan": "pro", "size": 5}), "Group Joined",
     {"group_id": "g-1", "name": "Class 1", "plan": "pro"}),
    (segment("group", groupId=7), "Group Joined", {"group_id": "7"}),
    (segment("alias", previousId="old"), "Aliased", {"previous_id": "old"}),
    (segment("identify", traits={"plan": "pro", "email": "a@b.c", "createdAt": "2026-03-05T10:00:00.000Z"}),
     "Identified", {"plan": "pro", "created_at": RECEIVED}),
    (segment("identify", context={"traits": {"plan": "pro"}}), "Identified", {"plan": "pro"}),
    (segment("track", event="Application Opened", properties={"version": "2.0", "from_background": True}),
     "Application Opened", {"version": "2.0", "from_background": True}),
    (amplitude("[Amplitude] Page Viewed", event_properties={
        "[Amplitude] Page Location": PAGE["url"], "[Amplitude] Page Path": "/cart", "[Amplitude] Page Title": "Cart"}),
     "Page Viewed", {"url": PAGE["url"], "path": "/cart", "title": "Cart"}),
    (amplitude("[Amplitude] Screen Viewed", event_properties={"[Amplitude] Screen Name": "Cart"}), "Screen Viewed",
     {"name": "Cart"}),
    (amplitude("$identify", user_properties={"$set": {"plan": "pro"}}), "Identified", {"plan": "pro"}),
    (amplitude("$identify", user_properties={"firstName": "Ada", "created_at": "2026-03-05 10:00:00"}), "Identified",
     {"created_at": RECEIVED}),
    (amplitude("[Amplitude] Application Opened", event_properties={
        "[Amplitude] Version": "2.0", "[Amplitude] From Background": False}),
     "Application Opened", {"version": "2.0", "from_background": False}),
    (amplitude("session_start", session_id=1772704800000), "Session Started", {"session_id": "1772704800000"}),
    (posthog("$pageview", **{"$current_url": PAGE["url"], "$pathname": "/cart", "title": "Cart"}), "Page Viewed",
     {"url": PAGE["url"], "path": "/cart", "title": "Cart"}),
    (posthog("$screen", **{"$screen_name": "Cart"}), "Screen Viewed", {"name": "Cart"}),
    (posthog("$identify", **{"$set": {"plan": "pro"}}), "Identified", {"plan": "pro"}),
    (posthog("$groupidentify", **{"$group_type": "class", "$group_key": "g-1", "$group_set": {"name": "Class 1"}}),
     "Group Joined", {"group_id": "g-1", "group_type": "class", "name": "Class 1"}),
    (posthog("Application Opened", version="2.0", build=7, from_background=False), "Application Opened",
     {"version": "2.0", "build": "7", "from_background": False}),
    (cloudevent("Page Viewed", **PAGE), "Page Viewed", PAGE),
    (cloudevent("GroupJoined", group_id="g-1"), "Group Joined", {"group_id": "g-1"}),
    (cloudevent("Identified", plan="pro", email="a@b.c"), "Identified", {"plan": "pro"}),
    (cloudevent("Aliased", previous_id="old"), "Aliased", {"previous_id": "old"}),
    (resonance("Screen Viewed", name="Cart"), "Screen Viewed", {"name": "Cart"}),
    (resonance("Identified", plan="pro"), "Identified", {"plan": "pro"}),
    (reteno("screenView", screenClass="Cart"), "Screen Viewed", {"name": "Cart"}),
    (reteno("SessionEnded", sessionID="s", durationInSeconds="95"), "Session Ended",
     {"session_id": "s", "duration_seconds": 95.0}),
    (reteno("ApplicationBackgrounded", secondsInForeground="12.5"), "Application Backgrounded", {}),
    (reteno("PushNotificationsUnsubscribed"), "Push Permission Changed", {"granted": False}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "event", "properties"), SEEN, ids=[f"{at}-{event}" for at, (_, event, _) in enumerate(SEEN)]
)
def test_what_every_protocol_calls_it(request_: Request, event: str, properties: dict[str, Any]) -> None:
    """The same fact is the same event, with the properties that the plan names; pii is checked and left out."""
    found = judged(request_)[-1]
    assert (found.event, found.properties) == (event, properties)
    assert found.user == "u"
    assert found.id == "m"


def test_an_alias_of_posthog() -> None:
    """The new id of the person has the one used before."""
    alias = {
        "event": "$create_alias",
        "distinct_id": "a",
        "uuid": "m",
        "properties": {"distinct_id": "a", "alias": "u"},
    }
    alias["properties"] |= {"$lib": "posthog-python"}  # type: ignore[operator]
    (found,) = judged(asked("/batch", {"api_key": "wk_a", "batch": [alias]}))
    assert (found.event, found.user, found.properties) == ("Aliased", "u", {"previous_id": "a"})


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("reteno-android-events",
         ["Screen Viewed", "Session Started", "Application Opened", "Push Permission Changed", "Lesson Started"]),
        ("reteno-ios-events", ["Application Updated", "Session Ended", "Lesson Started"]),
        ("reteno-ios-user", ["Identified"]),
        ("reteno-android-device", ["Push Token Updated"]),
    ],
)  # fmt: skip
def test_everything_reteno_sdks_send_is_planned(name: str, events: list[str]) -> None:
    """Nothing of the captured requests is a dead letter."""
    read = fixture(name, key="wk_a", user="u-1", device="d-1")
    found = judged(asked(read["path"], read["body"]))
    assert [one.event for one in found] == events
    assert {(one.user, one.anonymous) for one in found} == {("u-1", "d-1")}


@pytest.mark.parametrize("wrong", [-20 * 365 * DAY, -3 * DAY, -3600 * 1000, 3600 * 1000, 3 * DAY])
def test_a_wrong_clock(wrong: int) -> None:
    """By `sent_at` of the request, in each protocol that has it: the event is ten seconds old, not years or in the
    future; what was given is beside it in the raw record."""
    at, sent = iso(RECEIVED + wrong - 10_000), iso(RECEIVED + wrong)
    item = {"type": "track", "event": "Lesson Started", "userId": "u", "timestamp": at,
            "properties": {"lesson_id": "l"}}  # fmt: skip
    capture = {"event": "Lesson Started", "distinct_id": "u", "timestamp": at, "properties": {"lesson_id": "l"}}
    amplified = {"event_type": "Lesson Started", "user_id": "u", "time": RECEIVED + wrong - 10_000,
                 "event_properties": {"lesson_id": "l"}}  # fmt: skip
    for request in (
        asked("/v1/batch", {"batch": [item], "sentAt": sent}),
        asked("/v1/track", {**item, "sentAt": sent}),
        asked("/batch", {"api_key": "wk_a", "batch": [capture], "sent_at": sent}),
        asked("/2/httpapi", {"api_key": "wk_a", "events": [amplified], "client_upload_time": sent}),
    ):
        assert judged(request)[-1].time == RECEIVED - 10_000, request.path


def test_a_clock_nobody_vouches_for() -> None:
    """Without `sent_at` a time is what it says: days ago is days ago, and the future is for validation to refuse."""
    (past,) = judged(asked("/cloudevents", {"specversion": "1.0", "id": "m", "source": "/", "type": "Page Viewed",
                                            "subject": "u", "time": iso(RECEIVED - 3 * DAY)}))  # fmt: skip
    assert past.time == RECEIVED - 3 * DAY


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
