"""What the settings mean for the services of a stack: the broker's JVM, and which services are the user's own."""

from __future__ import annotations

from offerflow.runtime.settings import Settings


def jvm_options(heap: str) -> list[str]:
    """For a largest heap such as 512m: from 1g on with G1 and all of it from the start, below the serial collector."""
    if heap.endswith("g") or int(heap[:-1]) >= 1024:
        return [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC"]
    return ["-Xms128m", f"-Xmx{heap}", "-XX:+UseSerialGC"]


def own_services(settings: Settings) -> tuple[bool, bool]:
    """Whether the user named a Kafka and a Redis of their own, in this order."""
    return "bootstrap_servers" in settings.kafka.model_fields_set, "url" in settings.redis.model_fields_set
