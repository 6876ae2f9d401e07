"""The console as a process on a real broker."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.console.web.served import BOUGHT, RATED
from tests.deployment import ROOT, Deployment, free_port
from tests.waiting import until

pytestmark = pytest.mark.broker


def asked(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=30)
    except httpx.TransportError:
        return None


def test_its_life(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """Up before its topics, it claims nothing; with them it is ready; what `apply` has written is found at once, each
    task in the background works, and told to stop it ends with 0."""
    here = deployment()
    port = free_port()
    program = here.start("console.web", "console", OFFERFLOW_CONSOLE__PORT=str(port))
    console = f"http://127.0.0.1:{port}"
    first = until(lambda: asked(f"{console}/registry/subjects"), "it to answer", 60, program.tail)
    assert (first.status_code, first.json()["error_code"]) == (503, 50001)
    assert not program.ready()

    here.create_topics()
    program.wait_ready()
    assert httpx.get(console).json()["registry"] == f"{console}/registry"
    for number, (name, schema) in enumerate((("bought", BOUGHT), ("rated", RATED)), 1000):
        (tmp_path / f"{name}.avsc").write_text(json.dumps(schema))
        here.apply(tmp_path)
        found = httpx.get(f"{console}/registry/subjects/events.{schema['name']}/versions/latest")
        assert found.json()["id"] == number, found.text
    assert httpx.get(console).json()["serial"] == 2

    def works() -> bool:
        tasks = httpx.get(console).json()["tasks"]
        return set(tasks) == {"catalog", "dead-letters", "adopting"} and set(tasks.values()) == {None}

    until(works, "every task to work", 60, program.tail)
    assert program.metric("offerflow_console_task_failing") == 0
    assert program.stop() == 0, program.tail()


def test_a_port_that_is_taken_is_named(deployment: Callable[..., Deployment]) -> None:
    """One line with the variable to set, exit 78."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = deployment().environment(OFFERFLOW_CONSOLE__PORT=str(taken.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-m", "console.web"], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 78
    assert done.stderr.startswith("console: cannot listen on 127.0.0.1:")
    assert "OFFERFLOW_CONSOLE__PORT" in done.stderr
