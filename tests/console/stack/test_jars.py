"""The broker's jars are what the lock file says, or they are not used."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.stack.jars import LOCK, class_path
from offerflow.runtime.errors import ConfigError, DependencyDown

CONTENT = b"PK a jar"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository of our own with one jar, which jgo is configured to use instead of the public one."""
    folder = tmp_path / "repository"
    jar = folder / "org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        config = tmp_path / "jgo.conf"
        config.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
        yield jar
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a lock file for the one jar with the SHA-256 given."""

    def make(sha256: str) -> Path:
        path = tmp_path / "jgo.lock.toml"
        path.write_text(
            '[[dependencies]]\ngroupId = "org.example"\nartifactId = "thing"\nversion = "1.0"\npackaging = "jar"\n'
            f'sha256 = "{sha256}"\n'
        )
        return path

    return make


RIGHT = hashlib.sha256(CONTENT).hexdigest()


def test_a_jar_is_fetched_once_and_then_taken_from_the_cache(
    repository: Path, lock: Callable[[str], Path], tmp_path: Path
) -> None:
    """The second time nothing is asked of the network: the repository may be gone."""
    told: list[tuple[int, int]] = []
    first = class_path(lambda *counted: told.append(counted), lock(RIGHT), tmp_path / "cache")
    assert [path.read_bytes() for path in first] == [CONTENT]
    assert told == [(0, 1), (1, 1)]
    repository.unlink()
    assert class_path(lambda *counted: told.append(counted), lock(RIGHT), tmp_path / "cache") == first
    assert len(told) == 2


def test_a_jar_with_another_checksum_is_refused_and_not_kept(
    repository: Path, lock: Callable[[str], Path], tmp_path: Path
) -> None:
    """A repository that serves something else is named as the trouble, and nothing of it stays in the cache."""
    with pytest.raises(ConfigError, match=r"thing-1\.0\.jar is not what .* says: expected SHA-256 0{64}, got " + RIGHT):
        class_path(lock=lock("0" * 64), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_damaged_jar_in_the_cache_is_fetched_again(
    repository: Path, lock: Callable[[str], Path], tmp_path: Path
) -> None:
    """What a power loss cut short is not given to Java."""
    (path,) = class_path(lock=lock(RIGHT), cache=tmp_path / "cache")
    path.write_bytes(CONTENT[:3])
    assert class_path(lock=lock(RIGHT), cache=tmp_path / "cache") == [path]
    assert path.read_bytes() == CONTENT


def test_a_jar_that_cannot_be_fetched_says_what_to_do(
    repository: Path, lock: Callable[[str], Path], tmp_path: Path
) -> None:
    """Without the network the error names the jar and the way around it."""
    repository.unlink()
    with pytest.raises(DependencyDown, match=r"cannot fetch thing-1\.0\.jar .*OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS"):
        class_path(lock=lock(RIGHT), cache=tmp_path / "cache")


def test_the_committed_lock_is_complete() -> None:
    """Every jar has a checksum, no address is named, and no bill of materials changed the version of Kafka's parts."""
    text = LOCK.read_text()
    locked = tomllib.loads(text)["dependencies"]
    assert "://" not in text
    assert all(len(jar["sha256"]) == 64 for jar in locked)
    versions = {jar["artifactId"]: jar["version"] for jar in locked}
    assert versions["kafka-clients"] == versions["kafka_2.13"] == versions["kafka-server"] == "4.3.1"
    assert versions["log4j-slf4j-impl"] == versions["log4j-core"]
