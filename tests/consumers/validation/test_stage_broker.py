"""The stage against a real broker: what it counts, when it holds, and that it goes on by itself."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from offerflow.runtime.settings import load_settings
from schemas.seen import Report, read_report
from tests.deployment import Deployment, Program
from tests.waiting import until

pytestmark = pytest.mark.broker
RAW = ("raw.sdk", "raw.backend", "raw.integration")
Raw = tuple[bytes, bytes, list[tuple[str, bytes | None]]]


def _schema(version: int = 1, **field: object) -> dict[str, object]:
    amount = {"name": "amount", "type": "double", **field}
    return {
        "type": "record", "namespace": "events", "name": "Paid", "version": version, "event": ["Paid", "Bezahlt"],
        "compatibility": "NONE", "fields": [{"name": "meta", "type": "events.Meta"}, amount],
    }  # fmt: skip


def _workspace(directory: Path, name: str, schema: dict[str, object]) -> Path:
    made = directory / name
    made.mkdir()
    (made / "paid.avsc").write_text(json.dumps(schema))
    (made / "sources.yaml").write_text(
        "- {id: shop, origin: backend, topics: [raw.backend]}\n- {id: app, origin: sdk, topics: [raw.sdk]}\n"
    )
    return made


def _event(n: int, event: str = "Paid", **more: object) -> Raw:
    user = f"u{n % 50}"
    value = {"event": event, "user_id": user, "event_id": f"e{n}", "properties": {"amount": n}, **more}
    return user.encode(), json.dumps(value).encode(), []


def _mixed(start: int, count: int) -> list[Raw]:
    """Good ones under both names, unplanned ones, one in ten without a user and a few that are not JSON."""
    made = []
    for n in range(start, start + count):
        if n % 10 == 3:
            made.append(_event(n, user_id=None))
        elif n % 10 == 4:
            made.append(_event(n, event=f"Nobody Planned {n % 7}"))
        elif n % 50 == 5:
            made.append((b"k", b"not json", []))
        else:
            made.append(_event(n, event="Bezahlt" if n % 2 else "Paid"))
    return made


def _expected(raws: list[Raw], source: str) -> Counter[tuple[str, str, str]]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for _, value, _ in raws:
        if value == b"not json":
            counted["", source, "undecodable"] += 1
            continue
        event = json.loads(value)
        if event["event"] not in ("Paid", "Bezahlt"):
            counted[event["event"], source, "unknown_event"] += 1
        else:
            counted["Paid", source, "missing_user" if event["user_id"] is None else "valid"] += 1
    return counted


def _report(deployment: Deployment) -> Report:
    kafka = {"bootstrap_servers": deployment.services.kafka}
    return read_report(load_settings(kafka=kafka, topic_prefix=deployment.prefix, partitions=deployment.partitions))


def _counts(deployment: Deployment) -> Counter[tuple[str, str, str]]:
    return Counter({(one.name, one.source, one.outcome): one.count for one in _report(deployment).entries})


def _readiness(program: Program) -> dict[str, object]:
    try:
        answer = httpx.get(f"{program.url}/readyz", timeout=5)
    except httpx.TransportError:
        return {}
    found: dict[str, object] = answer.json()
    return found


def _idle(deployment: Deployment) -> None:
    until(lambda: deployment.idle("validation", *RAW), "validation to be idle", 60)


def _running(deployment: Callable[..., Deployment], tmp_path: Path, **environment: str) -> tuple[Deployment, Program]:
    made = deployment(partitions=3)
    made.create_topics()
    made.apply(_workspace(tmp_path, "first", _schema()))
    return made, made.validation(**environment).wait_ready()


def test_counts_are_exact_across_kills(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Two workers in turn are killed amid a backlog: the counts are those of the raw log."""
    made, worker = _running(deployment, tmp_path, OFFERFLOW_BATCH__MAX_RECORDS="300")
    backend, sdk = _mixed(0, 6000), _mixed(10_000, 3000)
    for number in range(2):
        made.produce("raw.backend", backend[number * 3000 : (number + 1) * 3000])
        made.produce("raw.sdk", sdk[number * 1500 : (number + 1) * 1500])
        before = made.ends("journal")
        until(lambda start=before: made.ends("journal") > start + 300, "some of it to be written", 60, worker.tail)
        worker.kill()
        worker = made.validation(number % 2 + 1, OFFERFLOW_BATCH__MAX_RECORDS="300")
    worker.wait_ready()
    _idle(made)
    expected = _expected(backend, "shop") + _expected(sdk, "app")
    until(lambda: _counts(made) == expected, "the counts to be right", 30, lambda: _counts(made) - expected)
    report = _report(made)
    assert report.uncounted == report.evicted == report.floor == 0
    dead = sum(n for (_, _, outcome), n in expected.items() if outcome != "valid")
    # A reader waits for the transaction that the killed worker left open until the broker ends it.
    until(lambda: len(made.read("dead-letter")) == dead, f"{dead} dead letters", 30)
    until(lambda: len(made.read("journal")) == sum(expected.values()) - dead, "as many journal records", 30)


