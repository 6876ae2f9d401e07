"""The HTTP edge on a real broker: the most it takes with durable answers, latency at a rate, memory, and its start.

Only broker, Redis and the edge run; nobody reads what comes in.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.http_load import most, steady
from bench.stack import BROKER_HEAP, Meter

KEY = "sk_bench"
_START_SECONDS = 60.0


def ingest(rate: float, seconds: float, processes: int, events: int = 5) -> dict[str, Any]:
    """``rate``: requests per second of the steady load, which ``processes`` processes share."""
    with _services() as told, _Edge(told, processes) as edge:
        most(edge.url, KEY, events, 8)  # a JVM is fast after a while
        calm = edge.resident_mb()
        best = {"processes": processes, "events_per_request": events, **_measured(edge, told, events, seconds)}
        before = edge.cpu()
        answers = steady(edge.url, KEY, events, rate, seconds)
        spent = edge.cpu() - before
        result = {
            "most": best,
            "steady": {
                "requests_per_second": rate,
                "p50_ms": answers.percentile(0.50), "p95_ms": answers.percentile(0.95),
                "p99_ms": answers.percentile(0.99), "max_ms": answers.percentile(1.0),
                "not_2xx": sum(n for status, n in answers.statuses.items() if status // 100 != 2) + answers.broken,
                "edge_cpu_us_per_request": round(spent / max(1, len(answers.waits)) * 1e6),
            },
            "memory": {"edge_mb_before": calm, "edge_mb_after": edge.resident_mb()},
        }  # fmt: skip
        return {**result, "start": _starts(told)}


def _measured(edge: _Edge, told: dict[str, Any], events: int, seconds: float) -> dict[str, Any]:
    meter = Meter(edge.costs(told))
    before, began = edge.cpu(), time.monotonic()
    result = most(edge.url, KEY, events, seconds)
    requests = result["requests_per_second"] * (time.monotonic() - began)
    cost = meter.cost()
    kafka = cost.cpu.get("kafka", 0.0)
    return {
        **result,
        "events_per_second": result["requests_per_second"] * events,
        "edge_cpu_us_per_request": round((edge.cpu() - before) / max(1, requests) * 1e6),
        "broker_cpu_us_per_request": round(kafka / max(1, requests) * 1e6),
        "load_average": round(os.getloadavg()[0], 1),
    }


@contextmanager
def _services() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="offerflow-bench-") as directory:
        command = [sys.executable, "-m", "console.stack.services"]
        own = {**os.environ, "OFFERFLOW_STACK__BROKER_HEAP": BROKER_HEAP}
        try:
            done = subprocess.run(
                [*command, "up", "--dir", directory], env=own, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"broker and Redis did not start:\n{done.stderr}")
            yield {**json.loads(done.stdout), "directory": directory}
        finally:
            subprocess.run([*command, "down", "--purge", "--dir", directory], check=False)


class _Edge:
    """The edge as a process of its own, with its children."""

    def __init__(self, told: dict[str, Any], processes: int) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            port, metrics = one.getsockname()[1], two.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._probe = f"http://127.0.0.1:{metrics}/readyz"
        self._log = Path(told["directory"]) / "edge.log"
        self._environment = {
            **os.environ,
            "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": told["kafka"],
            "OFFERFLOW_REDIS__URL": told["redis"],
            "OFFERFLOW_LOCAL__SERVER_KEY": KEY,
            "OFFERFLOW_STORE__URL": f"sqlite:///{told['directory']}/store.db",
            "OFFERFLOW_INGEST__PORT": str(port),
            "OFFERFLOW_INGEST__PROCESSES": str(processes),
            "OFFERFLOW_METRICS__PORT": str(metrics),
        }
        self.listening_s = self.ready_s = 0.0

    def __enter__(self) -> _Edge:
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "producers.ingest"], env=self._environment, stdout=log, stderr=log
            )
        while time.monotonic() - began < _START_SECONDS:
            try:
                answer = httpx.get(self._probe, timeout=5, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.005)
                continue
            self.listening_s = self.listening_s or time.monotonic() - began
            if answer.status_code == 200:
                self.ready_s = time.monotonic() - began
                return self
            time.sleep(0.005)
        raise SystemExit(f"the edge did not get ready:\n{self._log.read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def _family(self) -> list[psutil.Process]:
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def cpu(self) -> float:
        return sum(times.user + times.system for times in (one.cpu_times() for one in self._family()))

    def resident_mb(self) -> float:
        return round(sum(one.memory_info().rss for one in self._family()) / 1e6, 1)

    def costs(self, told: dict[str, Any]) -> dict[str, psutil.Process]:
        """The processes to be metered: the edge and the broker."""
        found = {f"edge-{number}": one for number, one in enumerate(self._family())}
        state = json.loads((Path(told["directory"]) / ".offerflow" / "state.json").read_text(encoding="utf-8"))
        broker = next((program["pid"] for program in state["programs"] if program["name"] == "kafka"), None)
        return {**found, **({"kafka": psutil.Process(broker)} if broker else {})}


def _starts(told: dict[str, Any], times: int = 5) -> dict[str, Any]:
    """From the start of one process to its first answer on the probes, and until it takes events; the median."""
    found = []
    for _ in range(times):
        with _Edge(told, 1) as edge:
            found.append((edge.listening_s, edge.ready_s, edge.cpu()))
    middle = [round(sorted(column)[times // 2], 2) for column in zip(*found, strict=True)]
    return dict(zip(("answers_after_s", "ready_after_s", "cpu_s"), middle, strict=True))
