"""Settings of the local stack alone: ``OFFERFLOW_STACK__…``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import Settings, environment, load_settings

PREFIX = "OFFERFLOW_STACK__"


class StackSettings(BaseModel):
    """``broker_heap`` is the JVM's largest heap: from 1g on the broker runs with G1, below with the serial one."""

    model_config = ConfigDict(extra="forbid")
    broker_heap: str = Field(default="512m", pattern="^[1-9][0-9]*[mg]$")

    def jvm(self) -> list[str]:
        big = self.broker_heap.endswith("g") or int(self.broker_heap[:-1]) >= 1024
        if big:
            return [f"-Xms{self.broker_heap}", f"-Xmx{self.broker_heap}", "-XX:+UseG1GC"]
        return ["-Xms128m", f"-Xmx{self.broker_heap}", "-XX:+UseSerialGC"]


def load_stack_settings() -> StackSettings:
    """From the environment. Raises ConfigError that names the variable."""
    given = {k[len(PREFIX) :].lower(): v for k, v in environment().items() if k.startswith(PREFIX)}
    try:
        return StackSettings.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigError(f"settings of the local stack are wrong: {wrong}") from None


def own_services(settings: Settings | None = None) -> tuple[bool, bool]:
    """Whether the user named a Kafka and a Redis of their own, in this order."""
    settings = settings or load_settings()
    return "bootstrap_servers" in settings.kafka.model_fields_set, "url" in settings.redis.model_fields_set
