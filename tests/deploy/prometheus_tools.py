"""promtool and amtool: from the PATH, else Debian's packages unpacked into a folder of the checkout, else built by Go.

Nothing is installed into the system and nobody needs to be root. ``python -m tests.deploy.prometheus_tools`` fetches
both and prints where they are.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".offerflow" / "tools"
DEBIAN = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
GO = {
    "promtool": "github.com/prometheus/prometheus/cmd/promtool@v0.305.0",
    "amtool": "github.com/prometheus/alertmanager/cmd/amtool@v0.28.1",
}


class NotToBeHad(Exception):
    """No way to the tool led anywhere; the message says what each said."""


def tool(name: str) -> Path:
    """Where ``name`` is, fetched if need be. Raises NotToBeHad."""
    found = shutil.which(name)
    if found:
        return Path(found)
    kept = CACHE / name
    if kept.exists():
        return kept
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    failures = []
    for way in (_from_debian, _by_go):
        try:
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                way(name, Path(scratch)).replace(kept)
            return kept
        except (OSError, subprocess.SubprocessError, StopIteration) as error:
            said = getattr(error, "stderr", None) or ""
            failures.append(f"{way.__name__[1:].replace('_', ' ')}: {error} {said[-300:]}".strip())
    raise NotToBeHad(
        f"{name} is not on the PATH, and neither Debian's package {DEBIAN[name]} nor Go could provide it on this"
        f" {platform.system()}. Install Prometheus' tools and run again.\n" + "\n".join(failures)
    )


def _from_debian(name: str, scratch: Path) -> Path:
    """Download the package with the system's package lists, or with fresh ones of our own if it has none."""
    lists = [f"Dir::State={scratch}/state", f"Dir::Cache={scratch}/cache", "Dir::State::status=/var/lib/dpkg/status"]
    own = [f"-o{option}" for option in (*lists, "APT::Sandbox::User=", "Debug::NoLocking=true")]
    download = ["download", DEBIAN[name]]
    try:
        _run(["apt-get", "-oAPT::Sandbox::User=", *download], scratch)
    except subprocess.CalledProcessError:
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (scratch / folder).mkdir(parents=True)
        _run(["apt-get", *own, "update"], scratch)
        _run(["apt-get", *own, *download], scratch)
    package = next(scratch.glob("*.deb"))
    _run(["dpkg", "-x", str(package), str(scratch / "tree")], scratch)
    return next((scratch / "tree").rglob(f"bin/{name}"))


def _by_go(name: str, scratch: Path) -> Path:
    """Build it in a module of our own: `go install` refuses a module that replaces others, as Prometheus does."""
    package, _, _ = GO[name].partition("@")
    _run(["go", "mod", "init", "tools"], scratch)
    _run(["go", "get", GO[name]], scratch)
    _run(["go", "build", "-o", str(scratch / name), package], scratch, CGO_ENABLED="0")
    return scratch / name


def _run(command: Sequence[str], directory: Path, **environment: str) -> None:
    subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )


if __name__ == "__main__":
    try:
        for wanted in DEBIAN:
            print(tool(wanted))
    except NotToBeHad as error:
        sys.exit(str(error))
