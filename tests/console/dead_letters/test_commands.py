"""``offerflow dlq`` on a real broker: what is dead is mended and played back, each exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli.main import main
from console.dead_letters.watch import DeadLetterWatch
from offerflow.runtime.settings import KafkaSettings, Settings
from schemas.codec import event_reader
from schemas.dead_letter import REASONS
from tests.deployment import OFFERFLOW, Deployment
from tests.oracle.model import Record
from tests.waiting import until

pytestmark = pytest.mark.broker

LONG_AGO = 1_700_000_000_000
AMOUNT: dict[str, Any] = {"name": "amount", "type": "double", "maximum": 100}
EMAIL: dict[str, Any] = {"name": "email", "type": ["null", "string"], "default": None, "pii": True}


def schema(name: str, *fields: dict[str, Any], version: int = 1) -> dict[str, Any]:
    meta = {"name": "meta", "type": "events.Meta"}
    return {"type": "record", "namespace": "events", "name": name, "version": version, "fields": [meta, *fields]}


class Shop:
    """A deployment with a plan and a validation worker, and the dead letters it has."""

    def __init__(self, here: Deployment, folder: Path) -> None:
        self.here, self.folder = here, folder
        here.create_topics()
        (folder / "sources.yaml").write_text("- {id: shop, origin: backend, topics: [raw.backend]}\n")
        self.plan(schema("Bought", AMOUNT, EMAIL))
        self.worker = here.validation().wait_ready()

    def plan(self, definition: dict[str, Any]) -> None:
        file = self.folder / f"{definition['name']}-{definition['version']}.avsc"
        file.write_text(json.dumps(definition))
        self.here.apply(self.folder)

    def send(self, events: Iterable[dict[str, Any]]) -> None:
        records = [(e.get("user_id", "").encode(), json.dumps(e).encode(), [("trace", b"\xff")]) for e in events]
        self.here.produce("raw.backend", records)
        until(self.judged, "events to be judged", 60, self.worker.tail)

    def judged(self) -> bool:
        return self.here.idle("validation", "raw.backend", "raw.replay")

    def dlq(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "--output", "json", code=code))

    def text(self, *arguments: str, code: int = 0) -> str:
        """What the command prints; within this process, since starting one costs more than most commands do."""
        done = CliRunner().invoke(main, ["dlq", *arguments], env=dict(self.here.environment()))
        assert done.exit_code == code, done.stderr
        return done.stdout

    def in_background(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [OFFERFLOW, "dlq", *arguments], env=self.here.environment(), text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def handled(self) -> int:
        return len({record.key for record in self.here.read("dead-letter-state")})

    def settings(self) -> Settings:
        kafka = KafkaSettings(bootstrap_servers=self.here.services.kafka)
        return Settings(kafka=kafka, topic_prefix=self.here.prefix)

    def journal(self, definition: dict[str, Any]) -> list[dict[str, Any]]:
        """The events in the journal, all of one type."""
        read = event_reader(definition, None)
        values = [record.value for record in self.here.read("journal")]
        return [read(value) for value in values if value is not None and int.from_bytes(value[1:5], "big") >= 1000]


def bought(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event": "Bought", "user_id": f"u-{number % 7}", "event_id": f"e-{number}", "time": LONG_AGO + number,
        "properties": {"amount": 150.5, "email": f"{number}@example.com"}, **more,
    }  # fmt: skip


def ids_of(records: Iterable[Record]) -> Counter[str]:
    return Counter(json.loads(record.value or b"")["event_id"] for record in records)


def test_a_mistake_is_mended_and_played_back(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Counted before and after the mending, replayed through a kill and through another replay at the same time:
    every event is in the journal once, as it would have been, and nothing is sent twice."""
    shop = Shop(deployment(), tmp_path)
    shop.send(bought(number) for number in range(120))
    before = shop.dlq("stats")
    assert [(g["reason"], g["event"], g["field"], g["count"]) for g in before] == [
        ("rule_of_plan_violation", "Bought", "amount", 120)
    ]
    assert shop.dlq("replay", "--dry-run")["outcomes"] == {"rule_of_plan_violation": 120}
    refused = shop.dlq("replay", "--yes", "--limit", "20", code=1)
    assert (refused["sent"], shop.here.ends("raw.replay")) == (0, 0)

    mended = schema("Bought", {"name": "amount", "type": "double"}, EMAIL, version=2)
    shop.plan(mended)
    assert shop.dlq("replay", "--since", "1h", code=2)["outcomes"] == {"valid": 120}
    assert shop.dlq("replay", "--until", "1h")["selected"] == 0
    assert shop.here.ends("raw.replay") == 0

    killed = shop.in_background("replay", "--yes", "--rate", "10/s")
    until(lambda: shop.handled() > 0, "the replay to be under way", 60, killed.poll)
    killed.kill()
    killed.communicate()
    done = shop.handled()
    assert done < 100
    slow = shop.in_background("replay", "--yes", "--rate", "2/s")
    until(lambda: shop.handled() > done, "the second replay to be under way", 60, slow.poll)
    last = shop.dlq("replay", "--yes", "--wait")
    told = slow.communicate(timeout=60)[1]
    assert "has taken over" in told, told
    assert slow.returncode == 75
    assert 0 < last["sent"] < 120
    assert (last["came_right"], last["dead_again"]) == (last["sent"], {})

    again = shop.dlq("replay", "--yes", "--wait")
    assert (again["selected"], again["skipped"], again["sent"]) == (0, 120, 0)
    expected = Counter(f"e-{number}" for number in range(120))
    assert ids_of(shop.here.read("raw.replay")) == expected
    originals = {json.loads(record.value or b"")["event_id"]: record for record in shop.here.read("raw.backend")}
    events = shop.journal(mended)
    assert Counter(event["meta"]["event_id"] for event in events) == expected
    for event in events:
        meta, original = event["meta"], originals[event["meta"]["event_id"]]
        assert meta["time"] == LONG_AGO + int(meta["event_id"][2:])
        assert (meta["received_at"], meta["source"], meta["origin"]) == (original.timestamp, "shop", "backend")
        assert (meta["lateness"], event["amount"], event["email"]) == ("ignore", 150.5, None)
    _check_links(shop)
    _check_the_watch(shop)


