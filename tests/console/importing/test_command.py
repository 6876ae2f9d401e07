"""`offerflow events import` and `events send` on a real broker, with validation behind them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fastavro
import pyarrow
import pyarrow.parquet
import pytest

from tests.console.importing.plans import EVENTS
from tests.deployment import OFFERFLOW, Deployment, Services
from tests.oracle import wire
from tests.oracle.workspace import with_meta
from tests.waiting import until

pytestmark = pytest.mark.broker
ROWS = 2000
WINDOW = 8 * 100
"""What is on its way at once at the rate of these tests: that much may come again."""


@pytest.fixture(scope="module")
def here(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with a small plan and validation, for all tests of this file."""
    directory = tmp_path_factory.mktemp("imports")
    workspace = directory / "workspace"
    workspace.mkdir()
    for event in EVENTS:
        (workspace / f"{event['name']}.avsc").write_text(json.dumps(event))
    (workspace / "sources.yaml").write_text("- {id: shop, origin: backend, topics: [raw.backend]}\n")
    with ExitStack() as closing:
        made = Deployment(stack, directory)
        closing.callback(made.close)
        made.create_topics()
        made.apply(workspace)
        made.validation().wait_ready()
        yield made


def run(here: Deployment, *arguments: object, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [OFFERFLOW, "events", *map(str, arguments)], cwd=directory, env=here.environment(), capture_output=True,
        text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def journal(here: Deployment, prefix: str, count: int) -> list[dict[str, Any]]:
    """The journal's events of users whose ids begin so, once there are ``count``."""

    def look() -> list[dict[str, Any]] | None:
        ids = {number: name for (name, _), number in wire.schema_ids(here.read("catalog")).items()}
        schemas = {event["name"]: fastavro.parse_schema(wire.plain(with_meta(event))) for event in EVENTS}
        found = []
        for record in here.read("journal"):
            number, body = wire.unframe(record.value, "journal")
            if number in ids:
                event = wire.decode(body, schemas[ids[number]], "journal")
                if str(event["meta"]["user_id"]).startswith(prefix):
                    found.append(event)
        return found if len(found) >= count else None

    found = until(look, f"{count} events of {prefix}* in the journal", 60, lambda: here.programs[-1].tail(800))
    assert len(found) == count
    return found


def test_a_file_is_judged_told_and_sent(here: Deployment, tmp_path: Path) -> None:
    """Good rows reach the journal at their own times, exempt from lateness; bad ones are told, set aside, and make the
    exit code 1; a dry run sends nothing."""
    (tmp_path / "orders.csv").write_text(
        "Who,When,event,amount\nfile-1,2024-05-01 10:00:00,Paid,5\nfile-1,2024-04-01 10:00:00,Paid,4\n"
        "file-2,2024-05-01,Piad,1\n"
    )
    given = ("import", "orders.csv", "--source", "shop", "--map", "Who=user_id", "--map", "When=time")
    looked = run(here, *given, "--dry-run", "--output", "json", directory=tmp_path)
    report = json.loads(looked.stdout)
    assert (looked.returncode, report["good"], report["bad"], report["sent"]) == (1, 2, 1, 0)
    before = here.ends("raw.import")
    done = run(here, *given, "--yes", directory=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "unknown_event: Piad" in done.stdout
    assert "orders.csv:4" in done.stdout
    assert json.loads((tmp_path / "orders.rejects.jsonl").read_text())["line"] == 4
    assert here.ends("raw.import") == before + 2
    first, second = sorted(journal(here, "file-", 2), key=lambda event: event["meta"]["time"])
    assert (first["amount"], second["amount"]) == (4.0, 5.0)
    assert first["meta"]["time"] == 1_711_965_600_000
    assert {event["meta"]["lateness"] for event in (first, second)} == {"ignore"}
    assert {event["meta"]["origin"] for event in (first, second)} == {"backend"}
    assert not (tmp_path / "orders.import.json").exists()


def stop_under_way(here: Deployment, path: Path, number: signal.Signals, beyond: int, *more: str) -> tuple[int, str]:
    """Start a slow import and signal it once it has sent more than ``beyond``; its exit code and what it said."""
    mark = path.with_name(f"{path.stem}.import.json")
    process = subprocess.Popen(
        [OFFERFLOW, "events", "import", path, "--source", "shop", "--yes", "--rate", "400/s", *more], cwd=path.parent,
        env=here.environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until(lambda: mark.exists() and json.loads(mark.read_text())["sent"] > beyond, "the import to be under way", 60)
    finally:
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    return process.returncode, said


def test_an_interrupted_import_goes_on_where_it_was(here: Deployment, tmp_path: Path) -> None:
    """Ctrl-C, then SIGKILL in the middle: without --resume the next run refuses, with it every event is there by one
    id, in the order of the times for each partition, and little of it twice."""
    path, mark = tmp_path / "many.jsonl", tmp_path / "many.import.json"
    rows = [{"event": "Paid", "user_id": f"many-{n % 40}", "time": 1_700_000_000_000 + (n * 7919) % ROWS * 1000,
             "properties": {"amount": n}} for n in range(ROWS)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    before = here.ends("raw.import")
    code, said = stop_under_way(here, path, signal.SIGINT, 0)
    first = json.loads(mark.read_text())["sent"]
    assert (code, f"interrupted after {first} of {ROWS} events" in said) == (75, True), said
    refused = run(here, "import", path, "--source", "shop", "--yes", directory=tmp_path)
    assert refused.returncode == 1
    assert f"interrupted after {first} of {ROWS}" in refused.stderr
    assert stop_under_way(here, path, signal.SIGKILL, first, "--resume")[0] == -signal.SIGKILL
    second = json.loads(mark.read_text())["sent"]
    assert 0 < first < second < ROWS
    done = run(here, "import", path, "--source", "shop", "--yes", "--resume", "--output", "json", directory=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["sent"]) == (0, ROWS), done.stderr
    assert not mark.exists()
    seen: Counter[str] = Counter()
    newest: dict[int, int] = {}
    for record in here.read("raw.import"):
        event = json.loads(record.value or b"")
        if not event["user_id"].startswith("many-"):
            continue
        seen[event["event_id"]] += 1
        if seen[event["event_id"]] == 1:
            assert event["time"] >= newest.get(record.partition, 0)
            newest[record.partition] = event["time"]
    assert len(seen) == ROWS
    assert ROWS <= here.ends("raw.import") - before <= ROWS + 2 * WINDOW


def test_a_changed_file_is_not_gone_on_with(here: Deployment, tmp_path: Path) -> None:
    """What was interrupted was another import: nothing is sent, and the error says what to do."""
    (tmp_path / "a.import.json").write_text('{"digest": "other", "received_ms": 1767225600000, "total": 9, "sent": 3}')
    (tmp_path / "a.jsonl").write_text('{"event": "Paid", "user_id": "x", "time": 1700000000000, "amount": 1}')
    before = here.ends("raw.import")
    done = run(here, "import", "a.jsonl", "--source", "shop", "--yes", "--resume", directory=tmp_path)
    assert done.returncode == 1
    assert "another import" in done.stderr
    assert here.ends("raw.import") == before


def test_what_another_kafka_has_is_not_skipped(here: Deployment, tmp_path: Path) -> None:
    """The same import, but what was sent of it lies elsewhere: nothing is sent, and the error says what to do."""
    mark, path = tmp_path / "b.import.json", tmp_path / "b.jsonl"
    rows = [{"event": "Paid", "user_id": "b", "time": 1_700_000_000_000, "amount": n} for n in range(ROWS)]
    path.write_text("\n".join(map(json.dumps, rows)))
    stop_under_way(here, path, signal.SIGINT, 0)
    kept = json.loads(mark.read_text())
    mark.write_text(json.dumps({**kept, "topic_id": "other"}))
    before = here.ends("raw.import")
    given = ("import", path, "--source", "shop", "--yes", "--resume")
    done = run(here, *given, directory=tmp_path)
    assert (done.returncode, "another Kafka" in done.stderr) == (1, True), done.stderr
    assert here.ends("raw.import") == before


def test_parquet_by_the_command(here: Deployment, tmp_path: Path) -> None:
    """A Parquet file with times and nested properties ends in the journal like any other; --resume begins where nothing
    was sent before."""
    table = pyarrow.table({
        "event": ["Paid"], "user_id": ["parquet-1"],
        "time": pyarrow.array([1_700_000_000_000], pyarrow.timestamp("ms")),
        "properties": [{"amount": 2.5, "tags": ["a", "b"]}],
    })  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "old.parquet")
    done = run(here, "import", "old.parquet", "--source", "shop", "--yes", "--resume", directory=tmp_path)
    assert (done.returncode, "starting from the beginning" in done.stderr) == (0, True), done.stderr
    (event,) = journal(here, "parquet-", 1)
    assert (event["meta"]["time"], event["amount"], event["tags"]) == (1_700_000_000_000, 2.5, ["a", "b"])


@pytest.mark.parametrize(
    ("given", "what"),
    [(("a.txt", "--source", "shop"), "add --format"), (("a.jsonl", "--source", "shop", "--map", "x"), "column=member"),
     (("a.jsonl", "--source", "shop", "--timezone", "Mars/X"), "no time zone"), (("a.jsonl",), "--source")],
)  # fmt: skip
def test_a_slip_in_the_command_line_is_told(
    here: Deployment, tmp_path: Path, given: tuple[str, ...], what: str
) -> None:
    """Exit code 2, and what was expected."""
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "a.jsonl").write_text("")
    done = run(here, "import", *given, "--yes", directory=tmp_path)
    assert (done.returncode, what in done.stderr) == (2, True), done.stderr


def test_one_event_by_hand_with_its_verdict(here: Deployment, tmp_path: Path) -> None:
    """Straight to Kafka: valid with what was stored, or the reason and exit code 1."""
    given = ("--source", "shop", "--user", "hand-1", "--output", "json")
    good = run(here, "send", "Paid", "--property", "amount=5", *given, directory=tmp_path)
    assert good.returncode == 0, good.stderr
    told = json.loads(good.stdout)
    assert (told["verdict"], told["stored"]["amount"]) == ("valid", 5.0)
    (tmp_path / "bad.json").write_text('{"event": "Paid", "properties": {"amount": "5"}}')
    bad = run(here, "send", "--file", "bad.json", *given, directory=tmp_path)
    assert bad.returncode == 1, bad.stderr
    told = json.loads(bad.stdout)
    assert (told["verdict"], told["field"], told["expected"]) == (
        "schema_violation", "amount", "a number that Avro type double holds without loss",
    )  # fmt: skip
    nothing = run(here, "send", *given, directory=tmp_path)
    assert (nothing.returncode, "EVENT" in nothing.stderr) == (2, True)


def test_bad_rows_do_not_go_where_rows_come_from(here: Deployment, tmp_path: Path) -> None:
    """Named by hand or by default, it is refused before anything is read; with another name the file is left whole."""
    path = tmp_path / "shop.rejects.jsonl"
    text = '{"event": "Paid", "user_id": "aside-1", "time": "never"}\n'
    path.write_text(text)
    for given in ((path.name,), (path.name, "--name", "x", "--rejects", f"../{tmp_path.name}/{path.name}")):
        refused = run(here, "import", *given, "--source", "shop", "--dry-run", directory=tmp_path)
        assert (refused.returncode, "--rejects" in refused.stderr, path.read_text()) == (2, True, text)
    done = run(here, "import", path.name, "--name", "mended", "--source", "shop", "--dry-run", directory=tmp_path)
    assert (done.returncode, "mended.rejects.jsonl" in done.stderr, path.read_text()) == (1, True, text)
    rejects = tmp_path / "mended.rejects.jsonl"
    assert json.loads(rejects.read_text())["row"] == json.loads(text)
    rejects.write_text("mended by hand")
    for _ in range(2):  # what is the same already is not kept twice
        run(here, "import", path.name, "--name", "mended", "--source", "shop", "--dry-run", directory=tmp_path)
    assert (tmp_path / "mended.rejects.jsonl.1").read_text() == "mended by hand"
    assert len(list(tmp_path.glob("mended.rejects*"))) == 2
    assert not list(tmp_path.glob("*.new"))
