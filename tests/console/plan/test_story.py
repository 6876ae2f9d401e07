"""From the first event of a new name to planned and replayed, over the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.plan.adopting import Adopter
from offerflow.runtime.settings import KafkaSettings, Settings
from schemas.codec import event_reader, schema_id_of
from tests.deployment import Deployment
from tests.waiting import until

# In a program of its own nobody sees the warning; here it is an error.
pytestmark = [pytest.mark.broker, pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")]

SOURCES = "- {id: app, origin: sdk, topics: [raw.sdk]}\n- {id: shop, origin: backend, topics: [raw.backend]}\n"


def paused(at: int) -> bytes:
    properties = {
        "lesson": f"l-{at}",
        "seconds": at * 1.5,
        "at": "2026-03-05T10:00:00Z",
        "email": "a@b.example",
        "$v": 1,
    }
    return json.dumps({"event": "Lesson Paused", "user_id": f"u-{at}", "properties": properties}).encode()


def resumed(at: int) -> bytes:
    event = {"event": "Lesson Resumed", "user_id": f"u-{at}", "properties": {"lesson": f"l-{at}", "score": at}}
    return json.dumps(event).encode()


def as_cloud_event(at: int) -> dict[str, Any]:
    event = json.loads(paused(at))
    return {"specversion": "1.0", "id": f"c-{at}", "source": "app", "type": event["event"],
            "subject": event["user_id"], "data": event["properties"]}  # fmt: skip


def counts(listed: list[dict[str, Any]], total: int) -> dict[str, tuple[bool, int, int]]:
    """Planned, valid, dead by name; empty until ``total`` events are counted."""
    found = {one["event"]: (one["planned"], one["valid"], one["dead"]) for one in listed}
    return found if sum(valid + dead for _, valid, dead in found.values()) == total else {}


def journal(deployment: Deployment) -> list[bytes]:
    return [
        record.value for record in deployment.read("journal") if record.value and schema_id_of(record.value) >= 1000
    ]


def run(deployment: Deployment, *arguments: str | Path) -> Any:
    done = deployment.command(*arguments, "--output", "json")
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def test_from_first_event_to_planned_and_replayed(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """One command plans a name that came unplanned and replays its events; one that was planned by name gets its
    types later, under the default compatibility, and both keep every event."""
    made = deployment(partitions=2)
    made.create_topics()
    (tmp_path / "sources.yaml").write_text(SOURCES)
    made.apply(tmp_path)
    made.validation().wait_ready()

    # Planned by name before it is ever sent: valid from the first event on, and everything it carries is kept.
    assert run(made, "plan", "add", "Lesson Resumed", "--owner", "learning") == [
        {"event": "Lesson Resumed", "key": "event/LessonResumed@1", "near": None}
    ]
    (line,) = run(made, "plan", "list")
    assert (line["event"], line["untyped"], line["last_seen"]) == ("Lesson Resumed", True, None)

    # A name that a type inside events.Meta has gets a record of another name.
    (added,) = run(made, "plan", "add", "Lateness")
    assert added["key"] == "event/Lateness2@1"

    # Twelve events of a name that nobody planned, in two forms, and three of the other.
    made.produce("raw.sdk", [(b"k", paused(at), []) for at in range(6)])
    made.produce("raw.sdk", [(b"k", json.dumps(as_cloud_event(at)).encode(), []) for at in range(6, 12)])
    made.produce("raw.backend", [(b"k", resumed(at), []) for at in range(3)])
    until(lambda: made.idle("validation", "raw.sdk", "raw.backend"), "the events to be judged")
    assert len(made.read("dead-letter")) == 12
    assert len(journal(made)) == 3
    seen = until(lambda: counts(run(made, "plan", "list"), 15), "the counts of names")
    assert seen == {"Lesson Resumed": (True, 3, 0), "Lateness": (True, 0, 0), "Lesson Paused": (False, 0, 12)}

    # One command from there to planned and replayed.
    adopted = run(made, "plan", "infer", "Lesson Paused", "--adopt", "--yes")
    assert adopted["adopted"]["planned"] == ["event/LessonPaused@1"]
    assert adopted["adopted"]["replayed"] == 12, adopted["adopted"]
    schema = adopted["drafts"][0]["schema"]
    assert schema["origins"] == ["sdk"]
    assert [(field["name"], field["type"], field.get("pii")) for field in schema["fields"][1:]] == [
        ("lesson", "string", None), ("seconds", "double", None),
        ("at", {"type": "long", "logicalType": "timestamp-millis"}, None), ("email", ["null", "string"], True),
    ]  # fmt: skip
    until(lambda: made.idle("validation", "raw.replay"), "the replayed events to be judged")
    assert len(journal(made)) == 15
    assert len(made.read("dead-letter")) == 12
    assert run(made, "plan", "infer", "Lesson Paused", "--adopt", "--yes")["adopted"]["replayed"] == 0

    # A look changes nothing. Stopped after the schema was applied, the command is finished by running it again.
    made.produce("raw.sdk", [(b"k", paused(20).replace(b"Paused", b"Halted"), [])])
    until(lambda: len(made.read("dead-letter")) == 13, "the event to be dead")
    looked = run(made, "plan", "infer", "Lesson Halted", "--out", tmp_path / "drafts")
    assert (looked["waiting"], looked["adopted"]) == ({"Lesson Halted": 1}, None)
    assert [Path(file).name for file in looked["files"]] == ["LessonHalted.avsc"]
    made.apply(tmp_path / "drafts")
    finished = run(made, "plan", "infer", "Lesson Halted", "--adopt", "--yes")["adopted"]
    assert (finished["planned"], finished["replayed"]) == ([], 1)

    # The entry by name gets its types from what it kept, as version 2.
    typed = run(made, "plan", "infer", "Lesson Resumed", "--adopt", "--yes")
    assert typed["adopted"]["planned"] == ["event/LessonResumed@2"]
    made.produce("raw.backend", [(b"k", resumed(7), [])])
    until(lambda: len(journal(made)) == 17, "the typed event")
    newest = [value for value in journal(made) if schema_id_of(value) == 1004]
    fields = event_reader(typed["drafts"][0]["schema"], None)(newest[0])
    assert (fields["lesson"], fields["score"], fields["extra"]) == ("l-7", 7, {})

    shown = run(made, "plan", "show", "LessonResumed")
    assert [(one["version"], one["schema_id"]) for one in shown["versions"]] == [(1, 1000), (2, 1004)]
    files = run(made, "plan", "docs", tmp_path / "pages")["files"]
    assert str(tmp_path / "pages" / "events" / "LessonPaused.md") in files
    assert f"{made.prefix}raw.sdk" in (tmp_path / "pages" / "asyncapi.yaml").read_text()


def test_names_plan_themselves_where_a_source_says_so(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """New names of a source with `unplanned_events: adopt` are planned and replayed without anybody, hostile ones are
    left alone, those of other sources too, no more than so many a minute, and a repeated turn does nothing."""
    made = deployment(partitions=2)
    made.create_topics()
    adopting = "- {id: lab, origin: sdk, topics: [raw.lab], unplanned_events: adopt}\n"
    (tmp_path / "sources.yaml").write_text(SOURCES + adopting)
    made.apply(tmp_path)
    made.validation().wait_ready()
    lab: list[tuple[str, dict[str, Any]]] = [
        ("Lamp Lit", {"watt": 5}), ("Lamp Lit", {"watt": 5.5}), ("a\u001b[2J", {}), ("Origin", {"$why": "switch"}),
    ]  # fmt: skip
    events = [{"event": name, "user_id": "u", "properties": properties} for name, properties in lab]
    made.produce("raw.lab", [(b"k", json.dumps(event).encode(), []) for event in events])
    made.produce("raw.sdk", [(b"k", paused(1), [])])
    until(lambda: made.idle("validation", "raw.lab", "raw.sdk"), "the events to be judged")
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=made.services.kafka), topic_prefix=made.prefix, partitions=2
    )
    now = [0.0]
    adopter = Adopter(settings, lambda: now[0], per_minute=1)
    try:
        adopter.turn()
        until(lambda: len(journal(made)) == 2, "the first name to be replayed")
        adopter.turn()
        assert "Origin" not in {one["event"] for one in run(made, "plan", "list") if one["planned"]}
        now[0] = 61.0
        adopter.turn()
        until(lambda: len(journal(made)) == 3, "the second name to be replayed")
    finally:
        adopter.close()
    told = run(made, "plan", "show", "Lamp Lit")
    assert [(one["name"], one["type"]) for one in told["properties"]] == [
        ("watt", ["null", "double"]), ("extra", {"type": "map", "values": "string"}),
    ]  # fmt: skip
    assert {one["event"] for one in run(made, "plan", "list") if one["planned"]} == {"Lamp Lit", "Origin"}
    ends = made.ends("raw.replay"), made.ends("catalog")
    again = Adopter(settings)
    try:
        again.turn()
    finally:
        again.close()
    assert (made.ends("raw.replay"), made.ends("catalog")) == ends