def _check_links(shop: Shop) -> None:
    """Each letter names the record that was sent for it, and that record the letter."""
    sent = {(record.partition, record.offset): dict(record.headers) for record in shop.here.read("raw.replay")}
    for record in shop.here.read("dead-letter-state"):
        said = json.loads(record.value or b"")
        headers = sent.pop((said["partition"], said["offset"]))
        assert (said["status"], headers["of-dead-letter"], headers["trace"]) == ("replayed", record.key, b"\xff")
    assert not sent
    one = shop.dlq("list", "--handled", "yes", "--limit", "1")["dead_letters"][0]
    shown = shop.dlq("show", one["at"])
    assert shown["handled"][0]["topic"] == f"{shop.here.prefix}raw.replay"
    assert shown["original"]["value"]["properties"] == {"amount": 150.5, "email": "(pii, hidden)"}
    assert shop.dlq("show", one["id"], "--show-pii")["original"]["value"]["properties"]["email"].endswith(
        "@example.com"
    )


def _check_the_watch(shop: Shop) -> None:
    """The count of unhandled letters follows purge, its undoing and new letters, and a new watch counts the same."""
    watch = DeadLetterWatch(shop.settings())
    watch.turn()
    assert +watch.unhandled == Counter()
    shop.send([bought(1000, user_id=""), bought(1001, user_id=""), bought(1002, event="Brought")])
    missing, unknown = REASONS.index("missing_user") + 1, REASONS.index("unknown_event") + 1

    def seen() -> bool:
        watch.turn()
        return +watch.unhandled == Counter({missing: 2, unknown: 1})

    until(seen, "the watch to see three new letters", 20, lambda: watch.unhandled)
    assert shop.dlq("purge", "--reason", "missing_user", "--dry-run") == {"selected": 2, "purged": 0, "restored": 0}
    assert shop.dlq("purge", "--reason", "missing_user", code=2)["purged"] == 0
    assert shop.dlq("purge", "--reason", "missing_user", "--limit", "1", "--yes")["purged"] == 1
    watch.turn()
    assert +watch.unhandled == Counter({missing: 1, unknown: 1})
    assert shop.dlq("purge", "--undo", "--yes")["restored"] == 1
    assert len(shop.dlq("list", "--reason", "missing_user")["dead_letters"]) == 2
    watch.turn()
    fresh = DeadLetterWatch(shop.settings())
    fresh.turn()
    assert +watch.unhandled == +fresh.unhandled == Counter({missing: 2, unknown: 1})


