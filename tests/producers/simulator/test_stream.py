"""The simulator's stream: the same for the same options, in the right shares, with every kind of broken record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

from producers.simulator.broken import KINDS
from producers.simulator.event import Sent
from producers.simulator.journey import DAY
from producers.simulator.lives import LONGEST, arm_of, live
from producers.simulator.stream import Options, Stream

ROOT = Path(__file__).parents[3]
START = 1_772_000_000_000


def sent(**options: object) -> list[Sent]:
    given = {"users": 60, "seed": 1, "start": START, "broken": 0.02, "repeated": 0.03, **options}
    return [record for wave in Stream(Options(**given)).waves() for record in wave]  # type: ignore[arg-type]


def test_same_options_same_bytes() -> None:
    """Two runs agree byte for byte; another seed or start time gives others."""
    assert sent() == sent()
    assert sent(seed=2) != sent()
    assert sent(start=START + 1000) != sent()


def test_the_stream_does_not_depend_on_the_process() -> None:
    """Another process with other hash values makes the same bytes: no order of a set, no clock."""
    code = "from tests.producers.simulator.test_stream import sent; print(repr(sent(users=20)))"
    found = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] == repr(sent(users=20)) + "\n"


def test_a_person_is_the_same_whoever_else_there_is() -> None:
    """Journeys depend on seed, number and start alone, so more users never change the first ones."""
    few = {record.value for record in sent(users=5, broken=0.0, repeated=0.0)}
    many = {record.value for record in sent(users=50, broken=0.0, repeated=0.0)}
    assert few < many


def test_shares_of_broken_and_repeated_records() -> None:
    """2% broken and 3% repeated of all records, to within one percent of the share."""
    records = sent(users=2000)
    broken = sum(record.what not in ("good", "repeated") for record in records)
    repeated = sum(record.what == "repeated" for record in records)
    assert abs(broken / len(records) - 0.02) < 0.0002
    assert abs(repeated / len(records) - 0.03) < 0.0003


def test_every_kind_is_there_however_short_the_run() -> None:
    """A run with any broken records has each kind at least once, for every reason there is."""
    assert {record.what for record in sent(users=15)} >= {kind.name for kind in KINDS}
    assert {kind.reason for kind in KINDS} == {
        "too_large", "undecodable", "unknown_schema", "unknown_source", "unknown_event", "origin_forbidden",
        "missing_user", "clock_skew", "schema_violation", "rule_of_plan_violation", "duplicate_conflict",
    }  # fmt: skip


def test_no_broken_records_unless_asked() -> None:
    """A share of nothing is nothing."""
    assert {record.what for record in sent(broken=0.0, repeated=0.0)} == {"good"}


def test_repeats_follow_their_original_byte_for_byte() -> None:
    """A repeat has the channel, key and bytes of a good record before it, and an id of its own to be known by."""
    seen: set[tuple[str, bytes | None, bytes | None]] = set()
    for record in sent(users=300):
        what = (record.channel, record.key, record.value)
        if record.what == "good":
            seen.add(what)
        elif record.what == "repeated":
            assert what in seen
            assert json.loads(record.value or b"")["event_id"]


def test_a_conflict_follows_the_event_whose_id_it_takes() -> None:
    """Same user, type and id, other properties, later on the same channel."""
    lessons = {}
    conflicts = 0
    for record in sent(users=300):
        if record.what == "good" and b"Lesson Completed" in (record.value or b""):
            event = json.loads(record.value or b"")
            lessons[event.get("event_id")] = (record.channel, record.key, event["properties"])
        elif record.what == "conflict":
            event = json.loads(record.value or b"")
            channel, key, properties = lessons[event["event_id"]]
            assert (channel, key) == (record.channel, record.key)
            assert properties != event["properties"]
            conflicts += 1
    assert conflicts


def test_waves_keep_every_users_order_across_channels() -> None:
    """Within a wave a user is on one channel, and times of a user never go back: decisions do not depend on luck."""
    times: dict[bytes | None, int] = defaultdict(int)
    for wave in Stream(Options(300, 1, START, 0.0, 0.0, cohort=100)).waves():
        channels = defaultdict(set)
        for record in wave:
            channels[record.key].add(record.channel)
        assert all(len(found) == 1 for found in channels.values())
    for number in range(300):
        person = live(1, number, START)
        order = [event.time for stage in person.stages for event in stage]
        assert order == sorted(order)
        assert order[-1] < START + LONGEST
        times[b""] = max(times[b""], order[-1])
    assert times[b""] > START + 60 * DAY


def test_people_are_moved_by_what_they_are_promised() -> None:
    """Of the holdout of the demo's test between activations fewer people activate than of those who are offered
    something, most for an order; arms have the shares that the workspace gives them."""
    activations = {"Lesson Completed", "LessonCompleted", "Purchase Completed", "Order Completed",
                   "Subscription Started"}  # fmt: skip
    people = [person for n in range(2000) if (person := live(1, n, START)).user_id]
    rates = {}
    for arm, share in {"holdout": 0.1, "learn": 0.45, "buy": 0.225, "subscribe": 0.225}.items():
        mine = [person for person in people if arm_of(str(person.user_id)) == arm]
        assert abs(len(mine) / len(people) - share) < 0.03
        done = [person for person in mine if activations & {e.name for stage in person.stages for e in stage}]
        rates[arm] = len(done) / len(mine)
    assert rates["holdout"] < rates["subscribe"] < rates["learn"] < rates["buy"]


def test_users_without_end() -> None:
    """Trickle: the stream goes on, and its clock sets the times."""
    stream = Stream(Options(None, 1, START, cohort=10, clock=lambda number: START + number * 200))
    records = [record for wave in islice(stream.waves(), 40) for record in wave]
    events = [json.loads(record.value or b"") for record in records]
    whole = [event["time"] for event in events if isinstance(event["time"], int)]
    assert whole == sorted(whole)
    assert len({event.get("user_id") for event in events}) > 30


def test_all_front_end_back_end_and_integration() -> None:
    """Every channel is used, front-end events on raw.sdk most of all."""
    counts = Counter(record.channel for record in sent(users=300, broken=0.0))
    assert set(counts) == {"raw.sdk", "raw.backend", "raw.integration"}
    assert counts["raw.sdk"] > counts["raw.backend"] > counts["raw.integration"]
