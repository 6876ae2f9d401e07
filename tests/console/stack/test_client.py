"""How commands reach a stack, without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.stack import stopping
from console.stack.client import connect, own_pid
from console.stack.files import Identity, ProgramState, StackFiles, State
from offerflow.runtime.errors import DependencyDown


@pytest.fixture(autouse=True)
def _no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OFFERFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """A stack whose supervisor once wrote down what it did."""
    files = StackFiles.find(tmp_path)
    files.make()
    files.write(Identity(api_key="sk_1"))
    files.write(State(1, "running", "", "127.0.0.1:20001", "redis://127.0.0.1:20002/0", "mine.", 4))
    return files


def test_a_running_stack_is_reached_as_it_was_started(files: StackFiles) -> None:
    """Addresses, prefix, partitions and key are the stack's, not the defaults."""
    with files.lock(to_supervise=True):
        settings = connect(files)
    assert (settings.kafka.bootstrap_servers, settings.redis.url) == ("127.0.0.1:20001", "redis://127.0.0.1:20002/0")
    assert (settings.topic_prefix, settings.partitions) == ("mine.", 4)
    assert settings.local.server_key is not None
    assert settings.local.server_key.get_secret_value() == "sk_1"


def test_a_stack_has_a_store_of_its_own_and_webhooks_that_reach_this_machine(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the user names others, each by itself."""
    with files.lock(to_supervise=True):
        settings = connect(files)
        assert settings.store.url.get_secret_value() == f"sqlite:///{files.root}/store.db"
        assert (settings.webhooks.allow_networks, settings.webhooks.allow_http) == ("127.0.0.0/8,::1/128", True)
        monkeypatch.setenv("OFFERFLOW_STORE__URL", "sqlite:///elsewhere.db")
        monkeypatch.setenv("OFFERFLOW_WEBHOOKS__ALLOW_NETWORKS", "10.0.0.0/8")
        settings = connect(files)
    assert settings.store.url.get_secret_value() == "sqlite:///elsewhere.db"
    assert (settings.webhooks.allow_networks, settings.webhooks.allow_http) == ("10.0.0.0/8", True)


def test_the_environment_wins_over_the_stack(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named is taken, and what goes with it stays: only the rest comes from the stack."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("OFFERFLOW_KAFKA__EXTRA__SECURITY_PROTOCOL", "SSL")
    with files.lock(to_supervise=True):
        settings = connect(files)
    assert settings.kafka.properties() == {"bootstrap.servers": "kafka:9092", "security.protocol": "SSL"}
    assert settings.redis.url == "redis://127.0.0.1:20002/0"


def test_without_a_stack_a_command_says_how_to_start_one(files: StackFiles) -> None:
    """What a stopped stack left on disk is not taken for a running one."""
    with pytest.raises(DependencyDown, match="offerflow up --detach"):
        connect(files)


def test_without_a_stack_a_named_kafka_is_enough(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against services of one's own no stack is needed at all."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    assert connect(files).kafka.bootstrap_servers == "kafka:9092"


def test_an_old_pid_is_never_signalled(files: StackFiles) -> None:
    """After a power loss the pid in the lock file may be anybody's, here this test's: nobody is hurt."""
    (files.root / "supervisor.lock").write_text(str(os.getpid()))
    assert stopping.stop(files) is False


def test_a_dead_program_has_no_pid() -> None:
    """A pid is told only while its process runs, though the supervisor may not have noticed yet."""
    assert own_pid(ProgramState("rules-1", os.getpid(), 0, "log")) == os.getpid()
    assert own_pid(ProgramState("rules-1", 2**22 + 1, 0, "log")) is None
    assert own_pid(ProgramState("rules-1", None, 0, "log")) is None
