"""The publisher's promises: one answer per request, nothing half taken when full, every failure told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from offerflow.runtime.errors import ConfigError, KafkaDown, OfferflowError
from offerflow.runtime.kafka.publisher import Bounds, Publisher, QueueFull, Record
from offerflow.runtime.settings import Settings, load_settings

Make = Callable[..., Publisher]


def nowhere(**extra: str) -> Settings:
    return load_settings(kafka={"bootstrap_servers": "127.0.0.1:1", "extra": extra})


@pytest.fixture
def publisher() -> Iterator[Make]:
    """Makes publishers on librdkafka's own mock broker, or on none; they end with the test."""
    made: list[Publisher] = []

    def make(bounds: Bounds | None = None, *, broker: bool = True) -> Publisher:
        settings = nowhere(test_mock_num_brokers="1") if broker else nowhere()
        made.append(Publisher(settings, "test", bounds))
        return made[-1]

    yield make
    for one in made:
        one.close(timeout=0.1)


class Answers:
    """Collects what a callback is told."""

    def __init__(self) -> None:
        self.errors: list[list[OfferflowError]] = []
        self.told = threading.Event()

    def __call__(self, errors: list[OfferflowError]) -> None:
        self.errors.append(errors)
        self.told.set()


def test_one_answer_for_a_request_of_many(publisher: Make) -> None:
    """The callback runs once, without errors, when all records are acknowledged."""
    one, answers = publisher(), Answers()
    one.submit([Record("a", b"k", b"%d" % n, [("h", b"v")]) for n in range(1000)], answers)
    assert one.flush(20) == 0
    assert answers.errors == [[]]


def test_an_empty_request_is_answered(publisher: Make) -> None:
    """Nothing to publish is done at once."""
    answers = Answers()
    publisher().submit([], answers)
    assert answers.errors == [[]]


def test_tombstones_and_records_without_a_key(publisher: Make) -> None:
    """Null keys and values are records too."""
    publisher().publish([Record("a", None, None), Record("a", b"", b"")], timeout=20)


def test_a_full_queue_takes_none_of_a_request(publisher: Make) -> None:
    """Beyond the bound of records or bytes QueueFull comes at once, and the callback never."""
    one = publisher(Bounds(records=10, bytes=100, delivery_ms=60_000), broker=False)
    one.submit([Record("a", None, b"x")] * 6, Answers())
    for request in ([Record("a", None, b"x")] * 5, [Record("a", None, b"x" * 95)]):
        answers = Answers()
        with pytest.raises(QueueFull):
            one.submit(request, answers)
        assert not answers.errors
    assert one.waiting == 6


def test_room_comes_back_with_the_acknowledgements(publisher: Make) -> None:
    """The bound is on what waits, not on what was ever sent."""
    one = publisher(Bounds(records=10))
    for _ in range(5):
        one.publish([Record("a", None, b"x")] * 10, timeout=20)
    assert one.waiting == 0


def test_no_broker_fails_every_record_of_the_request(publisher: Make) -> None:
    """After the delivery time-out the callback gets KafkaDown with the address for each record."""
    one, answers = publisher(Bounds(delivery_ms=300), broker=False), Answers()
    one.submit([Record("a", None, b"x")] * 3, answers)
    assert answers.told.wait(20)
    assert [type(error) for error in answers.errors[0]] == [KafkaDown] * 3
    assert "127.0.0.1:1" in str(answers.errors[0][0])


def test_publish_raises_what_went_wrong(publisher: Make) -> None:
    """The blocking form raises the failure, or its own after its time-out."""
    with pytest.raises(KafkaDown, match="while publishing"):
        publisher(Bounds(delivery_ms=300), broker=False).publish([Record("a", None, b"x")], timeout=20)
    with pytest.raises(KafkaDown, match="within"):
        publisher(broker=False).publish([Record("a", None, b"x")], timeout=0.05)


def test_a_record_the_client_refuses_fails_its_request_alone(publisher: Make) -> None:
    """One record that is too large for the client is an error of its request; the others still go out."""
    one, answers = publisher(), Answers()
    one.submit([Record("a", None, b"x"), Record("a", None, b"x" * 17_000_000)], answers)
    one.publish([Record("a", None, b"y")], timeout=20)
    assert answers.told.wait(20)
    assert len(answers.errors[0]) == 1
    assert "too large" in str(answers.errors[0][0]).lower()


def test_closing_answers_what_still_waits(publisher: Make) -> None:
    """Nobody waits for ever: what Kafka has not acknowledged fails at the end, and later requests are refused."""
    one, answers = publisher(broker=False), Answers()
    one.submit([Record("a", None, b"x")] * 2, answers)
    one.close(timeout=0.05)
    assert [len(errors) for errors in answers.errors] == [2]
    with pytest.raises(QueueFull, match="closed"):
        one.submit([Record("a", None, b"x")], Answers())


def test_a_callback_that_fails_does_not_end_publishing(publisher: Make) -> None:
    """The polling thread survives an exception in somebody's callback."""
    one = publisher()

    def fail(errors: list[OfferflowError]) -> None:
        raise ZeroDivisionError

    one.submit([Record("a", None, b"x")], fail)
    one.publish([Record("a", None, b"x")], timeout=20)


def test_a_property_that_does_not_exist_is_a_configuration_error() -> None:
    """A typing error in OFFERFLOW_KAFKA__EXTRA__… is named."""
    with pytest.raises(ConfigError, match=r"no\.such\.property"):
        Publisher(nowhere(no_such_property="1"), "test")


def test_check_names_the_topics_that_are_missing(publisher: Make) -> None:
    """A broker that lacks a topic is told from one that does not answer."""
    with pytest.raises(KafkaDown, match=r"lacks one, two; run `offerflow topics create`"):
        publisher().check(["two", "one"], timeout=20)
    with pytest.raises(KafkaDown, match="does not answer"):
        publisher(broker=False).check(["one"], timeout=0.2)
