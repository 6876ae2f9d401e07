"""Asks services and programs whether they can work now. Each question is bounded in time and answers with a reason."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from console.stack.files import ProgramState
from offerflow.runtime.addresses import public_address
from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.settings import Settings

TIMEOUT_S = 2.0


def kafka(settings: Settings) -> str | None:
    """None when a request for metadata was answered (an open port is not enough), else why not. Takes 10 s at most."""
    from offerflow.runtime.kafka.admin import Admin

    try:
        Admin(settings).cluster_id()
    except OfferflowError as error:
        return str(error)
    return None


def redis(settings: Settings) -> str | None:
    """None when PING was answered; a server that still loads its data does not count."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(settings.redis.url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as client:
            client.ping()
    except (RedisError, OSError, TypeError, ValueError) as error:
        where = public_address(settings.redis.url)
        return f"Redis at {where} does not answer ({error}); is it running, is the address right?"
    return None


def program(url: str) -> str | None:
    """None when ``/readyz`` says ready, else the reason it gives."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=TIMEOUT_S):  # noqa: S310 - an address of our own
            return None
    except urllib.error.HTTPError as error:
        with error:
            try:
                return str(json.loads(error.read())["why"])
            except (ValueError, KeyError, TypeError):
                return f"/readyz answered {error.code}"
    except OSError as error:
        return f"/readyz does not answer ({getattr(error, 'reason', error)})"


def all_of(states: Iterable[ProgramState], settings: Settings) -> dict[str, str | None]:
    """Name to None (ready) or the reason, asked at the same time. ``settings`` name the stack's own Kafka and Redis."""

    def ask(state: ProgramState) -> str | None:
        if state.pid is None:
            return "not running; the supervisor is about to start it again"
        if state.url is not None:
            return program(state.url)
        if state.address is not None:
            at_it = settings.kafka.model_copy(update={"bootstrap_servers": state.address})
            return kafka(settings.model_copy(update={"kafka": at_it}))
        return redis(settings) if state.name == "valkey" else None  # the simulator: running is all there is

    states = list(states)
    with ThreadPoolExecutor(max(1, len(states)), "probe") as pool:
        return dict(zip((s.name for s in states), pool.map(ask, states), strict=True))


def kafka_or_raise(settings: Settings, brokers: int = 1) -> None:
    """Raises KafkaDown unless at least so many brokers are there."""
    from offerflow.runtime.kafka.admin import Admin

    admin = Admin(settings)
    admin.cluster_id()
    found = admin.brokers()
    if found < brokers:
        raise KafkaDown(f"{found} of {brokers} brokers of Kafka at {settings.kafka.bootstrap_servers} are there")
