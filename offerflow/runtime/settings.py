"""Settings of every program, and the only reader of the environment.

Precedence: what the caller passes (flags), then ``OFFERFLOW_…`` variables (``__`` nests), then the defaults below.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from offerflow.runtime import addresses
from offerflow.runtime.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Port = Annotated[int, Field(ge=0, le=65535)]


_MAY_BE_SECRET = {"kafka", "redis", "registry", "store", "local"}
"""Groups of settings whose values are not repeated in errors."""


class KafkaSettings(BaseModel):
    """``extra`` holds librdkafka properties: ``OFFERFLOW_KAFKA__EXTRA__SECURITY_PROTOCOL`` is ``security.protocol``."""

    model_config = ConfigDict(extra="forbid")
    bootstrap_servers: str = "127.0.0.1:9092"
    extra: dict[str, str] = {}

    def properties(self) -> dict[str, str]:
        """librdkafka's names and values for any client of this deployment."""
        extra = {name.lower().replace("_", "."): value for name, value in self.extra.items()}
        return {"bootstrap.servers": self.bootstrap_servers, **extra}


class RedisSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    url: str = "redis://127.0.0.1:6379/0"

    @field_validator("url")
    @classmethod
    def _is_of_redis(cls, value: str) -> str:
        return check_redis_url(value)


class HttpSettings(BaseModel):
    """Where a program listens. Port 0 lets the system choose one."""

    model_config = ConfigDict(extra="forbid")
    host: str = "127.0.0.1"
    port: Port = 0


class IngestSettings(HttpSettings):
    """The HTTP edge. Limits are bytes (inflated), events, and levels of nesting; ``max_connections`` and
    ``max_memory_bytes`` (of bodies on their way in) hold for each of the ``processes`` that share the port."""

    max_body_bytes: int = 4 * 1024 * 1024
    max_event_bytes: int = 64 * 1024
    max_events: int = 2000
    max_depth: int = 16
    max_connections: int = Field(default=10_000, ge=10)
    max_memory_bytes: int = Field(default=128 * 1024 * 1024, ge=1024 * 1024)
    processes: int = Field(default=1, ge=1, le=256)


class RegistrySettings(BaseModel):
    """A schema registry of one's own, with the Confluent REST interface, in place of the built-in facade."""

    model_config = ConfigDict(extra="forbid")
    url: str | None = None


class FuseSettings(BaseModel):
    """When validation holds after a change of the event plan: the bad share of every source that has a baseline grew
    by more than ``jump``. ``min_events`` per source, before and after, is what makes a share worth comparing."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool = True
    jump: float = Field(default=0.5, gt=0, le=1)
    min_events: int = Field(default=200, ge=1)


class StoreSettings(BaseModel):
    """The relational store of history and deliveries, as an SQLAlchemy URL: a file of SQLite unless told
    otherwise, ``postgresql+psycopg://…`` where several machines share it. The local stack sets its own."""

    model_config = ConfigDict(extra="forbid")
    url: SecretStr = SecretStr("sqlite:///offerflow-store.db")


class HistorySettings(BaseModel):
    """The index of what arrived. ``days``: how long it keeps rows, by when their records were appended."""

    model_config = ConfigDict(extra="forbid")
    days: float = Field(default=90.0, gt=0)


class WebhookSettings(BaseModel):
    """What deliveries may reach and how long they try. ``allow_networks``: private networks that endpoints may be in,
    such as ``10.1.0.0/16,fd00:1::/64``; without it only public addresses are ever connected to. ``ca_file``:
    certificates to trust besides the system's. Seconds are those of one try; ``in_flight`` is per endpoint."""

    model_config = ConfigDict(extra="forbid")
    allow_networks: str = ""
    allow_http: bool = False
    ca_file: str | None = None
    connect_s: float = Field(default=5.0, gt=0, le=60)
    answer_s: float = Field(default=15.0, gt=0, le=120)
    body_s: float = Field(default=5.0, gt=0, le=60)
    in_flight: int = Field(default=256, ge=1, le=4096)
    retry_days: float = Field(default=3.0, gt=0, le=30)
    disable_days: float = Field(default=5.0, gt=0, le=365)
    log_days: float = Field(default=7.0, gt=0)
    log_rows: int = Field(default=1_000_000, ge=1000)

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for one in filter(None, (part.strip() for part in value.split(","))):
            ip_network(one)
        return value

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """``allow_networks`` as networks."""
        return tuple(ip_network(part.strip()) for part in self.allow_networks.split(",") if part.strip())


