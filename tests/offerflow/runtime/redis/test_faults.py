"""A Redis that is there and does not do its work: said why, nothing written, and the same batch taken afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
import redis
from prometheus_client import REGISTRY

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.faults import fault
from offerflow.runtime.redis.store import Apply, StateStore
from offerflow.runtime.settings import RedisSettings, Settings
from tests.redis_server import RedisServer, redis_server
from tests.waiting import until

BATCH = Apply(2, 0, 5, "t1", {"topic_id": "T"}, {"u:a": b"1"}, {"u:a": 9}, {"u:a": True})
ENDLESS = "while true do end"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


def _full(admin: redis.Redis) -> None:
    admin.config_set("maxmemory", "1")


def _roomy(admin: redis.Redis) -> None:
    admin.config_set("maxmemory", "0")


def _replica(admin: redis.Redis) -> None:
    admin.replicaof("127.0.0.1", "1")


def _primary(admin: redis.Redis) -> None:
    admin.replicaof("NO", "ONE")


def _lonely(admin: redis.Redis) -> None:
    admin.config_set("min-replicas-to-write", "1")


def _content(admin: redis.Redis) -> None:
    admin.config_set("min-replicas-to-write", "0")


def _busy(admin: redis.Redis) -> None:
    admin.config_set("busy-reply-threshold", "10")
    Thread(target=_hang, args=(admin.connection_pool.connection_kwargs["port"],), daemon=True).start()
    until(lambda: _says_busy(admin), "a script to keep it busy")


def _hang(port: int) -> None:
    with redis.Redis(port=port) as client, pytest.raises(redis.ResponseError):
        client.eval(ENDLESS, 0)


def _says_busy(admin: redis.Redis) -> bool:
    try:
        admin.ping()
    except redis.ResponseError as error:
        return str(error).startswith("BUSY")
    return False


def _idle(admin: redis.Redis) -> None:
    admin.script_kill()
    until(lambda: not _says_busy(admin), "the script to end")


def _locked(admin: redis.Redis) -> None:
    # A connection that is there already keeps the rights it has: the store's must ask anew.
    admin.acl_setuser("default", enabled=True, reset_keys=True, keys=["*"], commands=["+@all", "-@scripting", "-zadd"])


def _open(admin: redis.Redis) -> None:
    admin.acl_setuser("default", enabled=True, keys=["*"], commands=["+@all"])


FAULTS: dict[str, tuple[Callable[[redis.Redis], None], Callable[[redis.Redis], None]]] = {
    "memory": (_full, _roomy),
    "read_only": (_replica, _primary),
    "replication": (_lonely, _content),
    "busy": (_busy, _idle),
    "access": (_locked, _open),
}


@pytest.mark.broker
@pytest.mark.parametrize("why", FAULTS)
def test_a_fault_writes_nothing_and_ends(server: RedisServer, why: str) -> None:
    """The batch is refused before its first write, with a reason and what to do, so is a ping; once it is mended the
    same batch goes in, and once only."""
    breaks, mends = FAULTS[why]
    admin = server.client()
    admin.flushall()
    store = StateStore(Settings(redis=RedisSettings(url=server.url), topic_prefix="t."))
    before = REGISTRY.get_sample_value("offerflow_redis_errors_total", {"why": why}) or 0.0
    breaks(admin)
    try:
        for call in (lambda: store.apply([BATCH]), store.ping):
            with pytest.raises(RedisDown) as told:
                call()
            assert told.value.why == why
            assert f"127.0.0.1:{server.port}" in str(told.value)
    finally:
        mends(admin)
    assert REGISTRY.get_sample_value("offerflow_redis_errors_total", {"why": why}) == before + 2
    assert admin.dbsize() == 0
    store.ping()
    assert admin.dbsize() == 0
    assert store.apply([BATCH]) == {2: "ok"}
    assert store.apply([BATCH]) == {2: "done"}
    assert (store.states(2), store.timers(2), store.opened(2)) == ({"u:a": b"1"}, {"u:a": 9}, {"u:a"})
    assert store.meta(2).dirty is None
    store.close()


@pytest.mark.broker
def test_memory_is_told(server: RedisServer) -> None:
    """What is used, and the limit if there is one."""
    admin = server.client()
    store = StateStore(Settings(redis=RedisSettings(url=server.url), topic_prefix="t."))
    assert store.memory()[1] == 0
    admin.config_set("maxmemory", str(1 << 30))
    used, limit = store.memory()
    admin.config_set("maxmemory", "0")
    assert 0 < used < limit == 1 << 30
    store.close()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (redis.exceptions.BusyLoadingError("is loading the dataset in memory"), "loading"),
        (redis.ResponseError("MISCONF Redis is configured to save RDB snapshots, but it cannot"), "disk"),
        (
            redis.exceptions.MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
            "replication",
        ),
        (redis.exceptions.AuthenticationError("Authentication required."), "access"),
        (redis.exceptions.MovedError("3999 127.0.0.1:6381"), "cluster"),
        (redis.exceptions.ClusterDownError("The cluster is down"), "cluster"),
        (redis.ConnectionError("Connection refused"), "unreachable"),
        (redis.TimeoutError("Timeout reading from socket"), "unreachable"),
        (redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), "error"),
    ],
)
def test_what_is_not_easily_made(error: redis.RedisError, why: str) -> None:
    """Faults that a test cannot bring about at will have their reason too."""
    assert fault(error, "here").why == why


def test_a_command_of_a_pipeline_is_not_repeated() -> None:
    """The client puts the command before what Redis said of it; names of users are in it."""
    said = "Command # 1 (EVALSHA 0a 1 {of:t.journal:2}:meta u:secret) of pipeline caused error: OOM command not allowed"
    told = fault(redis.exceptions.OutOfMemoryError(said), "here")
    assert "secret" not in str(told)
    assert told.why == "memory"
