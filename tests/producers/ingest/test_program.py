"""The edge as a process on a real broker: start, outage of the broker's topics, keys of the catalog, drain."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

import httpx
import psutil
import pytest

from tests.deployment import Deployment, Program, free_port
from tests.producers.ingest.edge import KEY, PURCHASE
from tests.waiting import until

pytestmark = pytest.mark.broker


def start(here: Deployment, **more: str) -> tuple[Program, str]:
    """The program and the address for events."""
    port = free_port()
    environment = {"OFFERFLOW_INGEST__PORT": str(port), "OFFERFLOW_LOCAL__SERVER_KEY": KEY, **more}
    return here.start("producers.ingest", "ingest", **environment), f"http://127.0.0.1:{port}/v1/events"


def post(url: str, body: object) -> httpx.Response:
    return httpx.post(url, json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=30)


def answers(url: str) -> int | None:
    try:
        return post(url, PURCHASE).status_code
    except httpx.TransportError:
        return None


def test_it_starts_before_its_topics_and_takes_events_once_they_are_there(
    deployment: Callable[..., Deployment],
) -> None:
    """503 while the raw topics are missing, 202 afterwards without a restart, and what was taken is in Kafka once."""
    here = deployment()
    program, url = start(here)
    until(lambda: answers(url) == 503, "the edge to refuse for the time being", state=program.tail)
    assert not program.ready()
    here.create_topics()
    program.wait_ready()
    answer = post(url, [{**PURCHASE, "user_id": f"u-{n % 7}"} for n in range(200)])
    assert answer.status_code == 202
    found = [json.loads(record.value or b"") for record in here.read("raw.backend")]
    assert sorted(event["event_id"] for event in found) == sorted(answer.json()["ids"])
    assert {event["source"] for event in found} == {"local-server"}
    shown = httpx.get(f"{program.url}/metrics", timeout=5).text
    assert 'offerflow_ingest_requests_total{code="202",protocol="native",source="local-server"} 1.0' in shown


def test_sigterm_finishes_what_was_begun(deployment: Callable[..., Deployment]) -> None:
    """Requests under way while it is told to stop are answered; each 202 is in Kafka; the exit code is 0."""
    here = deployment()
    here.create_topics()
    program, url = start(here)
    program.wait_ready()
    taken: list[str] = []
    broken: list[int] = []
    stop = threading.Event()

    def client(number: int) -> None:
        with httpx.Client(headers={"authorization": f"Bearer {KEY}"}, timeout=30) as connection:
            for n in range(100_000):
                if stop.is_set():
                    return
                try:
                    answer = connection.post(url, json={**PURCHASE, "event_id": f"{number}-{n}"})
                except httpx.ConnectError:
                    return
                except httpx.TransportError:
                    broken.append(n)
                    return
                if answer.status_code == 202:
                    taken.extend(answer.json()["ids"])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(taken) > 200, "traffic")
    code = program.stop()
    for thread in threads:
        thread.join(30)
    stop.set()
    assert code == 0, program.tail()
    found = [json.loads(record.value or b"")["event_id"] for record in here.read("raw.backend")]
    assert sorted(taken) == sorted(found), f"{len(found)} in Kafka, {len(taken)} answered, {len(broken)} cut off"
    assert not broken


def test_it_waits_for_a_broker_and_a_taken_port_is_one_clear_line(
    deployment: Callable[..., Deployment],
) -> None:
    """Without a broker it stays up, alive and not ready; a port in use ends it with 78 and the variable to set."""
    here = deployment()
    port = free_port()
    environment = {
        "OFFERFLOW_INGEST__PORT": str(port),
        "OFFERFLOW_LOCAL__SERVER_KEY": KEY,
        "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    program = here.start("producers.ingest", "ingest", **environment)
    url = f"http://127.0.0.1:{port}/v1/events"
    until(lambda: answers(url) == 503, "the edge to refuse for the time being", state=program.tail)
    until(lambda: "127.0.0.1:1" in httpx.get(f"{program.url}/readyz").json()["why"], "the reason on /readyz")
    assert httpx.get(f"{program.url}/livez").status_code == 200
    second = here.start("producers.ingest", "second", **environment)
    assert second.process.wait(30) == 78
    assert "OFFERFLOW_INGEST__PORT" in second.tail()
    assert program.stop() == 0


def children(program: Program) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children()


def test_several_processes_share_a_port_and_one_that_dies_is_replaced(
    deployment: Callable[..., Deployment],
) -> None:
    """All of them take events, metrics are those of all, a killed one comes back while the others go on, and SIGTERM
    ends them all with 0."""
    here = deployment()
    here.create_topics()
    program, url = start(here, OFFERFLOW_INGEST__PROCESSES="2")
    program.wait_ready()
    before = {child.pid for child in children(program)}
    assert len(before) == 2
    taken = [event_id for _ in range(30) for event_id in post(url, PURCHASE).json()["ids"]]
    assert program.metric("offerflow_ingest_requests_total") == 30
    killed = children(program)[0]
    killed.kill()
    until(lambda: not program.ready(), "the death to be seen")
    until(lambda: program.ready() and len(children(program)) == 2, "another process", 60, program.tail)
    assert {child.pid for child in children(program)} != before
    taken += [event_id for _ in range(30) for event_id in post(url, PURCHASE).json()["ids"]]
    assert program.stop(60) == 0, program.tail()
    found = [json.loads(record.value or b"")["event_id"] for record in here.read("raw.backend")]
    assert sorted(found) == sorted(taken)


def test_processes_end_with_their_parent(deployment: Callable[..., Deployment]) -> None:
    """Nobody keeps a port that its supervisor thinks is free: children whose parent was killed drain and end."""
    here = deployment()
    here.create_topics()
    program, _ = start(here, OFFERFLOW_INGEST__PROCESSES="2")
    program.wait_ready()
    orphans = children(program)
    program.kill()
    until(lambda: not any(child.is_running() for child in orphans), "the children to end", 60)


def test_a_port_that_is_taken_stops_several_processes_as_it_stops_one(deployment: Callable[..., Deployment]) -> None:
    """A port shared among ours is not shared with somebody else: 78 and the variable to set."""
    here = deployment()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        program = here.start("producers.ingest", "ingest", OFFERFLOW_INGEST__PORT=port, OFFERFLOW_INGEST__PROCESSES="2")
        assert program.process.wait(30) == 78
    assert "OFFERFLOW_INGEST__PORT" in program.tail()