class LocalSettings(BaseModel):
    """``server_key`` makes the built-in source ``local-server`` exist; the local stack sets it."""

    model_config = ConfigDict(extra="forbid")
    server_key: SecretStr | None = None


class LogSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: str = Field(default="json", pattern="^(json|console)$")
    level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


class BatchSettings(BaseModel):
    """How much one batch takes: records when catching up, milliseconds of gathering when live.

    ``spacing_ms`` is the time between the end of one transaction and the start of the next under steady traffic: a
    broker answers a transaction that follows too closely with "concurrent transactions", and the client then waits
    20 ms before it asks again. A lone record waits ``gather_ms`` only.
    """

    model_config = ConfigDict(extra="forbid")
    max_records: int = Field(default=5000, ge=1, le=100_000)
    gather_ms: float = Field(default=2.0, ge=0)
    spacing_ms: float = Field(default=25.0, ge=0)


class StackSettings(BaseModel):
    """The embedded local stack. ``broker_heap``: memory of the broker's JVM, such as 512m or 1g."""

    model_config = ConfigDict(extra="forbid")
    broker_heap: str = Field(default="512m", pattern="^[1-9][0-9]*[mg]$")


class Settings(BaseSettings):
    """Everything a program can be told. Unknown ``OFFERFLOW_`` names below a known group are errors."""

    model_config = SettingsConfigDict(env_prefix="OFFERFLOW_", env_nested_delimiter="__", extra="ignore")
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    metrics: HttpSettings = HttpSettings()
    ingest: IngestSettings = IngestSettings()
    console: HttpSettings = HttpSettings()
    registry: RegistrySettings = RegistrySettings()
    fuse: FuseSettings = FuseSettings()
    store: StoreSettings = StoreSettings()
    history: HistorySettings = HistorySettings()
    webhooks: WebhookSettings = WebhookSettings()
    local: LocalSettings = LocalSettings()
    log: LogSettings = LogSettings()
    batch: BatchSettings = BatchSettings()
    stack: StackSettings = StackSettings()
    topic_prefix: str = "offerflow."
    partitions: int = Field(default=8, ge=1, le=4096)
    worker: str = ""

    def topic(self, name: str) -> str:
        """Full name of a topic: ``raw.backend`` is ``offerflow.raw.backend`` by default."""
        return self.topic_prefix + name

    def group(self, stage: str) -> str:
        """Consumer group of a stage: ``validation`` or ``rules``."""
        return self.topic_prefix + stage


def load_settings(**given: object) -> Settings:
    """Settings from the environment, overridden by ``given``. Raises ConfigError that names each wrong variable."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [_wrong(one) for one in error.errors(include_url=False)]
        raise ConfigError("settings are wrong: " + "; ".join(lines)) from None
    except SettingsError as error:
        raise ConfigError(f"settings are wrong: {error}; expected JSON, or a variable for each setting of it") from None


def check_redis_url(url: str) -> str:
    """The URL, if it may be that of a Redis. Raises ValueError, which does not repeat it: it may hold a password."""
    scheme = url.partition("://")[0]
    parts = addresses.split(url)
    if "://" not in url or scheme not in ("redis", "rediss", "unix"):
        raise ValueError("expected redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix://PATH")
    if parts is None:
        raise ValueError(
            f"this {scheme}:// URL cannot be read: expected a number as its port, and any of : / ? # @ [ ] in a"
            " password percent-encoded"
        )
    return url


def _wrong(error: ErrorDetails) -> str:
    """One setting that is wrong, with what was given where that cannot be a secret."""
    name = "OFFERFLOW_" + "__".join(map(str, error["loc"])).upper()
    what = error["msg"].removeprefix("Value error, ")
    if error["loc"][0] in _MAY_BE_SECRET or error["type"] == "extra_forbidden":
        return f"{name}: {what}"
    return f"{name}: {what} (got {error.get('input')!r})"


def environment() -> dict[str, str]:
    """A copy of this process's environment, for programs that start others."""
    return dict(os.environ)
