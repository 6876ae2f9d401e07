"""What the settings mean for the services of a stack: the broker's JVM, and which services are the user's own."""

from __future__ import annotations

from typing import Any

from console.stack.files import StackFiles
from offerflow.runtime.settings import Settings


def jvm_options(heap: str) -> list[str]:
    """For a largest heap such as 512m: from 1g on with G1 and all of it from the start, below the serial collector."""
    if heap.endswith("g") or int(heap[:-1]) >= 1024:
        return [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC"]
    return ["-Xms128m", f"-Xmx{heap}", "-XX:+UseSerialGC"]


def own_services(settings: Settings) -> tuple[bool, bool]:
    """Whether the user named a Kafka and a Redis of their own, in this order."""
    return "bootstrap_servers" in settings.kafka.model_fields_set, "url" in settings.redis.model_fields_set


def local_store(files: StackFiles, own: Settings) -> dict[str, Any]:
    """Settings that programs and commands of a stack have unless the user names others: a store of its own, and
    webhooks that may reach receivers on this machine, without TLS."""
    given: dict[str, Any] = {}
    if "url" not in own.store.model_fields_set:
        given["store"] = {"url": files.store}
    webhooks = {"allow_networks": "127.0.0.0/8,::1/128", "allow_http": True}
    given["webhooks"] = {**webhooks, **own.webhooks.model_dump(exclude_unset=True)}
    return given
