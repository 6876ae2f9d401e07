"""What is judged of stages, store, keys, webhooks, dead letters and the machine, without any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.doctor import keys, letters, machine, stages, store, webhooks
from console.doctor.letters import Letters
from console.doctor.stages import Lag
from console.keys.book import rfc3339
from console.state.standing import RULES, Stage, Standing
from offerflow.catalog.view import Catalog, Key
from offerflow.rules.durations import DAY, HOUR
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Committed, TopicInfo
from offerflow.runtime.settings import FuseSettings, KafkaSettings, LocalSettings, Settings
from offerflow.runtime.store.tables import METADATA, VERSION
from offerflow.runtime.webhooks.breaker import Breaker
from offerflow.runtime.webhooks.deliveries import Count
from offerflow.runtime.webhooks.endpoints import Endpoint
from schemas.seen import Snapshot, Watch
from tests.console.doctor.test_kafka import told, wrong

NOW = 1_790_000_000_000
SEEN = Standing(("of.journal", 0), TopicInfo("of.journal", "id", 1), Committed(5, ""), 0, 9, None, {}, None, None)


def test_a_refused_partition_is_bad_and_names_its_section() -> None:
    """The reason is that of a worker, the advice the section that the runbook has for it."""
    refused = replace(SEEN, offset_refusal=Refused("offset_foreign", "…"))
    found = stages.judge_claims(Stage(RULES, "of.rules", [], [SEEN, refused]))
    assert (found.verdict, found.do.rpartition("; ")[2]) == ("bad", "docs/runbook.md#offset_foreign")
    assert "1 of 2" in found.found
    assert stages.judge_claims(Stage(RULES, "of.rules", [], [SEEN])).verdict == "ok"


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        (Lag(("rules-1",), 0, 0, 0), {}),
        (Lag(("rules-1",), 500, 0, 0), {}),
        (Lag(("rules-1",), 500, 2, 0), {"rules-lag": "warn"}),
        (Lag(("rules-1",), 500, 2, 1), {"rules-lag": "bad"}),
        (Lag((), 0, 0, 0), {"rules-members": "warn"}),
        (Lag((), 7, 0, 0), {"rules-members": "bad"}),
    ],
)
def test_work_that_waits_is_judged_by_its_age(lag: Lag, expected: dict[str, str]) -> None:
    """However much there is; and by whether there is anybody to do it."""
    assert wrong(stages.judge_work(RULES, lag)) == expected


@pytest.mark.parametrize(
    ("lag", "verdict"),
    [
        (Lag((), 90, 8, 8, known=False), "ok"),
        (Lag((), 90, 8, 0), "warn"),
        (Lag((), 90, 8, 8), "bad"),
        (Lag((), 0, 0, 0), "warn"),
        (Lag(("history",), 90, 0, 0), "ok"),
        (Lag(("history",), 90, 8, 8), "bad"),
    ],
)
def test_a_program_that_never_ran_is_not_missed(lag: Lag, verdict: str) -> None:
    """One that did is."""
    assert stages.judge_reader(stages.HISTORY, lag).verdict == verdict


@pytest.mark.parametrize(
    ("watch", "enabled", "verdict"),
    [
        (Watch(), True, "ok"),
        (Watch(released=True), True, "ok"),
        (Watch(), False, "warn"),
        (Watch(held="all sources are bad"), True, "bad"),
    ],
)
def test_a_fuse_that_holds_is_bad(watch: Watch, enabled: bool, verdict: str) -> None:
    """That of a topic which nobody reads any more is not."""
    settings = Settings(fuse=FuseSettings(enabled=enabled))
    snapshots = {("of.raw.sdk", 0): Snapshot("id", 9, watch=watch)}
    assert stages.judge_fuse(settings, snapshots, {"of.raw.sdk"}).verdict == verdict
    assert stages.judge_fuse(Settings(), snapshots, set()).verdict == "ok"


def test_tables_are_those_that_programs_know() -> None:
    """Missing ones come with the next start; a missing column, or a version from the future, does not mend itself."""
    columns = {name: {column.name for column in table.columns} for name, table in METADATA.tables.items()}
    assert store.judge_tables(columns, VERSION).verdict == "ok"
    assert store.judge_tables({**columns, "other": {"x"}}, VERSION).verdict == "ok"
    assert store.judge_tables(columns, VERSION + 1).verdict == "bad"
    assert store.judge_tables({}, None).verdict == "warn"
    lacking = store.judge_tables({**columns, "webhook_endpoint": columns["webhook_endpoint"] - {"why"}}, VERSION)
    assert (lacking.verdict, lacking.found) == ("bad", "there is no webhook_endpoint.why")


@pytest.mark.parametrize(
    ("free", "total", "verdict"),
    [(50_000, 100_000, "ok"), (9_000, 100_000, "warn"), (900, 2_000, "warn"), (150, 300, "bad"), (900, 100_000, "bad")],
)
def test_a_disk_that_fills_is_told_in_time(free: int, total: int, verdict: str) -> None:
    """In MiB: by what is left, and by its share."""
    assert store.judge_disk(free << 20, total << 20, 1).verdict == verdict


def test_sqlite_wants_a_disk_of_one_machine() -> None:
    """Its log of writes does not work over a network, nor is a file shared by programs on several machines."""
    verdicts = [store.judge_place(Path("s.db"), system, wal=wal).verdict for wal, system in
                ((True, "ext4"), (True, ""), (False, "ext4"), (True, "nfs4"), (True, "fuse.sshfs"))]  # fmt: skip
    assert verdicts == ["ok", "ok", "warn", "bad", "bad"]
    assert store.judge_shared({"10.0.0.1", "10.0.0.2"}, sqlite=True).verdict == "bad"
    assert store.judge_shared({"10.0.0.1"}, sqlite=True).verdict == "ok"
    assert store.judge_shared({"10.0.0.1", "10.0.0.2"}, sqlite=False).verdict == "ok"


def _catalog(**given: Any) -> Catalog:
    catalog = Catalog({"source/app": {"id": "app", "origin": "sdk"}})
    key = Key("a" * 64, **{"source": "app", "created_at": rfc3339(NOW - 90 * DAY), **given})
    catalog.keys = {key.digest: key}
    return catalog


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"expires_at": NOW + 15 * DAY}, {}),
        ({"expires_at": NOW + 13 * DAY}, {"keys-ending": "warn"}),
        ({"expires_at": NOW + 2 * HOUR, "replaced_by": "b" * 12}, {}),
        ({"expires_at": NOW + 2 * HOUR, "replaced_by": "c" * 12}, {"keys-ending": "warn"}),
        ({"expires_at": NOW + 2 * HOUR, "replaced_by": "gone"}, {"keys-ending": "warn"}),
        ({"expires_at": NOW - HOUR}, {"keys-active": "warn"}),
        ({"source": "gone"}, {"keys-orphaned": "warn"}),
    ],
)
def test_keys_that_end_or_open_nothing_are_told(given: dict[str, Any], expected: dict[str, str]) -> None:
    """One that has been replaced only if its replacement is gone, one that has ended not at all."""
    catalog = _catalog(**given)
    catalog.keys = {
        **catalog.keys,
        "b" * 64: Key("b" * 64, "app"),
        "c" * 64: Key("c" * 64, "app", revoked_at=NOW - DAY, expires_at=NOW - DAY),
    } if given.get("replaced_by") else catalog.keys  # fmt: skip
    assert expected == wrong([
        keys.judge_active(catalog, NOW, sources=1, local=False), keys.judge_ending(catalog, NOW),
        keys.judge_orphaned(catalog, NOW), keys.judge_unused(catalog, {"a" * 12: NOW - DAY}, NOW),
    ])  # fmt: skip


def test_keys_that_nobody_uses_are_told() -> None:
    """By their last use, or by their age where there was none."""
    assert keys.judge_unused(_catalog(), {"a" * 12: NOW - 31 * DAY}, NOW).verdict == "warn"
    assert keys.judge_unused(_catalog(), {}, NOW).found.endswith("never")
    assert keys.judge_unused(_catalog(created_at=rfc3339(NOW - DAY)), {}, NOW).verdict == "ok"
    assert keys.judge_unused(_catalog(expires_at=NOW - 1), {}, NOW).verdict == "ok"


def test_the_key_of_a_local_stack_is_a_key() -> None:
    """Without any at all nobody can send by HTTP."""
    assert keys.judge_active(Catalog(), NOW, sources=0, local=True).verdict == "ok"
    assert "declare sources" in keys.judge_active(Catalog(), NOW, sources=0, local=False).do


@pytest.mark.parametrize(
    ("state", "breaker", "verdict"),
    [
        ("active", Breaker(), "ok"),
        ("active", Breaker(3, 0, 0, NOW - 5 * HOUR), "ok"),
        ("active", Breaker(12, 1, NOW + 5, NOW - HOUR // 2), "warn"),
        ("active", Breaker(99, 9, NOW + 5, NOW - 5 * HOUR), "bad"),
        ("paused", Breaker(), "warn"),
        ("disabled", Breaker(), "bad"),
    ],
)
def test_endpoints_that_get_nothing_are_told(state: str, breaker: Breaker, verdict: str) -> None:
    """Those that have failed for an hour are as bad as disabled ones."""
    one = Endpoint("crm", "https://a.b", (), state, "", NOW, breaker, ())
    assert webhooks.judge_states([one], NOW).verdict == verdict


def test_what_waits_long_or_was_given_up_is_told() -> None:
    """What waits since a moment ago is on its way."""
    waiting = {"crm": Count(5, 0, 1000), "erp": Count(9, 3, 2 * HOUR)}
    found = webhooks.judge_queues(waiting)
    assert found.found == "3 messages for erp were given up; 9 wait for erp, one for 2 h"
    assert webhooks.judge_queues({"crm": Count(5, 0, 1000)}).verdict == "ok"


@pytest.mark.parametrize(
    ("age", "verdict"), [(None, "ok"), (2 * HOUR, "ok"), (2 * DAY, "warn"), (28 * DAY, "bad"), (40 * DAY, "bad")]
)
def test_dead_letters_are_judged_by_the_oldest(age: int | None, verdict: str) -> None:
    """A day is time to look at them; after 27 they are about to be removed."""
    oldest = None if age is None else NOW - age
    assert letters.judge(Letters(4, oldest, True, 30 * DAY), NOW).verdict == verdict


def test_a_count_that_was_broken_off_is_no_count() -> None:
    """It is told as the least that there is."""
    assert letters.judge(Letters(4, NOW, False, None), NOW).found.startswith("at least 4")
    assert "could be looked at" in letters.judge(Letters(0, None, False, None), NOW).found


def test_the_machine_has_room_and_the_libraries_of_the_lock() -> None:
    """A lock may allow several versions, one for each of Python's."""
    assert machine.judge_files(1024, 10_000).verdict == "warn"
    assert machine.judge_files(11_000, 10_000).verdict == "ok"
    assert machine.judge_files(-1, 10_000).verdict == "ok"
    assert machine.judge_python("final", "3.12.1").verdict == "ok"
    assert machine.judge_python("candidate", "3.15.0rc1").verdict == "warn"
    pins = machine.pinned(
        "redis==8.1.0 \\\n    --hash=x\nscipy==1.17.1 ; python_full_version < '3.12'\nscipy==1.18.1\n"
    )
    assert pins == {"redis": {"8.1.0"}, "scipy": {"1.17.1", "1.18.1"}}
    assert machine.judge_libraries(pins, {"redis": "8.1.0", "scipy": "1.17.1"}).verdict == "ok"
    assert "redis 7.0.0 instead of 8.1.0" in machine.judge_libraries(pins, {"redis": "7.0.0"}).found
    assert machine.judge_libraries({}, {"redis": "7.0.0"}).verdict == "ok"


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({}, "ok"),
        ({"topic_prefix": "shop-"}, "ok"),
        ({"topic_prefix": "shop"}, "warn"),
        ({"topic_prefix": ""}, "warn"),
        ({"local": LocalSettings(server_key="sk_x")}, "ok"),
        ({"local": LocalSettings(server_key="sk_x"), "kafka": KafkaSettings(bootstrap_servers="10.0.0.1:9092")},
         "warn"),
    ],
)  # fmt: skip
def test_settings_that_are_most_likely_mistakes_are_told(given: dict[str, Any], verdict: str) -> None:
    """Each of them works, and surprises somebody later."""
    assert machine.judge_settings(Settings(**given)).verdict == verdict


def test_a_finding_of_many_names_a_few() -> None:
    """And says how many more there are."""
    wrongs: list[tuple[Any, str]] = [("warn", str(number)) for number in range(9)]
    found = machine.SETTINGS.worst([*wrongs, ("bad", "9")], "well", "do")
    assert (found.verdict, found.found) == ("bad", "0; 1; 2; 3; and 6 more")
    assert told([machine.SETTINGS.worst([], "well", "do")], "settings").found == "well"
