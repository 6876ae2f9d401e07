"""Composition root of the HTTP edge: builds the publisher, the keys and the server, and runs until told to stop.

On SIGTERM it stops accepting, finishes the requests under way, flushes, and exits 0.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvicorn
import uvloop

from offerflow.runtime.errors import Disturbed, OfferflowError
from offerflow.runtime.health import Health, HealthServer
from offerflow.runtime.kafka.publisher import Publisher
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.serving import Server, listen, url_of
from offerflow.runtime.settings import Settings, load_settings
from offerflow.runtime.store.engine import open_store
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.all import all_adapters
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.book import OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.offers import OffersApi
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.api.serving import Api
from producers.ingest.app import IngestApp
from producers.ingest.catalog_keys import CatalogKeys
from producers.ingest.keyring import CHANNELS, KeyRing
from producers.ingest.limits import Limits
from producers.ingest.readiness import Readiness
from schemas.user_state import UserReader

_DRAIN_SECONDS = 20


async def _serve(settings: Settings, health: Health, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    limits = Limits.of(settings.ingest)
    keys = KeyRing(settings.local)
    name = settings.worker or "ingest"
    publisher = Publisher(settings, name)
    book = OfferBook()
    catalog = CatalogKeys(settings, name, keys, book)
    store = AskedStore(lambda: open_store(settings))
    folded = FoldedOffers(book, lambda: UserReader(settings))
    topics = [settings.topic(channel) for channel in CHANNELS.values()]

    def check() -> None:
        if publisher.broken:
            raise Disturbed("the Kafka client met an error it cannot recover from; this process starts afresh")
        publisher.check(topics)

    readiness = Readiness(check, catalog.follow, health)
    app = IngestApp(
        adapters=all_adapters(limits),
        publisher=AcknowledgedPublisher(publisher),
        keys=keys,
        readiness=readiness,
        limits=limits,
        topic=settings.topic,
        api=Api({**OffersApi(book, folded).table(), **RewardsApi(store).table()}),
    )
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_keep_alive=75, timeout_graceful_shutdown=_DRAIN_SECONDS, backlog=2048,
    )  # fmt: skip
    server = Server(config)

    def stop() -> None:
        readiness.drain()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    watch = asyncio.create_task(readiness.watch())
    watch.add_done_callback(lambda _: stop())
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
        await asyncio.to_thread(publisher.close)
        await asyncio.to_thread(catalog.close)
        store.close()
        folded.close()
    outcome = (await asyncio.gather(watch, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        raise outcome


def main() -> int:
    try:
        settings = load_settings()
        configure_logs(settings.log, settings.worker or "ingest")
        health = Health()
        listener = listen(settings.ingest, "events", "OFFERFLOW_INGEST__PORT")
        server = HealthServer(settings.metrics, health)
        get_logger().info("listening", events=f"{url_of(listener)}/v1/events", metrics=server.url)
        uvloop.run(_serve(settings, health, listener))
    except OfferflowError as error:
        sys.stderr.write(f"ingest: {error}\n")
        return error.exit_code
    get_logger().info("stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
