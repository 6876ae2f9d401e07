"""Endpoints as the store has them: made, looked at and changed by commands, followed by the worker."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.store.webhooks import ACTIVE, DISABLED, PAUSED, endpoints, secrets
from offerflow.runtime.webhooks.breaker import Breaker
from offerflow.runtime.webhooks.deliveries import forget
from offerflow.runtime.webhooks.signing import new_secret

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class Endpoint(msgspec.Struct, frozen=True):
    """``secrets``: those valid now, the current one first. ``why``: the reason it is not active."""

    name: str
    url: str
    types: tuple[str, ...]
    state: str
    why: str
    created_at: int
    breaker: Breaker
    secrets: tuple[str, ...]


def add(connection: Connection, name: str, url: str, types: Sequence[str], now: int) -> str:
    """Make an active endpoint and return its secret. Raises OfferflowError if the name is taken or no name."""
    if not _NAME.fullmatch(name):
        raise OfferflowError(
            f"{name!r} is no name for an endpoint: up to 63 small letters, digits, - and _, beginning with a letter"
        )
    if connection.scalar(select(endpoints.c.name).where(endpoints.c.name == name)) is not None:
        raise OfferflowError(f"there is an endpoint {name} already; remove it, or choose another name")
    connection.execute(
        insert(endpoints).values(name=name, url=url, types=" ".join(types), state=ACTIVE, why="", created_at=now)
    )
    return _new_secret(connection, name, now)


def every(connection: Connection, now: int) -> list[Endpoint]:
    """All endpoints by name."""
    valid: dict[str, list[str]] = {}
    chosen = select(secrets.c.endpoint, secrets.c.secret).where(
        (secrets.c.expires_at.is_(None)) | (secrets.c.expires_at > now)
    )
    for owner, secret in connection.execute(chosen.order_by(secrets.c.id.desc())):
        valid.setdefault(owner, []).append(secret)
    rows = connection.execute(select(endpoints).order_by(endpoints.c.name))
    return [_endpoint(row, valid) for row in rows]


def find(connection: Connection, name: str, now: int) -> Endpoint:
    """Raises OfferflowError with the nearest name if there is none of that name."""
    known = {one.name: one for one in every(connection, now)}
    if name not in known:
        raise OfferflowError(f"there is no webhook endpoint {name!r}{did_you_mean(name, known)}")
    return known[name]


def rotate(connection: Connection, name: str, overlap_ms: int, now: int) -> tuple[str, int | None]:
    """Make a new current secret; the one before it signs too for ``overlap_ms``. Returns the new one and when the old
    one ends. Raises OfferflowError during a rotation, unless the overlap is 0, which ends every older one at once."""
    if overlap_ms and len(find(connection, name, now).secrets) > 1:
        raise OfferflowError(
            f"{name} has two secrets already, since a rotation is under way (`offerflow webhooks show {name}` tells"
            " until when); with --overlap 0s the older ones end at once"
        )
    ends = now + overlap_ms
    connection.execute(
        update(secrets)
        .where(secrets.c.endpoint == name, (secrets.c.expires_at.is_(None)) | (secrets.c.expires_at > ends))
        .values(expires_at=ends)
    )
    connection.execute(delete(secrets).where(secrets.c.endpoint == name, secrets.c.expires_at <= now))
    return _new_secret(connection, name, now), ends if overlap_ms else None


def rotation_ends(connection: Connection, name: str, now: int) -> int | None:
    """When the older secret ends; None if there is one secret only."""
    found: int | None = connection.scalar(
        select(func.max(secrets.c.expires_at)).where(secrets.c.endpoint == name, secrets.c.expires_at > now)
    )
    return found


def pause(connection: Connection, name: str) -> None:
    """Deliveries wait, and are not counted as late meanwhile. Messages go on to be queued."""
    connection.execute(update(endpoints).where(endpoints.c.name == name).values(state=PAUSED, why="paused by hand"))


def resume(connection: Connection, name: str) -> None:
    """Active again, whatever it was, with its breaker closed. What is parked stays parked until it is replayed."""
    write_breaker(connection, {name: Breaker()})
    connection.execute(update(endpoints).where(endpoints.c.name == name).values(state=ACTIVE, why=""))


def disable(connection: Connection, name: str, why: str) -> None:
    """Nothing is tried any more until somebody resumes it. The worker parks what waits."""
    connection.execute(
        update(endpoints).where(endpoints.c.name == name, endpoints.c.state != DISABLED).values(state=DISABLED, why=why)
    )


def change(connection: Connection, name: str, url: str | None, types: Sequence[str]) -> None:
    """Another URL, other types, or both; what is not given stays. Queue and secrets stay as well."""
    new = {"url": url, "types": " ".join(types)}
    connection.execute(
        update(endpoints).where(endpoints.c.name == name).values({key: one for key, one in new.items() if one})
    )


def remove(connection: Connection, name: str) -> int:
    """With its secrets, its queue and its log. Returns how many deliveries had not arrived."""
    lost = forget(connection, name)
    connection.execute(delete(secrets).where(secrets.c.endpoint == name))
    connection.execute(delete(endpoints).where(endpoints.c.name == name))
    return lost


def write_breaker(connection: Connection, breakers: Mapping[str, Breaker]) -> None:
    for name, breaker in breakers.items():
        values = msgspec.structs.asdict(breaker)
        connection.execute(update(endpoints).where(endpoints.c.name == name).values(**values))


def _new_secret(connection: Connection, name: str, now: int) -> str:
    secret = new_secret()
    connection.execute(insert(secrets).values(endpoint=name, secret=secret, created_at=now))
    return secret


def _endpoint(row: Row[tuple[object, ...]], valid: Mapping[str, Sequence[str]]) -> Endpoint:
    return Endpoint(
        row.name, row.url, tuple(row.types.split()), row.state, row.why, row.created_at,
        Breaker(row.failures, row.trips, row.open_until, row.failing_since), tuple(valid.get(row.name, ())),
    )  # fmt: skip
