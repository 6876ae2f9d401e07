"""``/metrics``, ``/livez`` and ``/readyz`` of one program, on a thread of their own.

Liveness means that the main loop turned lately; readiness that the program can do its work now.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import HttpSettings


class Health:
    """What the program says of itself. ``turned`` is called by the main loop, ``ready``/``not_ready`` at changes."""

    def __init__(self, alive_for: float = 30.0) -> None:
        self._alive_for = alive_for
        self._turned = time.monotonic()
        self._why: str | None = "starting"
        self._detail: dict[str, object] = {}

    def turned(self) -> None:
        self._turned = time.monotonic()

    def ready(self, **detail: object) -> None:
        self._why, self._detail = None, detail

    def not_ready(self, why: str) -> None:
        self._why = why

    def liveness(self) -> tuple[int, dict[str, object]]:
        silent = time.monotonic() - self._turned
        return (200 if silent < self._alive_for else 503), {"seconds_since_last_turn": round(silent, 3)}

    def readiness(self) -> tuple[int, dict[str, object]]:
        if self._why is None:
            return 200, {"ready": True, **self._detail}
        return 503, {"ready": False, "why": self._why}


class HealthServer:
    """Serves ``health`` and ``metrics``, in Prometheus' text format (default: those of this process). ``url`` is known
    once constructed; ``close`` stops the thread."""

    def __init__(self, settings: HttpSettings, health: Health, metrics: Callable[[], bytes] = generate_latest) -> None:
        handler = type("Handler", (_Handler,), {"served": (health, metrics)})
        try:
            self._server = ThreadingHTTPServer((settings.host, settings.port), handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {settings.host}:{settings.port} for metrics: {error.strerror};"
                " set OFFERFLOW_METRICS__PORT to a free port"
            ) from None
        self._server.daemon_threads = True
        self.url = f"http://{settings.host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: ClassVar[tuple[Health, Callable[[], bytes]]]

    def do_GET(self) -> None:
        health, metrics = self.served
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, metrics())
        elif path in ("/livez", "/readyz"):
            status, body = health.liveness() if path == "/livez" else health.readiness()
            self._answer(status, "application/json", json.dumps(body).encode())
        else:
            self._answer(404, "text/plain", b"here are /metrics, /livez and /readyz\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Probes are not news."""
