"""This machine and its settings: what the programs that run here will meet."""

from __future__ import annotations

import platform
import re
import resource
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from ipaddress import ip_address

from console.doctor.finding import Check, Finding, Verdict, some
from console.stack.files import CHECKOUT
from offerflow.runtime.settings import Settings

AREA = "this machine"
OWN_FILES = 1000
"""Open files that the edge has besides connections: brokers, store, logs."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)

FILES = Check("open-files", AREA, "room for ingest.max_connections and what else is open")
PYTHON = Check("python", AREA, "a final release of Python 3.11 or newer")
LIBRARIES = Check("libraries", AREA, "the versions of requirements.lock, which the tests run with")
SETTINGS = Check("settings", AREA, "nothing that is most likely a mistake")
CHECKS = (FILES, PYTHON, LIBRARIES, SETTINGS)


def look_machine(settings: Settings) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judge_files(soft, settings.ingest.max_connections)
    yield judge_python(sys.version_info.releaselevel, platform.python_version())
    lock = CHECKOUT / "requirements.lock"
    yield judge_libraries(pinned(lock.read_text(encoding="utf-8")) if lock.exists() else {}, _installed())
    yield judge_settings(settings)


def judge_files(soft: int, connections: int) -> Finding:
    """``soft``: the limit that holds for a process started here, negative for none."""
    if soft < 0 or soft >= connections + OWN_FILES:
        return FILES.ok("unlimited" if soft < 0 else f"{soft:,}")
    return FILES.warn(
        f"{soft:,}, and the edge takes {connections:,} connections",
        f"`ulimit -n {connections + OWN_FILES}` (LimitNOFILE of systemd) where the edge runs, or a smaller"
        " OFFERFLOW_INGEST__MAX_CONNECTIONS",
    )


def judge_python(level: str, told: str) -> Finding:
    """``level``: of the release, ``final`` for one that is out."""
    if level != "final":
        return PYTHON.warn(f"{told} is a pre-release", "use one that is out")
    return PYTHON.ok(told)


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions that a lock allows by name: several where they depend on that of Python."""
    found: dict[str, set[str]] = {}
    for name, pin in _PIN.findall(lock):
        found.setdefault(name, set()).add(pin)
    return found


def judge_libraries(pins: Mapping[str, Collection[str]], installed: Mapping[str, str]) -> Finding:
    """Without ``pins`` there is nothing to compare with: only a checkout has a lock."""
    if not pins:
        return LIBRARIES.ok("no requirements.lock here to compare with")
    other = [
        f"{name} {there} instead of {' or '.join(sorted(pins[name]))}"
        for name, there in sorted(installed.items())
        if name in pins and there not in pins[name]
    ]
    if other:
        return LIBRARIES.warn(some(other), "`make check` installs what the lock says")
    return LIBRARIES.ok(f"{len(installed)} as in the lock")


def judge_settings(settings: Settings) -> Finding:
    odd: list[tuple[Verdict, str]] = []
    prefix = settings.topic_prefix
    if not prefix:
        odd.append(("warn", "topic_prefix is empty: topics, groups and keys in Redis have names that others may take"))
    elif prefix[-1].isalnum():
        odd.append(
            ("warn", f"topic_prefix {prefix!r} does not end in a dot: topics are named {settings.topic('journal')}")
        )
    near = [_local(server) for server in settings.kafka.bootstrap_servers.split(",")]
    if settings.local.server_key is not None and not all(near):
        odd.append(
            ("warn", "local.server_key is set beside a Kafka elsewhere: a key that no list shows opens the edge")
        )
    return SETTINGS.worst(odd, "nothing odd", "`offerflow config show` tells where each setting comes from")


def _local(server: str) -> bool:
    host = server.strip().rpartition(":")[0].strip("[]") if ":" in server else server.strip()
    if host in ("localhost", ""):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _installed() -> dict[str, str]:
    """Versions of what this program stands on directly, extras that are not installed left out."""
    found = {}
    for requirement in requires("offerflow") or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
