"""The examples of docs/offers-api.md, run by curl as they stand, against the answers they show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from msgspec import structs

from offerflow.catalog.view import Catalog
from offerflow.rules.explained import NodeExplained, RefusalExplained
from offerflow.rules.outcomes import Evidence
from offerflow.runtime.serving import listen, url_of
from offerflow.runtime.settings import HttpSettings
from tests.consumers.history.said import Kept, satisfied
from tests.deployment import ROOT
from tests.producers.ingest.api.conftest import ApiEdge, inside, offer
from tests.producers.ingest.edge import KEY
from tests.waiting import until

PURCHASES = "at least 3 Purchase Completed since the entry"
MARCH_4, MARCH_5, MARCH_7 = 1772614800000, 1772704800250, 1772908200000
UPGRADE = {
    "kind": "offer", "id": "upgrade", "name": "Upgrade", "starts": "2026-03-01", "timezone": "Europe/Berlin",
    "entry": {"event": "Account Created", "code": "SPRING26"}, "completion": {"event": "Purchase Completed"},
    "holdout": "10%", "variants": [
        {"id": "plain", "attributes": {"headline": "Save 10"}, "reward": {"id": "voucher", "value": "10 EUR"}},
        {"id": "bold", "attributes": {"headline": "Save 20"}, "reward": {
            "id": "cashback", "pending": "14d", "value": {"expr": "amount * 0.05", "max": 20, "currency": "EUR"}}},
    ],
}  # fmt: skip


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """An edge that knows what the page speaks of."""
    kept = Kept(tmp_path)
    kept.complete()
    edge = ApiEdge(kept)
    edge.book.replace(
        Catalog({"offer/upgrade@1": {"definition": UPGRADE}, "head": {"definitions": ["offer/upgrade@1"]}})
    )
    purchases = NodeExplained(
        "event", False, PURCHASES, "2 of 3", 2, f"1 more: {PURCHASES}", evidence=["e-1", "e-7"], evidence_count=2
    )
    run = inside("0f3b1c", version="9c1e", variant="bold", attributes={"headline": "Save 20"}, entered_at=MARCH_5,
                 completion=purchases)  # fmt: skip
    edge.reader.explained = [structs.replace(
        offer("upgrade", run), version="9c1e", ways=["event", "code"], refusal="already_in",
        missing=[f"1 more: {PURCHASES}"], refusals=[RefusalExplained("not_in_audience", MARCH_4, "e-0")],
    )]  # fmt: skip
    kept.take(
        satisfied("5d41402abc4b2a76b9719d911017c592", offer="upgrade", instance="0f3b1c", value=Decimal(10),
                  attributes={"headline": "Save 10"}, satisfied_at=MARCH_7,
                  evidence=[Evidence("e-1", "Purchase Completed", MARCH_7, 0, 1)]),
    )  # fmt: skip
    listener = listen(HttpSettings(), "the API", "OFFERFLOW_INGEST__PORT")
    server = uvicorn.Server(uvicorn.Config(edge.app, lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started, "the edge to listen")
    yield url_of(listener)
    server.should_exit = True
    thread.join()
    edge.close()


def examples() -> list[tuple[str, Any]]:
    """Each command with curl, and the answer shown right below it, if one is."""
    text = (ROOT / "docs" / "offers-api.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(curl .*?)^```(?:\n```json\n(.*?)^```)?", text, re.DOTALL | re.MULTILINE)
    return [(command, json.loads(answer) if answer else None) for command, answer in found]


def test_every_example_does_what_the_page_says(address: str) -> None:
    """The answers are those shown, but for the number of a cursor, which is another in every history."""
    ran = examples()
    assert len(ran) == 8
    for command, shown in ran:
        environment = {**os.environ, "INGEST": address, "KEY": KEY}
        done = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        answer = json.loads(done.stdout)
        if shown is None:
            assert answer == ran[4][1]["rewards"][0]
            continue
        if "next" in shown:
            assert answer.pop("next").isdigit()
            assert shown.pop("next").isdigit()
        assert answer == shown, command
