"""Amplitude connected without developers: what its webhook sends, and how names that nobody planned are adopted."""

from __future__ import annotations

import uuid

import httpx
import pytest

from tests.interop.edge import Edge, somebody

pytestmark = pytest.mark.broker
AT = 1_772_704_799_250


def export(user: str, name: str, number: int, **properties: object) -> dict[str, object]:
    """An event in the format of Amplitude's export, with what else is in it."""
    return {
        "$insert_id": f"{user}-{number}", "uuid": str(uuid.uuid4()), "app": 12345, "amplitude_id": 99, "user_id": user,
        "device_id": f"{user}-phone", "event_type": name, "event_time": "2026-03-05 09:59:59.250000",
        "client_event_time": "2026-03-05 08:00:00.000000", "server_upload_time": "2026-03-05 10:00:00.100000",
        "event_properties": properties, "user_properties": {"plan": "pro"}, "group_properties": {}, "groups": {},
        "library": "amplitude-ts/2.47.0", "platform": "Web", "country": "Germany", "city": None, "session_id": -1,
    }  # fmt: skip


def post(edge: Edge, event: dict[str, object], **headers: str) -> httpx.Response:
    return httpx.post(
        f"{edge.url}/integrations/amplitude", json=event, timeout=30,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )  # fmt: skip


def test_a_planned_event_is_in_the_journal(edge: Edge) -> None:
    """With Amplitude's id, and its corrected time, which is UTC; the answer tells the id."""
    user = somebody()
    event = export(user, "Order Completed", 1, order_id=f"{user}-o", amount=59.9, currency="EUR")
    for header in ({"x_api_key": edge.key("integration")}, {"authorization": f"Bearer {edge.key('integration')}"}):
        answer = post(edge, event, **header)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "ids": [f"{user}-1"]})
    (order,) = edge.events(user)
    assert (order.kind, order.id, order.anonymous, order.ms) == ("PurchaseCompleted", f"{user}-1", f"{user}-phone", AT)
    assert (order.properties["amount"], order.meta["source"], order.meta["origin"]) == (
        59.9, "partner-cloud", "integration",
    )  # fmt: skip
    assert edge.raws(user)[0].envelope["via"]["rest"]["country"] == "Germany"


def test_a_wrong_key_says_which_header(edge: Edge) -> None:
    """For whoever sets up the sync, and looks at what it was answered."""
    answer = post(edge, export(somebody(), "Order Completed", 1))
    assert answer.status_code == 401
    assert "x-api-key" in answer.json()["message"]


def test_a_name_that_nobody_planned_is_adopted(edge: Edge) -> None:
    """It waits as a dead letter; one command plans it from what came, and replays it."""
    user = somebody()
    name = f"Course Rated {user}"
    key = edge.key("integration")
    assert post(edge, export(user, name, 1, stars=5), x_api_key=key).status_code == 200
    (letter,) = edge.letters(user)
    assert (letter["reason"], letter["event"]) == ("unknown_event", name)
    done = edge.interop.here.command("plan", "infer", name, "--adopt", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    rated = edge.event(f"{user}-1")
    assert (rated.user, rated.ms, rated.properties["stars"]) == (user, AT, 5)
