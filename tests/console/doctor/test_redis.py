"""What is judged of Redis and of the journal against it, without either."""

from __future__ import annotations

from typing import Any

import pytest

from console.doctor import journal, redis_server
from console.doctor.journal import DAY_MS, Journal
from tests.console.doctor.test_kafka import told, wrong

NOW = 1_790_000_000.0
GIB = 1024**3
GOOD: dict[str, Any] = {
    "valkey_version": "9.1.2", "redis_version": "7.2.4", "loading": 0, "role": "master", "connected_slaves": 1,
    "maxmemory_policy": "noeviction", "evicted_keys": 0, "used_memory": GIB, "maxmemory": 4 * GIB, "aof_enabled": 1,
    "rdb_last_bgsave_status": "ok", "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
    "rdb_last_save_time": int(NOW) - 3600, "rdb_saves": 3, "uptime_in_seconds": 99,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"valkey_version": None, "redis_version": "6.2.1"}, {}),
        ({"loading": 1}, {"redis-loaded": "warn"}),
        ({"role": "slave", "slave_read_only": 1, "master_host": "10.0.0.1"}, {"redis-role": "bad"}),
        ({"maxmemory_policy": "allkeys-lru"}, {"redis-eviction": "bad"}),
        ({"maxmemory_policy": "volatile-ttl"}, {"redis-eviction": "warn"}),
        ({"maxmemory_policy": None}, {"redis-eviction": "unknown"}),
        ({"evicted_keys": 12}, {"redis-eviction": "warn"}),
        ({"used_memory": int(3.2 * GIB)}, {"redis-memory": "warn"}),
        ({"used_memory": int(3.9 * GIB)}, {"redis-memory": "bad"}),
        ({"maxmemory": 0, "total_system_memory": int(1.2 * GIB)}, {"redis-memory": "warn"}),
        ({"maxmemory": 0, "total_system_memory": 9 * GIB}, {}),
        ({"maxmemory": 64 * GIB, "total_system_memory": int(1.01 * GIB)}, {"redis-memory": "bad"}),
        ({"total_system_memory": 64 * GIB}, {}),
        ({"maxmemory": 0}, {"redis-memory": "unknown"}),
        ({"aof_enabled": 0}, {"redis-append-only": "warn"}),
        ({"rdb_last_bgsave_status": "err"}, {"redis-disk": "bad"}),
        ({"aof_last_write_status": "err"}, {"redis-disk": "bad"}),
        ({"rdb_last_save_time": int(NOW) - 25 * 3600}, {}),
        ({"rdb_last_save_time": int(NOW) - 27 * 3600}, {"redis-saved": "warn"}),
        ({"rdb_last_save_time": 0}, {"redis-saved": "unknown"}),
    ],
)
def test_each_deviation_turns_its_own_check(changed: dict[str, Any], expected: dict[str, str]) -> None:
    """And says what to do about it."""
    info = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    found = list(redis_server.judge_server(info, "everysec", NOW))
    assert wrong(found) == expected
    assert all(told(found, name).do for name, verdict in expected.items() if verdict != "unknown")


@pytest.mark.parametrize(
    ("server", "verdict"), [("5.0.14", "warn"), ("6.2.0", "ok"), ("8.0.1", "ok"), ("", "unknown"), ("x", "unknown")]
)
def test_an_old_redis_is_told(server: str, verdict: str) -> None:
    """A name that is no version cannot be judged."""
    info = {name: value for name, value in GOOD.items() if name != "valkey_version"} | {"redis_version": server}
    assert told(redis_server.judge_server(info, None, NOW), "redis-version").verdict == verdict


def test_what_was_evicted_is_counted_and_to_be_verified() -> None:
    """States may be gone already, which a change of the policy does not mend."""
    for policy in ("allkeys-lfu", "noeviction"):
        info = {**GOOD, "maxmemory_policy": policy, "evicted_keys": 12}
        found = told(redis_server.judge_server(info, "everysec", NOW), "redis-eviction")
        assert "12 keys were evicted" in found.found
        assert "offerflow verify --state" in found.do


def test_an_append_only_file_that_is_never_synced_is_told() -> None:
    """One whose option may not be asked for is left alone."""
    for fsync, verdict in (("no", "warn"), ("always", "ok"), (None, "ok")):
        found = told(redis_server.judge_server(GOOD, fsync, NOW), "redis-append-only")
        assert found.verdict == verdict


