"""What a stack keeps on disk, all below one ``.offerflow/`` directory, and how that directory is found.

Everything is written to a temporary file and renamed, so a reader (or a restart after a power loss) never sees a half.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = ".offerflow"


class Identity(msgspec.Struct):
    """What stays the same as long as the data does: the server key, the brokers and, while they are free, the ports."""

    api_key: str
    ports: dict[str, int] = {}
    brokers: int = 1
    cluster: str = ""
    """Id of the Kafka cluster; empty until its storage is to be formatted."""


class Wanted(msgspec.Struct, frozen=True):
    """What the last ``up`` asked for. ``generation`` grows with every request: an answer with a smaller one is old."""

    generation: int
    validation: int = 1
    rules: int = 1
    programs: bool = True
    """False: only the services (broker and Valkey), for tests that bring their own programs."""
    trickle: bool = False
    """A simulator that keeps a little traffic flowing: the demo's."""
    brokers: int = 1
    """Read when the stack starts, like ``proxied``."""
    proxied: bool = False
    """Brokers listen a second time, for clients that come through a proxy."""


class ProgramState(msgspec.Struct):
    """One program as the supervisor sees it. ``url`` is the base of its ``/readyz`` and ``/metrics``, if it has one."""

    name: str
    pid: int | None
    restarts: int
    log: str
    url: str | None = None
    leaving: bool = False
    address: str | None = None
    """Of a broker: where clients reach it."""


class ProxiedPort(msgspec.Struct):
    """A broker listens at ``listens`` and tells clients that come there to go to ``told``."""

    broker: int
    listens: int
    told: int


class Failure(msgspec.Struct):
    message: str
    exit_code: int


class State(msgspec.Struct):
    """What the supervisor last did. ``phase`` is starting, running, stopping or stopped."""

    generation: int
    phase: str
    doing: str
    kafka: str
    redis: str
    topic_prefix: str
    partitions: int
    ingest: str | None = None
    console: str | None = None
    registry: str | None = None
    counted: tuple[int, int] | None = None
    """(done, total) of ``doing``, where that can be counted."""
    programs: list[ProgramState] = []
    proxied: list[ProxiedPort] = []
    failure: Failure | None = None


T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class StackFiles:
    """The paths of one stack. ``root`` is the ``.offerflow`` directory itself, absolute."""

    root: Path

    @classmethod
    def find(cls, given: Path | None = None, start: Path | None = None) -> StackFiles:
        """``given``/.offerflow, or the nearest upward from ``start`` (the working directory), or one to make there."""
        if given is not None:
            return cls(given.resolve() / NAME)
        here = (start or Path.cwd()).resolve()
        for directory in (here, *here.parents):
            if (directory / NAME).is_dir():
                return cls(directory / NAME)
        return cls(here / NAME)

    @property
    def demo(self) -> Path:
        """Directory of the demo stack that belongs to this one."""
        return self.root / "demo"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def broker(self, name: str) -> Path:
        """Folder of one broker, named as its program is."""
        return self.root / name

    def has_topics(self) -> bool:
        """Whether a broker has data here, which fixes how many there are."""
        return any(self.root.glob("kafka*/data/meta.properties"))

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def store(self) -> str:
        """URL of the stack's own relational store."""
        return f"sqlite:///{self.root / 'store.db'}"

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def make(self) -> None:
        """Create the directories. The whole tree is for its owner alone: it holds the server key and events."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (self.logs, self.valkey):
            directory.mkdir(exist_ok=True)

    def identity(self) -> Identity | None:
        return _read(self.root / "stack.json", Identity)

    def wanted(self) -> Wanted | None:
        return _read(self.root / "wanted.json", Wanted)

    def state(self) -> State | None:
        return _read(self.root / "state.json", State)

    def write(self, value: Identity | Wanted | State) -> None:
        names = {Identity: "stack.json", Wanted: "wanted.json", State: "state.json"}
        _write(self.root / names[type(value)], msgspec.json.format(msgspec.json.encode(value)))

    @contextmanager
    def lock(self, *, to_supervise: bool = False) -> Iterator[bool]:
        """Hold the right to supervise this directory; yields False when another process has it.

        ``to_supervise`` leaves our pid in the file; without it somebody only looks.
        """
        with self._lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            if to_supervise:
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield True

    def supervisor(self) -> int | None:
        """Pid of the last process that supervised; whether it still does, ``supervised`` knows."""
        try:
            return int(self._lock.read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def _lock(self) -> Path:
        return self.root / "supervisor.lock"

    def supervised(self) -> bool:
        """Whether a supervisor lives. The kernel drops its lock with the process, so a power loss leaves no lie."""
        if not self.root.is_dir():
            return False
        with self.lock() as free:
            return not free


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        # Written by another version, or cut short by a failing disk: as good as absent, and rewritten by the next `up`.
        return None


def _write(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp: mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
