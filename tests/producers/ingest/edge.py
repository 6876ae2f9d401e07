"""An HTTP edge for tests: the real application with a publisher that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.health import Health
from offerflow.runtime.kafka.publisher import Done, Record
from offerflow.runtime.settings import LocalSettings
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.all import all_adapters
from producers.ingest.api.serving import Api
from producers.ingest.app import IngestApp
from producers.ingest.gate import Gate
from producers.ingest.intake import Intake
from producers.ingest.keyring import KeyRing, Source
from producers.ingest.limits import Limits
from producers.ingest.readiness import Readiness
from producers.ingest.request import Room

KEY = "sk_local"
SOURCE = Source("shop-backend", "backend")
PURCHASE = {"event": "Purchase Completed", "user_id": "u-1", "properties": {"order_id": "o-1", "amount": 59.9}}


class FakePublisher:
    """Acknowledges everything, or does with each request what ``behave`` does."""

    def __init__(self, behave: Callable[[Sequence[Record], Done], None] | None = None) -> None:
        self.requests: list[list[Record]] = []
        self._behave = behave

    def submit(self, records: Sequence[Record], done: Done) -> None:
        self.requests.append(list(records))
        if self._behave is None:
            done([])
        else:
            self._behave(records, done)

    @property
    def records(self) -> list[Record]:
        return [record for request in self.requests for record in request]


@dataclass
class Edge:
    """``post`` and ``request`` run one exchange; ``publisher`` has what went to Kafka."""

    publisher: FakePublisher = field(default_factory=FakePublisher)
    limits: Limits = field(default_factory=Limits)
    ready: bool = True
    api: Api | None = None
    room: Room = field(default_factory=lambda: Room(128 * 1024 * 1024))

    def __post_init__(self) -> None:
        self.keys = KeyRing(LocalSettings.model_validate({"server_key": KEY}))
        self.readiness = Readiness(lambda: None, lambda: None, Health())
        if self.ready:
            self.readiness.why = None
        self.gate = Gate(self.keys)
        self.intake = Intake(AcknowledgedPublisher(self.publisher), self.readiness, "test.".__add__)
        self.app = IngestApp(
            all_adapters(self.limits), self.gate, self.intake, self.readiness, self.limits, self.api, self.room
        )

    def request(self, method: str, path: str, **more: object) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.request(method, path, **more)  # type: ignore[arg-type]

        return asyncio.run(exchange())

    def post(self, body: object, path: str = "/v1/events", key: str | None = KEY, **headers: str) -> httpx.Response:
        """``body`` is sent as JSON unless it is bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, content=content, headers=names)


def failing(error: OfferflowError) -> FakePublisher:
    """Takes requests and reports ``error`` for each."""
    return FakePublisher(lambda records, done: done([error]))