def test_a_server_that_never_saved_is_not_said_to_have() -> None:
    """It tells its start as the time of its last save; an old one does not count its saves."""
    start = {**GOOD, "rdb_last_save_time": int(NOW) - 3 * 86400, "uptime_in_seconds": 3 * 86400}
    uncounted = {name: value for name, value in start.items() if name != "rdb_saves"}
    now = round(NOW * 1000)
    for info in (
        {**start, "rdb_saves": 0}, uncounted,
        {**uncounted, "server_time_usec": int(NOW - 70) * 1_000_000, "rdb_last_save_time": int(NOW) - 70 - 3 * 86400},
    ):  # fmt: skip
        found = told(redis_server.judge_server(info, "everysec", NOW), "redis-saved")
        assert (found.verdict, found.found) == ("warn", "none since it started, 3 d ago")
        assert journal.saved_at(info, now) is None
    saved = {**uncounted, "rdb_last_save_time": int(NOW) - 3600}
    assert told(redis_server.judge_server(saved, "everysec", NOW), "redis-saved").found == "the last one is 60 min old"
    assert journal.saved_at(saved, now) == journal.saved_at(GOOD, now) == GOOD["rdb_last_save_time"] * 1000


@pytest.mark.parametrize(
    ("cluster", "verdict"),
    [
        (None, "ok"),
        ({"cluster_state": "ok", "cluster_size": "1"}, "ok"),
        ({"cluster_state": "ok", "cluster_size": "3"}, "bad"),
        ({"cluster_state": "fail", "cluster_size": "1"}, "bad"),
    ],
)
def test_a_cluster_is_right_where_one_node_has_all(cluster: dict[str, str] | None, verdict: str) -> None:
    """Programs speak to the one node that they are told."""
    assert redis_server.judge_cluster(cluster).verdict == verdict


@pytest.mark.parametrize(
    ("ahead", "unsure", "verdict"),
    [(0.5, 0, "ok"), (-5, 0, "warn"), (5, 4, "ok"), (70, 1, "bad"), (-70, 1, "bad")],
)
def test_clocks_are_compared_as_far_as_the_way_allows(ahead: float, unsure: float, verdict: str) -> None:
    """A slow answer proves less."""
    assert redis_server.judge_clock(ahead, unsure).verdict == verdict


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [
        ({0: 0, 1: 0}, "ok"),
        ({0: 500, 1: 480, 2: 520, 3: 510}, "ok"),
        ({0: 9000, 1: 10, 2: 10, 3: 10, 4: 10}, "warn"),
        ({0: 90, 1: 1, 2: 1, 3: 1, 4: 1}, "ok"),
    ],
)
def test_one_partition_that_has_it_all_is_told(sizes: dict[int, int], verdict: str) -> None:
    """Unless there are so few states that chance explains it."""
    assert redis_server.judge_skew(sizes, 1).verdict == verdict


@pytest.mark.parametrize(
    ("positions", "retention", "ending", "saved", "passed", "expected"),
    [
        # It begins at 0 and nothing goes soon: no copy is needed.
        ({0: (0, 0), 1: (0, 90)}, 400, 0, None, 0, {}),
        # Its beginning goes soon, or is gone.
        ({0: (0, 90)}, 400, 1, None, 0, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, 400, 1, None, 0, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, 400, 1, 3, 0, {}),
        ({0: (10, 90)}, 400, 1, 390, 0, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, 400, 1, 399.5, 0, {"journal-covers-copy": "bad"}),
        ({0: (10, 90)}, 400, 1, 500, 0, {"journal-covers-copy": "bad"}),
        # It keeps what it has, which is not everything.
        ({0: (0, 90)}, None, 0, None, 0, {}),
        ({0: (10, 90)}, None, 0, None, 0, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, None, 0, 500, 0, {}),
        # Cut past the last save, by size or by hand.
        ({0: (10, 90)}, 400, 1, 3, 1, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, None, 0, 3, 1, {"journal-covers-copy": "warn"}),
        ({0: (10, 90)}, 400, 1, 500, 1, {"journal-covers-copy": "bad"}),
        # What Redis lacks is gone from the journal.
        ({0: (0, 5), 1: (10, 9)}, None, 0, 3, 0, {"journal-reaches-redis": "bad"}),
    ],
)
def test_the_journal_reaches_what_redis_could_be_restored_from(
    positions: dict[int, tuple[int, int]], retention: float | None, ending: int, saved: float | None, passed: int,
    expected: dict[str, str],
) -> None:  # fmt: skip
    """``retention`` and ``saved`` in days: how long it keeps, and how old the last save is; ``passed``: partitions
    without anything from before that."""
    now = round(NOW * 1000)
    found = list(journal.judge(
        Journal(positions, None if retention is None else round(retention * DAY_MS), ending,
                None if saved is None else now - round(saved * DAY_MS), passed),
        now,
    ))  # fmt: skip
    assert wrong(found) == expected
    assert len(found) == len(journal.CHECKS)
