"""Which of our programs run for what was wanted: their names, addresses and environments."""

from __future__ import annotations

import sys

from console.stack.files import CHECKOUT, Identity, StackFiles, Wanted
from console.stack.ports import HOST, keep_or_choose
from console.stack.program import Program
from offerflow.runtime.settings import Settings

STAGES = {"validation": "consumers.validation", "rules": "consumers.rules"}
FOLLOWERS = {"history": "consumers.history", "webhooks": "consumers.webhooks"}
"""One of each: what they write is in the relational store."""
INGEST = "producers.ingest"
CONSOLE = "console.web"
REGISTRY = "/registry"
"""Where below the console the schema registry is served."""
SIMULATOR = "producers.simulator"


class Roster:
    """Builds programs and remembers their ports in ``identity``; those of ``running`` ones are in use by ourselves."""

    def __init__(self, files: StackFiles, identity: Identity, settings: Settings) -> None:
        self._files = files
        self._identity = identity
        self._settings = settings

    def programs(self, wanted: Wanted, running: frozenset[str]) -> list[Program]:
        """In the order they start; the reverse of the order they stop."""
        if not wanted.programs:
            return []
        numbers = {"validation": wanted.validation, "rules": wanted.rules}
        workers = [
            self._program(f"{stage}-{n}", STAGES[stage], running)
            for stage in STAGES
            for n in range(1, numbers[stage] + 1)
        ]
        followers = [self._program(name, module, running) for name, module in FOLLOWERS.items()]
        ingest = self._program("ingest", INGEST, running, {"INGEST__PORT": str(self._port("ingest", running))})
        console = self._program("console", CONSOLE, running, {"CONSOLE__PORT": str(self._port("console", running))})
        return [*workers, *followers, ingest, console, *([self._simulator()] if wanted.trickle else [])]

    def ingest_url(self) -> str | None:
        return self._url("ingest")

    def console_url(self) -> str | None:
        return self._url("console")

    def registry_url(self) -> str | None:
        """The registry of the user's own if one is named, without name and password, else the console's."""
        if self._settings.registry.url is not None:
            from offerflow.runtime.registry import public_url  # a client of HTTP, which most stacks never need

            return public_url(self._settings.registry.url)
        console = self._url("console")
        return console + REGISTRY if console else None

    def _url(self, name: str) -> str | None:
        port = self._identity.ports.get(name)
        return f"http://{HOST}:{port}" if port else None

    def _port(self, name: str, running: frozenset[str]) -> int:
        return keep_or_choose(self._identity.ports, name, check=name not in running)

    def _program(self, name: str, module: str, running: frozenset[str], more: dict[str, str] | None = None) -> Program:
        port = keep_or_choose(self._identity.ports, f"{name}.metrics", check=name not in running)
        metrics = {"METRICS__HOST": HOST, "METRICS__PORT": str(port), "INGEST__HOST": HOST, "CONSOLE__HOST": HOST}
        return Program(
            name=name,
            command=[sys.executable, "-m", module],
            directory=CHECKOUT,
            log=self._files.log(name),
            environment=self._environment(name, {**metrics, **(more or {})}),
            url=f"http://{HOST}:{port}",
        )

    def _simulator(self) -> Program:
        return Program(
            name="simulator",
            command=[sys.executable, "-m", SIMULATOR, "--trickle", "--broken", "2%", "--repeated", "3%"],
            directory=CHECKOUT,
            log=self._files.log("simulator"),
            environment=self._environment("simulator", {}),
        )

    def _environment(self, name: str, more: dict[str, str]) -> dict[str, str]:
        settings = {
            "KAFKA__BOOTSTRAP_SERVERS": self._settings.kafka.bootstrap_servers,
            "REDIS__URL": self._settings.redis.url,
            "TOPIC_PREFIX": self._settings.topic_prefix,
            "PARTITIONS": str(self._settings.partitions),
            "LOCAL__SERVER_KEY": self._identity.api_key,
            "STORE__URL": self._settings.store.url.get_secret_value(),
            "WEBHOOKS__ALLOW_NETWORKS": self._settings.webhooks.allow_networks,
            "WEBHOOKS__ALLOW_HTTP": str(self._settings.webhooks.allow_http).lower(),
            "WORKER": name,
            **more,
        }
        return {"PYTHONUNBUFFERED": "1", **{f"OFFERFLOW_{key}": value for key, value in settings.items()}}
