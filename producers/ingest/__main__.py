"""Composition root of the HTTP edge: builds the publisher, the keys and the server, and runs until told to stop.

On SIGTERM it stops accepting, finishes the requests under way, flushes, and exits 0.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvloop

from offerflow.runtime.errors import Disturbed, OfferflowError
from offerflow.runtime.health import Health, HealthServer
from offerflow.runtime.kafka.publisher import Bounds as Waiting
from offerflow.runtime.kafka.publisher import Publisher
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.serving import listen, listen_together, url_of
from offerflow.runtime.settings import Settings, load_settings
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.all import all_adapters
from producers.ingest.api.book import OfferBook
from producers.ingest.api.serving import NotYet
from producers.ingest.app import IngestApp
from producers.ingest.catalog_keys import CatalogKeys
from producers.ingest.connections import Bounds
from producers.ingest.gate import Gate
from producers.ingest.intake import IMPORT, Intake
from producers.ingest.keyring import CHANNELS, KeyRing
from producers.ingest.limits import Limits
from producers.ingest.processes import Family, FamilyHealth
from producers.ingest.quotas import Quotas
from producers.ingest.readiness import Readiness
from producers.ingest.request import Room
from producers.ingest.server import EdgeServer
from producers.ingest.strict import Strict

if TYPE_CHECKING:
    from producers.ingest.behind import Behind

_PORT = "OFFERFLOW_INGEST__PORT"
_WAITING = Waiting(records=100_000, bytes=64 * 1024 * 1024)
_COLLECT = (50_000, 20, 50)
"""Thresholds of Python's collector of cycles."""


async def _serve(settings: Settings, health: Health, listener: socket.socket, parent: socket.socket | None) -> None:
    loop = asyncio.get_running_loop()
    limits = Limits.of(settings.ingest)
    keys = KeyRing(settings.local)
    name = settings.worker or "ingest"
    publisher = Publisher(settings, name, _WAITING)
    book = OfferBook()
    strict = Strict()
    catalog = CatalogKeys(settings, name, keys, book, strict)
    topics = [settings.topic(channel) for channel in (*CHANNELS.values(), IMPORT)]

    def check() -> None:
        if publisher.broken:
            raise Disturbed("the Kafka client met an error it cannot recover from; this process starts afresh")
        publisher.check(topics)

    readiness = Readiness(check, catalog.follow, health)
    gate = Gate(keys, Quotas(settings.ingest.processes), strict)
    app = IngestApp(
        adapters=all_adapters(limits),
        gate=gate,
        intake=Intake(AcknowledgedPublisher(publisher), readiness, settings.topic),
        readiness=readiness,
        limits=limits,
        api=NotYet(),
        room=Room(settings.ingest.max_memory_bytes),
    )
    server = EdgeServer(app, Bounds(connections=settings.ingest.max_connections))

    def stop() -> None:
        readiness.drain()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    watch = asyncio.create_task(readiness.watch())
    watch.add_done_callback(lambda _: stop())
    behind: list[Behind] = []

    async def load() -> None:
        await readiness.was_ready.wait()
        behind.append((await asyncio.to_thread(_behind))(settings, book))
        app.serve(behind[0].api)
        gate.tell(behind[0].last_use)
        _settle()

    loading = asyncio.create_task(load())
    loading.add_done_callback(lambda task: None if task.cancelled() or not task.exception() else stop())
    if parent is not None:
        loop.add_reader(parent, stop)  # the parent says nothing: what can be read is its end
    try:
        await server.serve(sockets=[listener])
    finally:
        if parent is not None:
            loop.remove_reader(parent)
        watch.cancel()
        loading.cancel()
        for one in behind:
            await one.close()
        await asyncio.to_thread(publisher.close)
        await asyncio.to_thread(catalog.close)
    for outcome in await asyncio.gather(watch, loading, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def _behind() -> type[Behind]:
    from producers.ingest.behind import Behind

    return Behind


def _settle() -> None:
    """What is in memory now stays; requests leave next to no cycles, and looking for them took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


def main(*given: str) -> int:
    """Without arguments: the edge, or the parent of several. With the file descriptors of a listening socket and of a
    socket to the parent: one of those."""
    try:
        settings = load_settings()
        configure_logs(settings.log, settings.worker or "ingest")
        if given:
            listener, parent = (socket.socket(fileno=int(number)) for number in given)
            return _alone(settings, listener, parent)
        if settings.ingest.processes > 1:
            return _several(settings)
        return _alone(settings, listen(settings.ingest, "events", _PORT))
    except OfferflowError as error:
        sys.stderr.write(f"ingest: {error}\n")
        return error.exit_code


def _alone(settings: Settings, listener: socket.socket, parent: socket.socket | None = None) -> int:
    health = Health()
    server = HealthServer(settings.metrics, health)
    if parent is None:
        get_logger().info("listening", events=f"{url_of(listener)}/v1/events", metrics=server.url)
    else:
        parent.sendall(server.url.encode())
    uvloop.run(_serve(settings, health, listener, parent))
    get_logger().info("stopped")
    return 0


def _several(settings: Settings) -> int:
    listeners = listen_together(settings.ingest, "events", _PORT, settings.ingest.processes)

    async def run() -> int:
        family = Family(settings, listeners)
        health = FamilyHealth(family)
        server = HealthServer(settings.metrics, health, health.metrics)
        get_logger().info(
            "listening", events=f"{url_of(listeners[0])}/v1/events", metrics=server.url, processes=len(listeners)
        )
        return await family.run()

    code = asyncio.run(run())
    get_logger().info("stopped")
    return code


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