def test_what_cannot_be_sent_holds_nobody_up(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Letters that the topic of replays does not take are counted and stay, those around them are sent."""
    shop = Shop(deployment(partitions=1), tmp_path)
    good = [(b"u", json.dumps(bought(number)).encode(), []) for number in range(5)]
    big = [("big", random.Random(1).randbytes(200_000))]
    heavy = [(b"u", json.dumps(bought(10 + number)).encode(), big) for number in range(2)]
    shop.here.produce("raw.backend", [*good[:2], heavy[0], *good[2:4], heavy[1], good[4]])
    until(lambda: len(shop.here.read("dead-letter")) == 7, "the letters", 60, shop.worker.tail)
    shop.plan(schema("Bought", {"name": "amount", "type": "double"}, EMAIL, version=2))
    shop.here.limit("raw.replay", 100_000)
    done = shop.dlq("replay", "--yes", "--wait", code=1)
    assert (done["sent"], done["unsendable"], done["came_right"]) == (5, 2, 5)
    assert ids_of(shop.here.read("raw.replay")) == Counter(f"e-{number}" for number in range(5))
    assert shop.handled() == 5
    assert "2 not sendable: raw.replay does not take the record" in shop.text("replay", "--yes", code=1)
    shop.here.create_topics()
    assert shop.dlq("replay", "--yes")["sent"] == 2


def test_a_patch_mends_a_field(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """What is sent is patched, what is not to be patched stays, and what is dead again says where it comes from."""
    shop = Shop(deployment(partitions=1), tmp_path)
    wrong = {"amount": "12", "email": "x@example.com"}
    shop.send([bought(1, properties=wrong), bought(2, properties=wrong), bought(3)])
    to_number = json.dumps([
        {"op": "test", "path": "/event_id", "value": "e-1"},
        {"op": "replace", "path": "/properties/amount", "value": 12},
    ])  # fmt: skip
    fixed = '[{"op": "replace", "path": "/properties/amount", "value": 13}]'
    looked = shop.dlq("patch", "--field", "amount", "--patch", to_number, "--dry-run")
    assert (looked["outcomes"], looked["unpatchable"]) == ({"valid": 1}, {"a test of the patch does not hold": 2})
    done = shop.dlq("patch", "0/", "--patch", to_number, "--yes", "--wait", code=1)
    assert (done["sent"], done["came_right"]) == (1, 1)
    [event] = shop.journal(schema("Bought", AMOUNT, EMAIL))
    assert (event["meta"]["event_id"], event["amount"], event["email"]) == ("e-1", 12, None)

    text = shop.text("patch", "--patch", fixed, code=2)
    assert '-    "amount": "12",' in text
    assert '+    "amount": 13,' in text
    assert "valid now" in text
    assert "@example.com" not in text
    forced = shop.dlq("replay", "--reason", "schema_violation", "--force", "--yes", "--wait", code=1)
    assert (forced["sent"], forced["came_right"], forced["dead_again"]) == (1, 0, {"schema_violation": 1})
    [again] = shop.dlq("list", "--reason", "schema_violation")["dead_letters"]
    assert again["attempts"] == 2
    shown = shop.dlq("show", again["at"])
    [first] = shown["replayed_from"]
    assert shop.dlq("show", first)["handled"][0]["dead_again"] == again["at"]
    assert shop.dlq("patch", again["at"], "--patch", fixed, "--yes", "--wait")["came_right"] == 1
    raw = {json.loads(record.value or b"")["event_id"]: record for record in shop.here.read("raw.backend")}
    events = {event["meta"]["event_id"]: event["meta"] for event in shop.journal(schema("Bought", AMOUNT, EMAIL))}
    assert events["e-2"]["received_at"] == raw["e-2"].timestamp
    assert int(time.time() * 1000) >= events["e-2"]["received_at"]

    # What became pii since is not in what was said before, nor on any form of the list.
    shop.plan(schema("Quoted", {"name": "amount", "type": ["null", "double"], "default": None, "pii": True}))
    letters = shop.dlq("list", "--handled", "any", "--reason", "schema_violation")["dead_letters"]
    assert {one["got"] for one in letters} == {"a value that is not shown (pii)"}
    assert 'string "12"' not in shop.text("list", "--handled", "any") + json.dumps(letters)
    assert '"12"' not in json.dumps(shop.dlq("show", again["at"]))
