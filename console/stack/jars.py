"""The broker's jars: fetched by jgo as the lock file says, verified by SHA-256, shared by all stacks of a user.

A jar lies below its own checksum in jgo's cache directory and is renamed there only after it was verified, so
interrupted downloads and several stacks starting at once cannot leave a bad one.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from console.stack.files import CHECKOUT
from offerflow.runtime.errors import ConfigError, DependencyDown

LOCK = CHECKOUT / "deploy" / "local" / "jgo.lock.toml"

if TYPE_CHECKING:
    from jgo.env import LockedDependency
    from jgo.maven import MavenContext

Progress = Callable[[int, int], None]
"""Called with (jars fetched, jars to fetch); never when all are there."""


def _silent(done: int, total: int) -> None:
    pass


def class_path(progress: Progress = _silent, lock: Path = LOCK, cache: Path | None = None) -> list[Path]:
    """Paths of every jar of the lock file, downloading what the cache lacks.

    Raises DependencyDown when a jar cannot be fetched, ConfigError when one is not what the lock file says.
    """
    from jgo.config import GlobalSettings
    from jgo.env import LockFile

    settings = GlobalSettings.load()  # a user's mirrors and cache directory, if jgo is configured
    jars = (cache or Path(settings.cache_dir).expanduser()) / "offerflow-jars"
    jars.mkdir(parents=True, exist_ok=True)
    locked = LockFile.load(lock).dependencies
    with ThreadPoolExecutor(8, "jars") as pool:
        there = list(pool.map(lambda jar: _is_there(_place(jar, jars), jar.sha256), locked))
        missing = [jar for jar, is_there in zip(locked, there, strict=True) if not is_there]
        if missing:
            with tempfile.TemporaryDirectory(dir=jars, prefix="fetching-") as staging:
                context = _context(Path(staging), settings.repositories)
                progress(0, len(missing))
                for done, _ in enumerate(pool.map(lambda jar: _fetch(jar, _place(jar, jars), context), missing), 1):
                    progress(done, len(missing))
    return [_place(jar, jars) for jar in locked]


def _place(jar: LockedDependency, jars: Path) -> Path:
    classifier = f"-{jar.classifier}" if jar.classifier else ""
    return jars / str(jar.sha256) / f"{jar.artifactId}-{jar.version}{classifier}.{jar.packaging}"


def _is_there(path: Path, sha256: str | None) -> bool:
    return path.exists() and _sha256(path) == sha256


def _context(staging: Path, repositories: dict[str, str]) -> MavenContext:
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext, PythonResolver

    remote = {"central": MAVEN_CENTRAL_URL, **repositories}
    return MavenContext(PythonResolver(), repo_cache=staging, remote_repos=remote, timeout=60)


def _fetch(jar: LockedDependency, place: Path, context: MavenContext) -> None:
    component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
    try:
        fetched = component.artifact(jar.classifier or "", jar.packaging).resolve()
    except (OSError, RuntimeError) as error:  # those of requests are OSErrors
        raise DependencyDown(
            f"cannot fetch {place.name} for the local broker ({error}); the network must reach a Maven repository, or"
            " set OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS to a broker of your own"
        ) from error
    got = _sha256(fetched)
    if got != jar.sha256:
        raise ConfigError(
            f"{place.name} is not what deploy/local/jgo.lock.toml says: expected SHA-256 {jar.sha256}, got {got};"
            " the repository that served it is broken or not to be trusted"
        )
    place.parent.mkdir(exist_ok=True)
    fetched.replace(place)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
