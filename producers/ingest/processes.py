"""Several processes on one port, since one process of Python uses one core: ``ingest.processes``.

The parent opens a listening socket for each (SO_REUSEPORT, so the kernel spreads the connections) and keeps it: a
process that dies is started again, and clients that connected meanwhile wait for it. The parent takes no requests; it
restarts, passes on the order to stop, and answers for all on one address for metrics and probes. A child whose parent
is gone drains and ends.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.health import Health
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings, environment

_PAUSE_SECONDS = (0.2, 5.0)
_STOP_SECONDS = 45.0
_ASK_SECONDS = 5.0
_SUMMED = frozenset({"process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds"})
"""Gauges that add up; of the others the largest tells."""


class Family:
    """``listeners``: one listening socket per process, all of one port."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        self._name = settings.worker or "ingest"
        self._listeners = listeners
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._code = 0
        self.urls: dict[int, str] = {}
        """Where each process that runs answers probes."""

    async def run(self) -> int:
        """Until told to stop, or until a process says that the settings cannot work. The exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep(number)) for number in range(1, len(self._listeners) + 1)]
        await self._stopping.wait()
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        _, late = await asyncio.wait(keepers, timeout=_STOP_SECONDS)
        for child in self._children.values() if late else ():
            with suppress(ProcessLookupError):
                child.kill()
        await asyncio.gather(*keepers)
        return self._code

    async def _keep(self, number: int) -> None:
        """Start process ``number`` again whenever it ends."""
        pause = _PAUSE_SECONDS[0]
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            code = await self._live(number)
            self.urls.pop(number, None)
            if code == ConfigError.exit_code:
                self._code = code
                self._stopping.set()
            if self._stopping.is_set():
                self._code = self._code or max(code, 0)
                return
            get_logger().warning("a process ended and is started again", process=number, code=code)
            if asyncio.get_running_loop().time() - began > 60:
                pause = _PAUSE_SECONDS[0]
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(2 * pause, _PAUSE_SECONDS[1])

    async def _live(self, number: int) -> int:
        """One life of process ``number``; its exit code."""
        ours, theirs = socket.socketpair()
        with ours:
            fds = (self._listeners[number - 1].fileno(), theirs.fileno())
            own = {
                "OFFERFLOW_WORKER": f"{self._name}-{number}",
                "OFFERFLOW_METRICS__HOST": "127.0.0.1",
                "OFFERFLOW_METRICS__PORT": "0",
            }
            with theirs:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "producers.ingest", *map(str, fds), pass_fds=fds, env=environment() | own
                )
            self._children[number] = child
            if self._stopping.is_set():
                child.terminate()
            hears = asyncio.create_task(self._hear(number, ours))
            code = await child.wait()
            hears.cancel()
            del self._children[number]
            return code

    async def _hear(self, number: int, ours: socket.socket) -> None:
        ours.setblocking(False)
        told = await asyncio.get_running_loop().sock_recv(ours, 1000)
        self.urls[number] = told.decode().strip()

    @property
    def size(self) -> int:
        return len(self._listeners)


class FamilyHealth(Health):
    """Answers for all processes of ``family``: alive and ready when each of them is."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._family = family

    def liveness(self) -> tuple[int, dict[str, object]]:
        return 200, {"processes": self._family.size, "running": len(self._family.urls)}

    def readiness(self) -> tuple[int, dict[str, object]]:
        urls = dict(self._family.urls)
        if len(urls) < self._family.size:
            return 503, {"ready": False, "why": f"{len(urls)} of {self._family.size} processes have started"}
        for number, (status, body) in _ask(urls, "/readyz").items():
            if status != 200:
                return 503, {"ready": False, "why": f"process {number}: {body.decode(errors='replace')[:500]}"}
        return 200, {"ready": True, "processes": self._family.size}

    def metrics(self) -> bytes:
        """The numbers of all processes as one."""
        texts = [body.decode() for status, body in _ask(dict(self._family.urls), "/metrics").values() if status == 200]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Merged(texts))
        return generate_latest(registry)


def _ask(urls: Mapping[int, str], path: str) -> dict[int, tuple[int, bytes]]:
    """Status and body per process; status 0 where nobody answered."""

    def one(url: str) -> tuple[int, bytes]:
        try:
            with urlopen(f"{url}{path}", timeout=_ASK_SECONDS) as answer:  # noqa: S310 - our own process
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()
        except (URLError, OSError) as error:
            return 0, str(error).encode()

    if not urls:
        return {}
    with ThreadPoolExecutor(len(urls)) as pool:
        return dict(zip(urls, pool.map(one, urls.values()), strict=True))


class _Merged(Collector):
    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        return merged(self._texts)


def merged(texts: Iterable[str]) -> list[Metric]:
    """Metrics of several processes, in Prometheus' text format, as one: what counts is summed, of gauges the largest is
    kept unless they add up."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, frozenset[tuple[str, str]]], float]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            found = values.setdefault(family.name, {})
            for sample in family.samples:
                place = (sample.name, frozenset(sample.labels.items()))
                largest = sample.name.endswith("_created") or (family.type == "gauge" and family.name not in _SUMMED)
                before = found.get(place)
                if before is None:
                    found[place] = sample.value
                else:
                    found[place] = max(before, sample.value) if largest else before + sample.value
    for name, family in families.items():
        for (sample_name, labels), value in values[name].items():
            family.add_sample(sample_name, dict(labels), value)
    return list(families.values())
