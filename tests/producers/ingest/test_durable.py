"""What was answered 2xx is in Kafka, whoever dies meanwhile; what was not is sent again and counts once."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.cli import Stack
from tests.oracle import topics
from tests.producers.ingest.edge import PURCHASE
from tests.producers.ingest.senders import Senders
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.slow]
WORKSPACES = (Path(__file__).parents[3] / "schemas" / "events", Path(__file__).parent / "workspace")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a broker of its own, to be killed."""
    stack = Stack(tmp_path_factory.mktemp("durable"), None)
    try:
        stack.up()
        stack.apply(*WORKSPACES)
        yield stack
    finally:
        stack.down()


def in_kafka(stack: Stack) -> Counter[str]:
    """How often each event id is on the raw topic of servers."""
    name = stack.told["topic_prefix"] + "raw.backend"
    records = topics.read(stack.told["kafka"], [name])[name]
    return Counter(json.loads(record.value or b"")["event_id"] for record in records)


def kill(stack: Stack, name: str) -> None:
    """SIGKILL; the supervisor starts another."""
    os.kill(stack.pid(name), signal.SIGKILL)


def goes_on(senders: Senders) -> None:
    """Waits until more is taken than now."""
    before = len(senders.taken)
    until(lambda: len(senders.taken) > before + 100, "the load to go on", 90)


def test_nothing_that_was_answered_is_lost_and_nothing_counts_twice(own: Stack) -> None:
    """kill -9 of the edge twice, of the broker once, all under load: every 2xx is in Kafka, every event that was begun
    got there in the end, and each counts once in offers and rewards, however often it was sent.

    Validation and rules follow afterwards: a broker that is alone and killed in the middle of a commit may leave the
    transaction open for ever (docs/runbook.md, "An offset that never becomes stable"), which is not the edge's."""
    own.up(0, 0)
    senders = Senders(own.told["ingest"], own.told["api_key"])
    with senders.sending():
        goes_on(senders)
        for name in ("kafka", "ingest", "ingest"):
            kill(own, name)
            goes_on(senders)
    found = in_kafka(own)
    assert senders.again > 0
    assert senders.refused <= {503}
    assert set(senders.taken) <= set(found)
    assert set(senders.begun) == set(senders.taken) == set(found)
    own.up()
    own.wait_idle()
    examined = own.examine(*WORKSPACES)
    assert not examined.report, str(examined.report)
    orders = Counter(senders.begun.values())
    assert examined.totals["entries"] == len(orders)
    assert examined.totals["rewards"] == sum(count == 2 for count in orders.values())


def test_a_broker_that_stalls_fills_the_queue_and_no_more(own: Stack) -> None:
    """While Kafka does not answer, requests wait up to a bound and are refused with 503 beyond it, the memory of the
    edge stays bounded, and when Kafka goes on, what is answered 202 is there."""
    edge = psutil.Process(own.pid("ingest"))
    before = edge.memory_info().rss
    broker = own.pid("kafka")
    large = {"order_id": "o-1", "amount": 9.5, "currency": "EUR", "note": "x" * 60_000}

    def post(number: int) -> tuple[int, list[str]]:
        events = [{**PURCHASE, "event_id": f"q-{number}-{n}", "properties": large} for n in range(60)]
        headers = {"Authorization": f"Bearer {own.told['api_key']}"}
        answer = httpx.post(f"{own.told['ingest']}/v1/events", json=events, headers=headers, timeout=60)
        statuses.append(answer.status_code)
        return answer.status_code, answer.json().get("ids", [])

    statuses: list[int] = []
    os.kill(broker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(post, number) for number in range(40)]
            until(lambda: 503 in statuses, "the queue to be full")
            peak = edge.memory_info().rss
            os.kill(broker, signal.SIGCONT)
            told = [answer.result() for answer in answers]
    finally:
        os.kill(broker, signal.SIGCONT)
    assert peak - before < 512 * 1024 * 1024
    assert {status for status, _ in told} <= {202, 503}
    until(lambda: post(99)[0] == 202, "the edge to take events again", 60)
    taken = {event_id for _, ids in told for event_id in ids}
    assert taken <= set(in_kafka(own))
