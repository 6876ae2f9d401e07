"""The sender on a thread of its own, with an event loop of its own, beside the loop that reads Kafka."""

from __future__ import annotations

import asyncio
import resource
import threading
import time

import uvloop
from sqlalchemy import Engine

from consumers.webhooks.sender import Sender
from offerflow.runtime.settings import Settings
from offerflow.runtime.webhooks.posting import Poster

SILENT_S = 15.0


class Deliverer:
    """Works from ``start`` to ``stop``. Raises in ``check``, on the caller's thread, what ended the sender."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._failure: BaseException | None = None
        self._sender: Sender | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        _allow_connections()
        self._thread.start()
        self._ready.wait()

    def notify(self) -> None:
        """Something was queued."""
        if self._loop is not None and self._sender is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._sender.notify)

    def check(self) -> bool:
        """Whether the sender's loop turned lately. Raises what ended it, if it has."""
        if self._failure is not None:
            raise self._failure
        return self._sender is not None and time.monotonic() - self._sender.beat < SILENT_S

    def stop(self) -> None:
        """Let the requests in flight end; returns when they have and are written down."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        webhooks = self._settings.webhooks
        poster = Poster(webhooks)
        try:
            self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
            self._sender = Sender(self._engine, poster.post, webhooks, self._settings.worker)
            self._ready.set()
            await self._sender.run(self._stopping)
        finally:
            await poster.close()


def _allow_connections() -> None:
    """As many open files as the system lets us have: each request in flight is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
