"""Sending requests: in parts, with how far it came, under a source that may ask."""

from __future__ import annotations

from collections.abc import Iterable

import click
import pytest

from console.requests import sending
from console.requests.sending import Interrupted, send, source_for
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.publisher import Record
from offerflow.runtime.settings import Settings
from schemas.asking import enter_offer

SETTINGS = Settings(topic_prefix="test.")
LOCAL = Settings.model_validate({"local": {"server_key": "sk_local"}})


class FakePublisher:
    """Takes everything, or fails as the test says at the part of that number."""

    taken: list[Record]
    fails: tuple[int, BaseException] | None = None

    def __init__(self, *_: object) -> None:
        self._parts = 0

    def publish(self, records: Iterable[Record]) -> None:
        self._parts += 1
        if self.fails is not None and self.fails[0] == self._parts:
            raise self.fails[1]
        self.taken.extend(records)

    def close(self, timeout: float) -> None:
        """Nothing is open."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> type[FakePublisher]:
    made = type("Made", (FakePublisher,), {"taken": [], "fails": None})
    monkeypatch.setattr(sending, "Publisher", made)
    return made


REQUESTS = [enter_offer(f"u-{n}", f"e-{n}", "shop", offer="upgrade") for n in range(2500)]


def test_all_go_to_the_backend_channel_by_user(publisher: type[FakePublisher]) -> None:
    """In the order given, with progress after each part."""
    told: list[tuple[int, int]] = []
    send(SETTINGS, REQUESTS, lambda at, of: told.append((at, of)))
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert {record.topic for record in publisher.taken} == {"test.raw.backend"}
    assert [record.key for record in publisher.taken] == [one.user_id.encode() for one in REQUESTS]


@pytest.mark.parametrize("error", [KafkaDown("Kafka is gone"), KeyboardInterrupt()])
def test_an_interruption_says_how_far_it_came(publisher: type[FakePublisher], error: BaseException) -> None:
    """So that whoever asked knows that the same may be sent again."""
    publisher.fails = (3, error)
    with pytest.raises(Interrupted, match=r"2000 of 2500 requests .*run the same again") as raised:
        send(SETTINGS, REQUESTS)
    assert raised.value.exit_code == 69


def catalog(*sources: tuple[str, str]) -> Catalog:
    return Catalog({f"source/{name}": {"id": name, "origin": origin} for name, origin in sources})


def test_the_source_that_asks() -> None:
    """The one that is said, the local stack's own, or the only one there is; of several one must be said."""
    two = catalog(("shop", "backend"), ("gym", "backend"), ("app", "sdk"))
    assert source_for(SETTINGS, two, "gym") == "gym"
    assert source_for(LOCAL, two, None) == "local-server"
    assert source_for(SETTINGS, catalog(("shop", "backend"), ("app", "sdk")), None) == "shop"
    for given, there, words in ((None, two, "gym, shop"), ("app", two, "origin backend"), ("shp", two, "'shop'"),
                                (None, catalog(), "none is declared")):  # fmt: skip
        with pytest.raises(click.UsageError, match=words):
            source_for(SETTINGS, there, given)
