"""Redis: whether it answers, keeps what it is given, has room, and can be restored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from console.doctor.finding import Check, Finding, days, size
from offerflow.runtime.addresses import public_address
from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.server import ServerReader
from offerflow.runtime.redis.store import BUCKETS
from offerflow.runtime.settings import Settings

AREA = "Redis"
Info = Mapping[str, Any]
OLDEST = (6, 2)
DAY_S = 24 * 3600
START_S = 5
"""Times of a server's start differ by rounding, and by what lies between its clock and ours."""
SLACK_S = 2 * 3600
"""A daily save is not made to the second."""
MOST_BUCKETS = 32_768
"""Asked for at most, so that a journal of thousands of partitions keeps Redis no longer than one of eight."""
WORTH_COMPARING = 200
"""States per partition on average; below, chance alone makes some of them large."""

REACHABLE = Check("redis-reachable", AREA, "an answer within 4 s")
VERSION = Check("redis-version", AREA, f"Valkey, or Redis {'.'.join(map(str, OLDEST))} or newer")
READY = Check("redis-loaded", AREA, "its data is loaded")
ROLE = Check("redis-role", AREA, "a primary that takes writes")
EVICTION = Check("redis-eviction", AREA, "maxmemory-policy noeviction, and nothing was evicted")
MEMORY = Check("redis-memory", AREA, "at most 75 % of maxmemory, or of the machine's memory, in use")
APPENDS = Check("redis-append-only", AREA, "appendonly yes, appendfsync everysec or always")
WRITES = Check("redis-disk", AREA, "the last writes to its disk went well")
SAVED = Check("redis-saved", AREA, "an RDB file each day")
CLUSTER = Check("redis-cluster", AREA, "no cluster mode, or one node that serves all slots")
CLOCK = Check("redis-clock", AREA, "its clock and this machine's within 2 s of each other")
SKEW = Check("redis-skew", AREA, "no partition with over three times the states of the average one")
SERVER = (VERSION, READY, ROLE, EVICTION, MEMORY, APPENDS, WRITES, SAVED)

_CONFIG = "redis-cli CONFIG SET {}, and in its configuration file"


def reach(settings: Settings) -> Iterator[Finding]:
    with closing(ServerReader(settings)) as server:
        try:
            info = server.info()
        except RedisDown as error:
            yield REACHABLE.bad(str(error), f"docs/runbook.md#redis ({error.why})")
            return
    where, age_s = public_address(settings.redis.url), _number(info, "uptime_in_seconds")
    yield REACHABLE.ok(f"{where}, up for {days(age_s * 1000)}")


def look_server(settings: Settings) -> Iterator[Finding]:
    with closing(ServerReader(settings)) as server:
        yield from judge_server(server.info(), server.option("appendfsync"), time.time())


def look_cluster(settings: Settings) -> Iterator[Finding]:
    with closing(ServerReader(settings)) as server:
        yield judge_cluster(server.cluster() if server.info().get("cluster_enabled") else None)


def look_clock(settings: Settings) -> Iterator[Finding]:
    with closing(ServerReader(settings)) as server:
        server.clock()  # the first question makes the connection as well
        before = time.time()
        clock, after = server.clock(), time.time()
    yield judge_clock(clock - (before + after) / 2, (after - before) / 2)


