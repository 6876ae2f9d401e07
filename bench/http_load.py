"""Load over HTTP: wrk where there is one, for the most that can be had, and a generator of ours that keeps a rate.

wrk sends the next request when the last is answered, so it measures throughput; under it a slow answer delays the
requests that would have shown it. The generator of ours sends by the clock and counts from when a request was due.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 64
_TICK = 0.002
_SECONDS = re.compile(r"([\d.]+)(us|ms|s)")
_SCRIPT = """\
local number, head, tail = 0, %(head)s, %(tail)s
function request()
  number = number + 1
  local events = {}
  for i = 1, %(events)d do
    events[i] = head .. ((number * 7919 + i * 104729) %% 50000) .. '","event_id":"w' .. number .. '-' .. i .. tail
  end
  return wrk.format("POST", nil, nil, "[" .. table.concat(events, ",") .. "]")
end
wrk.headers["Authorization"] = "Bearer %(key)s"
"""
_HEAD = '{"event":"purchase_completed","user_id":"u'
_TAIL = (
    '","time":"2026-06-01T12:00:00.000Z","properties":{"amount":59.9,"sku":"sku-17","category":"books","flag":true},'
    '"context":{"library":{"name":"bench","version":"1"}}}'
)


@dataclass
class Answers:
    """``waits`` in milliseconds, sorted; of wrk only its percentiles are known."""

    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    broken: int = 0

    def percentile(self, share: float) -> float:
        return round(self.waits[min(len(self.waits) - 1, int(len(self.waits) * share))], 1) if self.waits else 0.0


def body(number: int, events: int) -> bytes:
    """A request of ``events`` events of 50,000 users, about 230 bytes each."""
    made = (f'{_HEAD}{(number * 7919 + n * 104729) % 50_000}","event_id":"o{number}-{n}{_TAIL}' for n in range(events))
    return f"[{','.join(made)}]".encode()


def most(url: str, key: str, events: int, seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
    """As many requests as are answered, and who sent them."""
    wrk = shutil.which("wrk")
    if wrk is None:
        answers = uvloop.run(_closed(url, key, events, seconds, connections))
        return {
            "sent_by": "a generator in Python (no wrk found: apt-get install wrk), which takes more of the machine",
            "requests_per_second": round(sum(answers.statuses.values()) / answers.seconds),
            "p50_ms": answers.percentile(0.5), "p99_ms": answers.percentile(0.99), "not_2xx": _not_2xx(answers),
        }  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "post.lua"
        values = {"head": json.dumps(_HEAD), "tail": json.dumps(_TAIL), "events": events, "key": key}
        script.write_text(_SCRIPT % values, encoding="utf-8")
        done = subprocess.run(
            [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", script, f"{url}/v1/events"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    found = re.search(r"(\d+) requests in ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return {
        "sent_by": wrk,
        "requests_per_second": round(int(found[1]) / float(found[2])),
        "p50_ms": _milliseconds(done.stdout, "50%"), "p99_ms": _milliseconds(done.stdout, "99%"),
        "not_2xx": int(bad[1]) if bad else 0,
    }  # fmt: skip


def steady(url: str, key: str, events: int, rate: float, seconds: float, connections: int = 4 * CONNECTIONS) -> Answers:
    """``rate`` requests per second, each counted from the moment it was due. So many connections that a pause of the
    server finds few requests ahead of their answers on each."""
    return uvloop.run(_open(url, key, events, rate, seconds, connections))


def _not_2xx(answers: Answers) -> int:
    return sum(count for status, count in answers.statuses.items() if status // 100 != 2) + answers.broken


def _milliseconds(text: str, label: str) -> float:
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    found = _SECONDS.search(line.partition(label)[2])
    assert found is not None, line
    return round(float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]], 1)


class _Line(asyncio.Protocol):
    """One connection; requests may be sent ahead of their answers."""

    def __init__(self, answers: Answers) -> None:
        self.waiting: deque[float] = deque()
        self.transport: asyncio.Transport | None = None
        self._answers = answers
        self._read = b""
        self.answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            end = self._read.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._read[:end].lower()
            at = head.find(b"content-length:")
            size = end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
            if len(self._read) < size:
                return
            status = int(self._read[9:12])
            self._read = self._read[size:]
            self._answers.statuses[status] = self._answers.statuses.get(status, 0) + 1
            self._answers.waits.append((time.perf_counter() - self.waiting.popleft()) * 1000)
            self.answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._answers.broken += len(self.waiting)
        self.waiting.clear()
        self.transport = None
        self.answered.set()


async def _lines(url: str, answers: Answers, count: int) -> list[_Line]:
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Line(answers), place.hostname or "127.0.0.1", place.port)
        for _ in range(count)
    ]
    return [line for _, line in made]


def _request(key: str, number: int, events: int) -> bytes:
    content = body(number, events)
    return b"POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (
        key.encode(), len(content), content,
    )  # fmt: skip


async def _open(url: str, key: str, events: int, rate: float, seconds: float, connections: int) -> Answers:
    answers = Answers(seconds)
    lines = await _lines(url, answers, connections)
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            line = lines[sent % connections]
            if line.transport is None:
                answers.broken += 1
            else:
                line.waiting.append(began + sent / rate)
                line.transport.write(_request(key, sent, events))
            sent += 1
        await asyncio.sleep(_TICK)
    await _finish(lines, answers)
    return answers


async def _closed(url: str, key: str, events: int, seconds: float, connections: int) -> Answers:
    answers = Answers(seconds)
    lines = await _lines(url, answers, connections)
    until = time.perf_counter() + seconds

    async def run(line: _Line, number: int) -> None:
        while time.perf_counter() < until and line.transport is not None:
            line.answered.clear()
            line.waiting.append(time.perf_counter())
            line.transport.write(_request(key, number, events))
            number += connections
            await line.answered.wait()

    await asyncio.gather(*(run(line, number) for number, line in enumerate(lines)))
    await _finish(lines, answers)
    return answers


async def _finish(lines: list[_Line], answers: Answers) -> None:
    deadline = time.perf_counter() + 15
    while any(line.waiting for line in lines) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    for line in lines:
        if line.transport is not None:
            line.transport.close()
    answers.waits.sort()
