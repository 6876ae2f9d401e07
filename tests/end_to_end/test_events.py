"""What arrived, as an engineer looks at it: live with verdicts, in the history, and in debug mode."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from console.cli.events import events
from tests.deployment import OFFERFLOW, Deployment, Program, Services
from tests.waiting import until

pytestmark = pytest.mark.broker

BOUGHT = {
    "type": "record", "namespace": "events", "name": "Bought", "doc": "Somebody paid.",
    "event": ["Bought", "Order Completed"], "origins": ["backend", "sdk"], "fields": [
        {"name": "meta", "type": "events.Meta"}, {"name": "amount", "type": "double"},
        {"name": "currency", "type": "string", "default": "EUR"},
        {"name": "email", "type": ["null", "string"], "default": None, "pii": True}],
}  # fmt: skip
LESSON = {
    "type": "record", "namespace": "events", "name": "LessonDone", "doc": "A lesson was finished.",
    "event": ["Lesson Done"], "fields": [{"name": "meta", "type": "events.Meta"}],
}  # fmt: skip
WOKE = {
    "type": "record", "namespace": "events", "name": "AppWoke", "doc": "The app came to the front.", "system": True,
    "event": ["App Woke"], "origins": ["sdk"], "fields": [{"name": "meta", "type": "events.Meta"}],
}  # fmt: skip
SOURCES = [
    {"id": "shop", "origin": "backend", "topics": ["raw.backend"]},
    {"id": "app", "origin": "sdk", "topics": ["raw.sdk"], "system_events": {"App Woke": False}},
]
DAY_MS = 24 * 3600 * 1000
THEN = 1_772_704_800_000


class Looked:
    """A deployment with validation and the history, looked at by commands."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._validation: Program | None = None
        self._history: Program | None = None
        workspace = deployment.directory / "plan"
        workspace.mkdir()
        for schema in (BOUGHT, LESSON, WOKE):
            (workspace / f"{schema['name']}.avsc").write_text(json.dumps(schema))
        (workspace / "sources.yaml").write_text(json.dumps(SOURCES))
        deployment.create_topics()
        deployment.apply(workspace)

    def start(self) -> None:
        """Validation and the history, if they do not run."""
        if self._validation is None:
            self._validation = self.deployment.validation().wait_ready()
        if self._history is None:
            self._history = self.deployment.start("consumers.history", "history").wait_ready()

    def stop(self) -> None:
        """Validation, so that events wait."""
        if self._validation is not None:
            self._validation.stop()
            self._validation = None

    def send_all(self, mark: str) -> None:
        """A valid event, the same again, a name that nobody planned, a wrong value, a system event that is switched
        off, one that nobody can read. Ids and users begin with ``mark``."""
        properties = {"amount": 5, "email": "a@b.c", "coupon": "X"}
        self.send("Order Completed", f"{mark}-u1", event_id=f"{mark}-1", properties=properties)
        self.send("Bought", f"{mark}-u1", event_id=f"{mark}-1", properties={"amount": 5})
        self.send("Bougth", f"{mark}-u2", event_id=f"{mark}-2")
        self.send("Bought", f"{mark}-u3", event_id=f"{mark}-3", properties={"amount": "12", "email": "secret"})
        self.send("App Woke", None, "raw.sdk", anonymous_id=f"{mark}-v1", event_id=f"{mark}-4")
        self.send("Lesson Done", None, "raw.sdk", anonymous_id=f"{mark}-v1", event_id=f"{mark}-5")
        self.deployment.produce("raw.backend", [(f"{mark}-u4".encode(), b"{", [])])

    def send(self, event: str, user: str | None = None, channel: str = "raw.backend", **members: Any) -> None:
        said = {"event": event, "user_id": user, **members}
        key = str(user or members.get("anonymous_id") or "").encode()
        self.deployment.produce(channel, [(key, json.dumps(said).encode(), [])])

    def run(self, *arguments: str) -> Result:
        """``offerflow events …`` in this process."""
        return CliRunner().invoke(events, [*arguments], env=self.deployment.environment())

    def told(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--output", "json")
        assert done.exit_code == 0, done.output + repr(done.exception)
        return json.loads(done.stdout)

    def tail(self, *arguments: str) -> Tail:
        """``offerflow events tail`` in a process of its own, which has begun: what comes now shows."""
        return Tail(self.deployment, arguments)


class Tail:
    def __init__(self, deployment: Deployment, arguments: tuple[str, ...]) -> None:
        self._out, self._err = (deployment.directory / f"tail{id(self)}.{name}" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [OFFERFLOW, "events", "tail", "--output", "json", *arguments], cwd=deployment.directory,
                env=deployment.environment(), stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        until(lambda: "starting" in self._err.read_text(), "tail to start", 60, self._err.read_text)

    def rows(self, number: int) -> list[dict[str, Any]]:
        """Once there are so many."""
        until(lambda: len(self._read()) >= number, f"{number} events", 60, self._state)
        return [json.loads(line) for line in self._read()]

    def ended(self) -> int:
        return self._process.wait(60)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def _read(self) -> list[str]:
        return self._out.read_text().splitlines()

    def _state(self) -> object:
        return self._out.read_text(), self._err.read_text()


@pytest.fixture(scope="module")
def looked(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    deployment = Deployment(stack, tmp_path_factory.mktemp("events"))
    try:
        yield Looked(deployment)
    finally:
        deployment.close()


def test_an_engineer_sees_her_events_with_their_verdicts(looked: Looked) -> None:
    """What is sent while the command starts shows too: while validation is away as waiting; then each shows once with
    what became of it, what was sent beside what was stored, and with nothing personal."""
    looked.stop()
    tail = looked.tail("--verdicts", "--limit", "9")
    try:
        looked.send("Lesson Done", "live-u9", event_id="live-9")
        [waiting] = tail.rows(1)
        assert (waiting["verdict"], waiting["event_id"]) == ("waiting", "live-9")
        looked.start()
        looked.send_all("live")
        rows = {(row["event_id"], row["verdict"]): row for row in tail.rows(9)}
        assert tail.ended() == 0
    finally:
        tail.close()
    assert set(rows) == {
        ("live-9", "waiting"), ("live-9", "valid"), ("live-1", "valid"), ("live-1", "duplicate"),
        ("live-2", "unknown_event"), ("live-3", "schema_violation"), ("live-4", "dropped"), ("live-5", "valid"),
        (None, "undecodable"),
    }  # fmt: skip
    valid = rows["live-1", "valid"]
    assert (valid["event"], valid["user_id"], valid["source"]) == ("Bought", "live-u1", "shop")
    assert {one["path"]: one["change"] for one in valid["differences"]} == {
        "event": "renamed", "time": "time of arrival", "source": "given", "email": "pii, not stored",
        "coupon": "stripped", "currency": "default",
    }  # fmt: skip
    assert valid["sent"]["properties"]["email"] == "(pii, hidden)"
    dead = rows["live-3", "schema_violation"]
    assert (dead["field"], dead["got"]) == ("amount", 'string "12"')
    assert "secret" not in json.dumps(list(rows.values()))
    assert "'Bought'" in rows["live-2", "unknown_event"]["detail"]
    assert "switched off for the source app" in rows["live-4", "dropped"]["detail"]


def test_the_past(looked: Looked) -> None:
    """The history lists what arrived; one event shows both sides, out of its records; the log itself says the same."""
    looked.start()
    looked.send_all("past")
    listed = ("list", "--user", "past-u1", "--user", "past-u2", "--user", "past-u3")
    rows = until(lambda: _rows(looked, 4, *listed), "four events in the history")
    assert sorted((row["event_id"], row["verdict"]) for row in rows) == [
        ("past-1", "duplicate"), ("past-1", "valid"), ("past-2", "unknown_event"), ("past-3", "schema_violation"),
    ]  # fmt: skip
    assert [row["event_id"] for row in looked.told("list", "--user", "past-u3", "--bad")["events"]] == ["past-3"]
    [first, again] = looked.told("show", "past-1")["arrivals"]
    assert (first["verdict"], again["verdict"]) == ("valid", "duplicate")
    assert (first["sent"]["event"], again["sent"]["event"]) == ("Order Completed", "Bought")
    assert looked.told("show", first["journal"])["arrivals"][0]["raw"] == first["raw"]
    [dead] = looked.told("show", "past-3")["arrivals"]
    assert (dead["verdict"], dead["stored"]) == ("schema_violation", None)
    [dropped] = looked.told("show", "past-4")["arrivals"]  # no index has it: the topics were searched
    assert dropped["verdict"] == "dropped"
    missing = looked.run("show", "past-none", "--since", "1s")
    assert missing.exit_code == 1
    assert "no event 'past-none'" in str(missing.exception)
    again = looked.run("tail", "--since", "1h", "--no-follow", "--output", "json", "--user", "past-u1")
    assert [json.loads(line)["verdict"] for line in again.stdout.splitlines()] == ["valid", "duplicate"]


def test_counts(looked: Looked) -> None:
    """What validation has counted from the beginning, and what the history has of the last hour: both know the good and
    the bad, and the first what was dropped."""
    looked.start()
    looked.send_all("count")

    def counted(*arguments: str) -> dict[Any, Any]:
        return {(one["event"], one["source"]): one for one in looked.told("stats", *arguments)}

    def bad(*arguments: str) -> bool:
        found = counted(*arguments)
        return found.get(("Bougth", "shop"), {}).get("reasons", {}).get("unknown_event", 0) > 0

    until(lambda: bad("--since", "1h"), "the history to count")
    until(lambda: bad() and ("App Woke", "app") in counted(), "validation to write its counts")
    assert counted()["App Woke", "app"]["dropped"] > 0
    assert counted("--since", "1h")["Bought", "shop"]["valid"] > 0
    assert set(counted("--source", "app")) <= {("App Woke", "app"), ("Lesson Done", "app")}


def _rows(looked: Looked, number: int, *arguments: str) -> list[dict[str, Any]]:
    """Once there are so many."""
    rows: list[dict[str, Any]] = looked.told(*arguments)["events"]
    return rows if len(rows) >= number else []


def test_a_funnel(looked: Looked) -> None:
    """Of two who bought one went on, after having been anonymous; times are those of the events."""
    looked.start()
    looked.send("Bought", None, anonymous_id="v-7", time=THEN, event_id="f-1", properties={"amount": 1})
    looked.send("Lesson Done", "u-7", anonymous_id="v-7", time=THEN + DAY_MS, event_id="f-2")
    looked.send("Bought", "u-8", time=THEN, event_id="f-3", properties={"amount": 1})
    looked.send("Lesson Done", "u-8", time=THEN + 9 * DAY_MS, event_id="f-4")
    until(lambda: _listed_ids(looked) >= {"f-1", "f-2", "f-3", "f-4"}, "the four events in the history")
    asked = ("funnel", "Order Completed", "Lesson Done", "--until", "2026-04-01")
    assert looked.told(*asked)["steps"] == [
        {"event": "Order Completed", "people": 2, "of_first": 1.0, "of_previous": 1.0, "median_ms": None},
        {"event": "Lesson Done", "people": 1, "of_first": 0.5, "of_previous": 0.5, "median_ms": DAY_MS},
    ]
    assert looked.told(*asked, "--within", "10d")["steps"][1]["people"] == 2
    [shop] = looked.told(*asked, "--by", "source")["funnels"]
    assert shop["group"] == "shop"
    misspelt = looked.run("funnel", "Bougth", "Lesson Done")
    assert misspelt.exit_code == 2
    assert "'Bought'" in misspelt.output


def _listed_ids(looked: Looked) -> set[str]:
    return {row["event_id"] for row in looked.told("list", "--since", "1h")["events"]}


def test_debug_mode(looked: Looked) -> None:
    """Only who is flagged shows, and clients that say that they are in debug mode; a flag that is set while one
    watches counts."""
    looked.start()
    looked.told("debug", "on", "--user", "u-50")
    tail = looked.tail("--debug", "--limit", "3")
    try:
        looked.send("Lesson Done", "u-51", event_id="d-1")
        looked.send("Lesson Done", "u-50", event_id="d-2")
        looked.send("Lesson Done", "u-52", event_id="d-3", via={"protocol": "reteno", "debug": True})
        assert {row["event_id"] for row in tail.rows(2)} == {"d-2", "d-3"}
        looked.told("debug", "on", "--device", "d-77")

        def seen() -> bool:
            looked.send("Lesson Done", None, anonymous_id="v-9", context={"device": {"id": "d-77"}})
            return len(tail.rows(2)) == 3

        until(seen, "the flagged device to show", 60)
        assert tail.rows(3)[2]["anonymous_id"] == "v-9"
        assert tail.ended() == 0
    finally:
        tail.close()
    assert [(one["kind"], one["id"]) for one in looked.told("debug", "list")] == [("user", "u-50"), ("device", "d-77")]
    assert looked.told("debug", "off", "--user", "u-50")["ended"] is True
