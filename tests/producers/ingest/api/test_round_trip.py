"""The API with everything behind it: a user entered, seen inside, rewarded, paid, on a real broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deployment import ROOT, Deployment, free_port
from tests.waiting import until

pytestmark = pytest.mark.broker

OFFER = """\
kind: offer
id: upgrade
entry: {code: SPRING26, api: true}
reentry: after_completion
completion: {event: Purchase Completed, count: {at_least: 2}}
variants: [{id: only, attributes: {headline: Save 10}, reward: {id: voucher, value: 10 EUR}}]
"""
KEY = "sk_local"


class Client:
    """Speaks to the edge of a deployment as a server does."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        port = free_port()
        environment = {
            "OFFERFLOW_STORE__URL": f"sqlite:///{deployment.directory / 'store.db'}",
            "OFFERFLOW_INGEST__PORT": str(port), "OFFERFLOW_LOCAL__SERVER_KEY": KEY,
        }  # fmt: skip
        programs = [
            deployment.start(module, name, **environment) for module, name in (
                ("consumers.validation", "validation-1"), ("consumers.rules", "rules-1"),
                ("consumers.history", "history"), ("producers.ingest", "ingest"),
            )
        ]  # fmt: skip
        for program in programs:
            program.wait_ready()
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {KEY}"}, timeout=30
        )

    def get(self, path: str, **query: Any) -> Any:
        answer = self._http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 202, **headers: str) -> Any:
        answer = self._http.post(path, json=body or {}, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert answer.status_code == status, answer.text
        return answer.json()

    def buy(self, order: str) -> None:
        properties = {"order_id": order, "amount": 10.0, "currency": "EUR"}
        self.post("/v1/events", {"event": "Purchase Completed", "user_id": "anna", "properties": properties})

    def inside(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/offers/v1/offers", userId="anna")["offers"]
        return found

    def rewards(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/rewards/v1/rewards", **query)["rewards"]
        return found

    def close(self) -> None:
        self._http.close()


def test_entered_by_code_rewarded_and_paid_out(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Progress is seen as purchases come; the reward is listed, paid out once, and taken back; a repeated request
    changes nothing; what was asked too late is 409."""
    here = deployment(partitions=2)
    here.create_topics()
    (tmp_path / "upgrade.yaml").write_text(OFFER)
    here.apply(ROOT / "schemas" / "events" / "PurchaseCompleted.avsc", tmp_path / "upgrade.yaml")
    client = Client(here)
    for _ in range(2):  # the answer was lost, say
        client.post("/offers/v1/offers", {"userId": "anna", "code": "spring26"}, idempotency_key="e-1")
    (inside,) = until(client.inside, "anna to be in", 60)
    assert (inside["offer"], inside["variant"], inside["attributes"]) == ("upgrade", "only", {"headline": "Save 10"})
    assert [leaf["progress"] for leaf in inside["progress"]] == ["0 of 2"]
    client.buy("o-1")
    until(lambda: client.inside()[0]["progress"][0]["progress"] == "1 of 2", "one purchase to count", 60, client.inside)
    (why,) = client.get("/offers/v1/explanations", userId="anna", offer="upgrade")["offers"]
    assert (why["status"], why["wouldBeRefused"], len(why["instances"][0]["completion"]["evidence"])) == (
        "in", "already_in", 1,
    )  # fmt: skip
    client.buy("o-2")
    (reward,) = until(lambda: client.rewards(state="satisfied", userId="anna"), "the reward to be listed", 60)
    assert (reward["reward"], reward["value"], reward["currency"]) == ("voucher", "10.00", "EUR")
    assert client.inside() == []

    one = f"/rewards/v1/rewards/{reward['id']}"
    for _ in range(2):
        client.post(f"{one}/fulfil", {"by": "treasury"}, idempotency_key="pay-1")
    until(lambda: client.get(one)["state"] == "fulfilled", "it to be paid out", 60)
    assert client.post(f"{one}/fulfil", status=409)["reward"]["by"] == "treasury"
    client.post(f"{one}/reverse")
    until(lambda: client.get(one)["state"] == "reversed", "it to be taken back", 60)
    assert client.rewards(state="satisfied") == []
    (last,) = client.rewards(state="reversed")
    assert (last["reason"], last["by"]) == ("manual", "treasury")
    here.wait_idle(["raw.backend"])
    assert [len(here.read(topic)) for topic in ("offer-entry", "reward-satisfied", "reward-fulfilled")] == [1, 1, 1]
    client.close()