def test_the_fuse_holds_until_it_is_released(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """A plan that makes everything bad is not written under: the worker holds, also after a kill, alarms, and goes on
    when the plan is mended; a second time when it is released by hand."""
    made, worker = _running(deployment, tmp_path, OFFERFLOW_FUSE__MIN_EVENTS="50")
    good = [_event(n) for n in range(1000)]
    made.produce("raw.backend", good)
    _idle(made)
    made.apply(_workspace(tmp_path, "mistake", _schema(2, maximum=-1)))
    written = len(made.read("journal"))
    made.produce("raw.backend", good)

    def holds() -> bool:
        said = _readiness(worker)
        return "shop 0% -> 100%" in str(said.get("why"))

    until(holds, "the worker to hold", 30, worker.tail)
    assert worker.metric("offerflow_refusing") == 1
    worker.kill()
    worker = made.validation(OFFERFLOW_FUSE__MIN_EVENTS="50")
    until(holds, "the next worker to hold as well", 30, worker.tail)
    shown = made.command("fuse", "show", "--output", "json")
    assert shown.returncode == 1
    (holding,) = json.loads(shown.stdout)["workers"]
    assert (holding["state"], holding["worker"]) == ("holding", "validation-1")
    (shop,) = holding["sources"]
    assert (shop["source"], shop["before"]) == ("shop", {"events": 1000, "bad": 0})
    assert shop["since"]["events"] == shop["since"]["bad"] >= 50, "what it holds for"
    nobody_to_ask = made.command("fuse", "release")
    assert nobody_to_ask.returncode == 2
    assert "add --yes" in nobody_to_ask.stderr
    assert "--dry-run" not in nobody_to_ask.stderr
    dead = len(made.read("dead-letter"))
    assert dead < 100, "what came before there was enough to tell"
    assert len(made.read("journal")) == written

    made.apply(_workspace(tmp_path, "mended", _schema(3)))
    worker.wait_ready()
    _idle(made)
    assert len(made.read("dead-letter")) == dead
    assert len(made.read("journal")) == written + 1000 - dead
    assert worker.metric("offerflow_refusing") == 0
    serial = _released(made, "--yes", released=False)
    assert _released(made, "--yes", released=False) == serial, "no worker holds: nothing is written"

    made.apply(_workspace(tmp_path, "again", _schema(4, maximum=-1)))
    made.produce("raw.backend", good)
    until(holds, "the worker to hold again", 30, worker.tail)
    assert _released(made, "--yes", released=True) == serial + 2
    worker.wait_ready()
    _idle(made)
    assert len(made.read("dead-letter")) >= dead + 900
    assert made.command("fuse", "show").returncode == 0
    assert _released(made, "--yes", "--force", released=False) == serial + 2, "it is released already"

    worker.stop()
    gone = made.command("fuse", "show")
    assert (gone.returncode, gone.stdout) == (0, "No validation worker is running.\n")


def _released(deployment: Deployment, *options: str, released: bool) -> int:
    """The serial in force afterwards."""
    done = deployment.command("fuse", "release", *options, "--output", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["released"] is released
    return int(answer["serial"])


def test_faults_of_our_own_stop_the_stage(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """The largest record that a raw topic takes is no such thing. With a limit set too low the stage does not move past
    a dead letter, says which record it is and why, and goes on by itself once that is mended; a catalog that cannot be
    read stops it too."""
    made, worker = _running(deployment, tmp_path)
    largest = random.Random(5).randbytes(2 * 1024 * 1024 - 200)
    made.produce("raw.integration", [(largest, b"", [])])
    until(lambda: len(made.read("dead-letter")) == 1, "the largest one to be set aside", 60, worker.tail)
    made.limit("dead-letter", 2000)
    poison = json.dumps([n * 7919 % 10_007 for n in range(3000)]).encode()
    made.produce("raw.backend", [(b"u1", poison, []), *(_event(50 * n + 1) for n in range(20))])
    until(lambda: "dead letter of" in str(_readiness(worker).get("why")), "the worker to hold", 60, worker.tail)
    why = str(_readiness(worker)["why"])
    assert f"{made.prefix}raw.backend/" in why
    assert "@0 cannot be written" in why
    assert "max.message.bytes" in why
    assert worker.metric("offerflow_refusing") == 1
    assert worker.metric("offerflow_dead_letters_total") == 1
    made.limit("dead-letter", 4 * 1024 * 1024)
    worker.wait_ready()
    _idle(made)
    letters = made.read("dead-letter")
    assert len(letters) == 2
    assert sum(poison in (letter.value or b"") for letter in letters) == 1
    assert len(made.read("journal")) == 20
    assert worker.metric("offerflow_refusing") == 0
    assert worker.metric("offerflow_dead_letters_total") == 2

    made.produce("catalog", [(b"event/Paid@1", b"no JSON", [])])
    until(lambda: "'event/Paid@1'" in str(_readiness(worker).get("why")), "the worker to refuse", 30, worker.tail)
    assert worker.metric("offerflow_refusing") == 1
    assert worker.process.poll() is None
    made.produce("catalog", [(b"event/Paid@1", json.dumps({"schema": _schema(), "schema_id": 1000}).encode(), [])])
    made.produce("raw.backend", [_event(1)])
    until(lambda: len(made.read("journal")) == 21, "work to go on", 30, worker.tail)
