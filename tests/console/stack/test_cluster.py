"""How many brokers a stack has and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.stack import client, cluster
from console.stack.files import Identity, StackFiles, Wanted
from offerflow.runtime.errors import ConfigError


def properties(brokers: int) -> dict[str, str]:
    nodes = cluster.nodes(Identity("sk", brokers=brokers), proxied=False)
    return dict(line.split("=") for line in cluster.properties(nodes).split())


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")]
)
def test_copies_follow_the_brokers(brokers: int, replicas: str, in_sync: str) -> None:
    """Three copies of everything where there are three brokers, of which two must have a write; bookkeeping too."""
    said = properties(brokers)
    assert {value for name, value in said.items() if name.endswith("replication.factor")} == {replicas}
    assert {value for name, value in said.items() if name.endswith(("min.isr", "insync.replicas"))} == {in_sync}
    assert said["offsets.topic.num.partitions"] == str(brokers)
    assert said["controller.quorum.voters"].count("@") == brokers


def test_one_broker_is_called_as_ever() -> None:
    """The name is also that of its folder, so a stack made before there were several finds its data."""
    assert cluster.names(1) == ["kafka"]
    assert cluster.names(3) == ["kafka-1", "kafka-2", "kafka-3"]


def test_ports_are_kept_and_all_different() -> None:
    """Each broker has two, and two more where a proxy is to stand before it; asked again they are the same."""
    identity = Identity("sk", brokers=3)
    first = cluster.nodes(identity, proxied=True)
    assert cluster.nodes(identity, proxied=True) == first
    assert len(set(identity.ports.values())) == 12
    assert [node.number for node in first] == [1, 2, 3]
    assert [node.proxied for node in cluster.nodes(identity, proxied=False)] == [None] * 3


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    """A stack of three brokers that is not running; asking for it starts nothing."""
    monkeypatch.delenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(client, "_spawn", lambda files, with_parent: None)
    made = StackFiles.find(tmp_path)
    made.make()
    made.write(Identity("sk", brokers=3))
    data = made.broker("kafka-2") / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").touch()
    return made


def test_the_number_is_fixed_by_the_data(files: StackFiles) -> None:
    """Another number is refused, with what to do; the same one, or none, keeps what there is."""
    for brokers in (None, 3):
        wanted, _ = client.start(files, brokers=brokers)
        assert wanted.brokers == 3
    with pytest.raises(ConfigError, match=r"has 3 brokers, which its data fixes; --brokers 1 needs .*down --purge"):
        client.start(files, brokers=1)
    (files.broker("kafka-2") / "data" / "meta.properties").unlink()
    assert client.start(files, brokers=1)[0].brokers == 1


def test_a_running_stack_keeps_its_brokers(files: StackFiles) -> None:
    """Also while its first data is only being made."""
    files.write(Wanted(1, brokers=2))
    with files.lock(to_supervise=True):
        assert client.start(files)[0].brokers == 2
        with pytest.raises(ConfigError, match="has 2 brokers"):
            client.start(files, brokers=3)


def test_brokers_of_a_kafka_of_ones_own_are_not_ours_to_number(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for both is a contradiction, which is told."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    with pytest.raises(ConfigError, match="names a Kafka of your own"):
        client.start(files, brokers=3)