def look_skew(settings: Settings) -> Iterator[Finding]:
    buckets = max(1, min(BUCKETS, MOST_BUCKETS // settings.partitions))
    with closing(ServerReader(settings)) as server:
        yield judge_skew(server.sizes(range(settings.partitions), buckets), BUCKETS / buckets)


def judge_server(info: Info, fsync: str | None, now: float) -> Iterator[Finding]:
    """What INFO says, and the option appendfsync; None where it may not be asked for."""
    yield _version(info)
    if _number(info, "loading"):
        yield READY.warn("it is loading its data from disk; workers wait", "wait; it answers by itself")
    else:
        yield READY.ok("loaded")
    yield _role(info)
    yield _eviction(info)
    yield _memory(info)
    yield _append_only(info, fsync)
    yield _writes(info)
    yield _saved(info, now)


def _version(info: Info) -> Finding:
    if "valkey_version" in info:
        return VERSION.ok(f"Valkey {info['valkey_version']}")
    told = str(info.get("redis_version", ""))
    parts = tuple(int(part) for part in told.split(".")[:2] if part.isdigit())
    if len(parts) < 2:
        return VERSION.unknown("it does not tell its version")
    if parts < OLDEST:
        return VERSION.warn(f"Redis {told}", "upgrade it: nothing as old is tested with offerflow")
    return VERSION.ok(f"Redis {told}")


def _role(info: Info) -> Finding:
    if info.get("role") in ("slave", "replica"):
        takes = "and takes no writes" if _number(info, "slave_read_only", 1) else "though one that takes writes"
        return ROLE.bad(
            f"a replica of {info.get('master_host', 'another')}, {takes}",
            "point OFFERFLOW_REDIS__URL at the primary, or finish the fail-over",
        )
    return ROLE.ok(f"primary with {_number(info, 'connected_slaves')} replicas")


def _eviction(info: Info) -> Finding:
    policy, evicted = info.get("maxmemory_policy"), _number(info, "evicted_keys")
    set_it = _CONFIG.format("maxmemory-policy noeviction")
    if policy is None:
        return EVICTION.unknown("it does not tell its maxmemory-policy", f"make sure that it is noeviction ({set_it})")
    if str(policy).startswith("allkeys"):
        more = f"; {evicted:,} keys were evicted since it started" if evicted else ""
        verify = "; then `offerflow verify --state`, and `offerflow state rebuild` for what differs" if evicted else ""
        return EVICTION.bad(f"{policy}: full, it throws states of users away{more}", set_it + verify)
    if policy != "noeviction":
        return EVICTION.warn(f"{policy}: it spares what has no TTL, as states have none", set_it)
    if evicted:
        return EVICTION.warn(
            f"noeviction now, but {evicted:,} keys were evicted since it started: states may be among them",
            "`offerflow verify --state`, and `offerflow state rebuild` for what differs; the count goes with its"
            " next start, or with `redis-cli CONFIG RESETSTAT`",
        )
    return EVICTION.ok("noeviction")


def _memory(info: Info) -> Finding:
    used, most, machine = (_number(info, name) for name in ("used_memory", "maxmemory", "total_system_memory"))
    limit, what = most, "maxmemory"
    if machine and not most:
        limit, what = machine, "the machine's memory (maxmemory is not set)"
    elif machine and machine < most:
        limit, what = machine, f"the machine's memory (maxmemory is {size(most)}, more than there is)"
    if not limit:
        return MEMORY.unknown(f"{size(used)} in use; it does not tell of how much")
    share = used / limit
    found = f"{size(used)}, {share:.0%} of {what}"
    do = "give it more memory, or find what else is in it: full, it takes no writes and the rules wait"
    if share > 0.9:
        return MEMORY.bad(found, do)
    return MEMORY.warn(found, do) if share > 0.75 else MEMORY.ok(found)


def _append_only(info: Info, fsync: str | None) -> Finding:
    if not _number(info, "aof_enabled"):
        return APPENDS.warn(
            "appendonly no: a restart loses what came since the last save, to be folded again from the journal",
            _CONFIG.format("appendonly yes"),
        )
    if fsync == "no":
        return APPENDS.warn("appendfsync no: a power loss may lose minutes", _CONFIG.format("appendfsync everysec"))
    return APPENDS.ok(f"appendonly yes, appendfsync {fsync or 'not told'}")


def _writes(info: Info) -> Finding:
    names = ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
    failed = [name for name in names if info.get(name, "ok") != "ok"]
    if failed:
        return WRITES.bad(f"{', '.join(failed)}: err", "look at its log and its disk (docs/runbook.md#redis, disk)")
    return WRITES.ok("ok")


def _saved(info: Info, now: float) -> Finding:
    at = _number(info, "rdb_last_save_time")
    if not at:
        return SAVED.unknown("it does not tell when it saved last", "docs/backups.md, Taking one")
    age = max(0.0, now - at)
    none = never_saved(info, now)
    found = f"none since it started, {days(age * 1000)} ago" if none else f"the last one is {days(age * 1000)} old"
    if age > DAY_S + SLACK_S:
        return SAVED.warn(
            found, "`redis-cli BGSAVE` each day and keep the file (docs/backups.md, Taking one); if copies are taken"
            " of a replica or by the host, all is well",
        )  # fmt: skip
    return SAVED.ok(found)


def never_saved(info: Info, now: float) -> bool:
    """Whether no RDB file was written since the server started, for which it then tells the time of its start. Older
    ones do not count them. ``now``: in seconds since 1970, where the server does not tell its own."""
    saves = info.get("rdb_saves")
    if saves is not None:
        return int(saves) == 0
    clock = _number(info, "server_time_usec") / 1e6 or now
    started = clock - _number(info, "uptime_in_seconds")
    return _number(info, "rdb_last_save_time") <= started + START_S


def judge_cluster(cluster: Mapping[str, str] | None) -> Finding:
    """What CLUSTER INFO says; None without cluster mode."""
    if cluster is None:
        return CLUSTER.ok("no cluster mode")
    state, nodes = cluster.get("cluster_state"), int(cluster.get("cluster_size", 0))
    if state != "ok":
        return CLUSTER.bad(f"the cluster says {state}", "mend the cluster (`redis-cli CLUSTER INFO`)")
    if nodes > 1:
        return CLUSTER.bad(
            f"slots lie on {nodes} nodes, and programs speak to one alone",
            "give OFFERFLOW_REDIS__URL a Redis without cluster mode, or one node that serves all slots",
        )
    return CLUSTER.ok("one node serves all slots")


def judge_clock(ahead_s: float, unsure_s: float) -> Finding:
    """``unsure_s``: half the time that the question took."""
    off = max(0.0, abs(ahead_s) - unsure_s)
    which = "ahead of" if ahead_s > 0 else "behind"
    found = f"its clock is {which} this machine's by {days(off * 1000)}"
    do = "have all machines keep their clocks by NTP: windows, expiry and late events are judged by them"
    if off > 60:
        return CLOCK.bad(found, do)
    return CLOCK.warn(found, do) if off > 2 else CLOCK.ok("the same, as far as the way there lets one tell")


def judge_skew(sizes: Mapping[int, int], scale: float) -> Finding:
    """``scale``: how many times as many states there are as were counted."""
    total, mean = sum(sizes.values()), sum(sizes.values()) / max(1, len(sizes))
    found = f"{round(total * scale):,} states in {len(sizes)} partitions"
    if mean >= WORTH_COMPARING and max(sizes.values()) > 3 * mean:
        number = max(sizes, key=lambda partition: sizes[partition])
        return SKEW.warn(
            f"{found}; partition {number} has {sizes[number] / mean:.1f} times the average",
            "look at the user ids: many of one form, or one partition that was folded from elsewhere",
        )
    return SKEW.ok(found)


def _number(info: Info, name: str, default: int = 0) -> int:
    value = info.get(name)
    return default if value is None else int(value)
