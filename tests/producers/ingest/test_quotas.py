"""Quotas of keys, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offerflow.runtime.metrics import ingest_quota_refusals
from producers.ingest.keyring import Source, Terms
from producers.ingest.quotas import Quotas


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def source(rate: float = 10, burst: int = 20, key: str = "abc") -> Source:
    return Source("app", "sdk", Terms(key, rate=rate, burst=burst))


def test_a_key_without_a_rate_sends_what_it_likes() -> None:
    """And nothing is counted for it."""
    assert Quotas().refusal(Source("app", "sdk"), 10**9) is None


def test_a_burst_then_the_rate() -> None:
    """Beyond both the answer is 429 with the seconds after which the same request is taken, and the count of events."""
    clock = Clock()
    quotas = Quotas(now=clock)
    before = ingest_quota_refusals.labels("app")._value.get()
    assert quotas.refusal(source(), 20) is None
    refused = quotas.refusal(source(), 15)
    assert refused is not None
    assert (refused.status, refused.error, refused.count) == (429, "over_quota", 15)
    assert dict(refused.headers) == {b"retry-after": b"2"}
    assert "key abc of source app may send 10 events a second, 20 at once" in refused.message
    clock.now += 1.4
    assert quotas.refusal(source(), 15) is not None
    clock.now += 0.1
    assert quotas.refusal(source(), 15) is None
    assert ingest_quota_refusals.labels("app")._value.get() == before + 2


def test_a_key_that_has_nothing_left_is_told_before_its_request_is_read() -> None:
    """As long as one event may be sent nothing is said, and asking takes nothing."""
    clock = Clock()
    quotas = Quotas(now=clock)
    assert quotas.exhausted(Source("app", "sdk")) is None
    assert [quotas.exhausted(source()) for _ in range(50)] == [None] * 50
    assert quotas.refusal(source(), 20) is None
    refused = quotas.exhausted(source())
    assert refused is not None
    assert (refused.status, dict(refused.headers), refused.count) == (429, {b"retry-after": b"1"}, 0)
    clock.now += 0.1
    assert quotas.exhausted(source()) is None


def test_a_request_larger_than_the_burst_is_taken_and_paid_off() -> None:
    """Else it could never be sent; what follows waits for as long as it took too much."""
    clock = Clock()
    quotas = Quotas(now=clock)
    assert quotas.refusal(source(), 120) is None
    refused = quotas.refusal(source(), 1)
    assert refused is not None
    assert dict(refused.headers) == {b"retry-after": b"11"}
    clock.now += 11
    assert quotas.refusal(source(), 1) is None


def test_what_kafka_did_not_take_is_given_back() -> None:
    """Its client sends it again, and must not pay twice."""
    quotas = Quotas(now=Clock())
    assert quotas.refusal(source(), 20) is None
    quotas.give_back(source(), 20)
    quotas.give_back(source(key="other"), 5)
    assert quotas.refusal(source(), 20) is None


def test_processes_share_the_quota() -> None:
    """Each allows its part of rate and burst, and at least one event."""
    clock = Clock()
    quotas = Quotas(processes=4, now=clock)
    assert quotas.refusal(source(), 5) is None
    assert quotas.refusal(source(), 1) is not None
    clock.now += 0.5
    assert quotas.refusal(source(), 1) is None
    tiny = source(rate=0.01, burst=1, key="tiny")
    assert quotas.refusal(tiny, 1) is None
    refused = quotas.refusal(tiny, 1)
    assert refused is not None
    assert dict(refused.headers) == {b"retry-after": b"400"}


def test_a_changed_rate_holds_at_once() -> None:
    """The bucket keeps what is in it, up to its new size."""
    clock = Clock()
    quotas = Quotas(now=clock)
    assert quotas.refusal(source(), 1) is None
    assert quotas.refusal(source(burst=5), 6) is None
    assert quotas.refusal(source(burst=5), 1) is not None


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 3)), max_size=60))
def test_never_more_than_the_quota(requests: list[tuple[int, float]]) -> None:
    """However requests come, what is taken stays below the burst, the rate and one request more."""
    clock, taken = Clock(), 0
    quotas = Quotas(now=clock)
    for events, pause in requests:
        clock.now += pause
        if quotas.refusal(source(), events) is None:
            taken += events
        assert taken <= 20 + 10 * (clock.now - 1000) + 60
