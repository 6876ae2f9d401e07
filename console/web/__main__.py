"""Composition root of the console process: ``python -m console.web``. Serves the registry, follows the catalog, and
keeps the tasks of the background turning, until told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn
import uvloop

from console.web.app import application
from console.web.background import Background
from console.web.following import Following
from console.web.page import Page
from console.web.plan_view import PlanView
from console.web.tasks import tasks_of
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.health import Health, HealthServer
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.serving import Server, listen, url_of
from offerflow.runtime.settings import Settings, load_settings

NAME = "console"
FOLLOW_S = 0.25
DRAIN_S = 10


async def _serve(settings: Settings, health: Health, listener: socket.socket) -> None:
    name = settings.worker or NAME
    view = PlanView(settings, name)
    tasks: Sequence[Background] = [
        Background("catalog", lambda: Following(view, health), FOLLOW_S, longest_s=2.0),
        *tasks_of(settings),
    ]
    page = Page(view, tasks, settings.registry.url)
    config = uvicorn.Config(
        application(view, page), http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=DRAIN_S,
    )  # fmt: skip
    server = Server(config)

    def stop() -> None:
        health.not_ready("stopping")
        server.should_exit = True
        for task in tasks:
            task.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    for task in tasks:
        task.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        stop()
        for task in tasks:
            await asyncio.to_thread(task.join)


def main() -> int:
    try:
        settings = load_settings()
        configure_logs(settings.log, settings.worker or NAME)
        health = Health()
        listener = listen(settings.console, "the console", "OFFERFLOW_CONSOLE__PORT")
        server = HealthServer(settings.metrics, health)
        get_logger().info("listening", console=url_of(listener), metrics=server.url)
        uvloop.run(_serve(settings, health, listener))
    except OfferflowError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return error.exit_code
    get_logger().info("stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
