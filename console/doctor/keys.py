"""Keys of senders: is there any, which end soon, and which nobody uses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime

from console.doctor.catalog import catalog_of
from console.doctor.finding import Check, Finding, days, some
from offerflow.catalog.view import Catalog, Key, sources_of
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.key_use import key_use, last_uses
from offerflow.runtime.store.looking import open_to_look, require
from offerflow.runtime.store.transactions import reading

AREA = "keys"
DAY_MS = 24 * 3600 * 1000
SOON_MS, IDLE_MS = 14 * DAY_MS, 30 * DAY_MS

ACTIVE = Check("keys-active", AREA, "a key at least, for somebody to send with")
ENDING = Check("keys-ending", AREA, f"none that ends within {SOON_MS // DAY_MS} days and has no other in its place")
UNUSED = Check("keys-unused", AREA, f"none that was not used for {IDLE_MS // DAY_MS} days")
ORPHANED = Check("keys-orphaned", AREA, "none whose source is gone")
IN_CATALOG = (ACTIVE, ENDING, ORPHANED)


def look_keys(settings: Settings) -> Iterator[Finding]:
    catalog, now = catalog_of(settings), _now()
    yield judge_active(catalog, now, sources=len(sources_of(settings, catalog)), local=_local(settings))
    yield judge_ending(catalog, now)
    yield judge_orphaned(catalog, now)


def look_uses(settings: Settings) -> Iterator[Finding]:
    engine = open_to_look(settings)
    try:
        with reading(engine) as connection:
            require(connection, key_use)
            uses = last_uses(connection)
    finally:
        engine.dispose()
    yield judge_unused(catalog_of(settings), uses, _now())


def judge_active(catalog: Catalog, now: int, *, sources: int, local: bool) -> Finding:
    """``sources``: how many there are; ``local``: whether the key of the local stack is one."""
    number = sum(key.active(now) for key in catalog.keys.values()) + local
    if number:
        return ACTIVE.ok(f"{number} active" + (", the local stack's among them" if local else ""))
    if not sources:
        return ACTIVE.warn(
            "no key, and no source", "declare sources (docs/apply.md), then `offerflow keys create SOURCE`"
        )
    return ACTIVE.warn(
        "no key is active: nobody can send by HTTP", "`offerflow keys create SOURCE`, unless all produce to Kafka"
    )


def judge_ending(catalog: Catalog, now: int) -> Finding:
    """One that ends while its replacement is there ends as planned."""
    active = _active(catalog, now)
    ids = {key.id for key in active}
    ending = [key for key in active if key.expires_at and key.expires_at - now < SOON_MS and key.replaced_by not in ids]
    told = [f"{_name(key)} in {days(key.expires_at - now)}" for key in sorted(ending, key=lambda one: one.expires_at)]
    if not told:
        return ENDING.ok("none")
    return ENDING.warn(
        some(told), "`offerflow keys rotate ID` and give senders the new key, or `offerflow keys change ID --expires …`"
    )


def judge_orphaned(catalog: Catalog, now: int) -> Finding:
    gone = [_name(key) for key in _active(catalog, now) if key.source not in catalog.sources]
    if gone:
        return ORPHANED.warn(some(gone), "`offerflow keys revoke ID`, or apply the source again")
    return ORPHANED.ok("none")


def judge_unused(catalog: Catalog, uses: Mapping[str, int], now: int) -> Finding:
    """``uses``: when each was last used, milliseconds since 1970 by id."""
    told = []
    for key in _active(catalog, now):
        since = uses.get(key.id, _created(key))
        if since is not None and now - since > IDLE_MS:
            told.append(f"{_name(key)}: " + (f"{days(now - since)} ago" if key.id in uses else "never"))
    if told:
        return UNUSED.warn(some(told), "find out whose it is, and `offerflow keys revoke ID` if it is nobody's")
    return UNUSED.ok("none")


def _active(catalog: Catalog, now: int) -> list[Key]:
    return [key for key in catalog.keys.values() if key.active(now)]


def _created(key: Key) -> int | None:
    return round(datetime.fromisoformat(key.created_at).timestamp() * 1000) if key.created_at else None


def _name(key: Key) -> str:
    return f"{key.id} of {key.source}"


def _local(settings: Settings) -> bool:
    return settings.local.server_key is not None


def _now() -> int:
    return time.time_ns() // 1_000_000
