"""Keys made, replaced, changed and removed, as records to write. Nothing here writes or asks.

A source has at most two active keys, and beside each the one that it replaces, while senders change over. A key that
ended or was revoked is kept a month, so that lists and answers can say what became of it; then the next change of any
key drops it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from offerflow.catalog.view import Catalog, Key, Value
from offerflow.rules.durations import DAY
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.keys import SERVER, WRITE, key_hash

ACTIVE_PER_SOURCE = 2
_KEPT_MS = 30 * DAY


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What to write: records of the catalog, and what the topic ``audit`` is told, a line for each key."""

    records: Mapping[str, Value | None]
    lines: tuple[Mapping[str, Any], ...]

    def audit(self, topic: str, author: str, how: str, now: int, serial: int) -> Output:
        """The record for ``topic``, in the form that every change of the catalog has there."""
        value = {
            "at": rfc3339(now), "by": author, "how": how, "serial": serial, "ruleset": None, "changes": self.lines,
        }  # fmt: skip
        return Output(topic, author.encode(), msgspec.json.encode(value), partition=0)


def find(catalog: Catalog, wanted: str) -> Key:
    """The key that ``wanted`` is: itself, or as much of its id as tells it from others. Raises OfferflowError."""
    digest = key_hash(wanted) if wanted.startswith((SERVER, WRITE)) else wanted.lower()
    matching = [key for name, key in catalog.keys.items() if digest and name.startswith(digest)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise OfferflowError(f"{len(matching)} keys begin with this id; `offerflow keys list` shows the ids of all")
    raise OfferflowError(
        "no key here has this id: `offerflow keys list` shows the ids of all, those that ended or were revoked within"
        " the last 30 days included"
    )


def created(catalog: Catalog, key: Key, now: int) -> KeyChange:
    """Raises OfferflowError if there is no such source, or no room for a further key of it."""
    if key.source not in catalog.sources:
        hint = did_you_mean(key.source, catalog.sources)
        raise OfferflowError(
            f"there is no source {key.source!r}; declare it in sources.yaml and apply that first{hint}"
        )
    _check_room(catalog, key.source, now)
    return KeyChange({**_outdated(catalog, now), **_record(key)}, (_line("add", key),))


def rotated(catalog: Catalog, old: Key, new_digest: str, grace_ms: int, now: int) -> tuple[Key, Key, KeyChange]:
    """The old key as it is now, with its end ``grace_ms`` from now (or sooner, if it had one), and a new one on the
    same terms: one that was made for 90 days is replaced by one for another 90. Raises OfferflowError if ``old`` has
    ended, or is being replaced, or still replaces another."""
    if not old.active(now):
        raise OfferflowError(f"{_ended(old)}; `offerflow keys create {old.source}` makes another")
    active = {key.id: key for key in catalog.keys.values() if key.active(now)}
    if old.replaced_by in active:
        raise OfferflowError(
            f"key {old.id} is being replaced by {old.replaced_by} already, and works until {rfc3339(old.expires_at)};"
            f" `offerflow keys revoke {old.id}` ends it sooner"
        )
    leaving = next((key for key in active.values() if key.replaced_by == old.id), None)
    if grace_ms and leaving is not None:
        raise OfferflowError(
            f"key {old.id} still replaces {leaving.id}, which works until {rfc3339(leaving.expires_at)}: wait, or"
            f" `offerflow keys revoke {leaving.id}` if nobody sends with it any more, or rotate with `--grace 0s`,"
            f" which ends {old.id} at once"
        )
    lifetime = _lifetime_ms(old)
    expires_at = now + lifetime if lifetime else 0
    new = replace(old, digest=new_digest, created_at=rfc3339(now), expires_at=expires_at, replaced_by="")
    ends = min(old.expires_at or now + grace_ms, now + grace_ms)
    ending = replace(old, expires_at=ends, replaced_by=new.id)
    lines = (_line("add", new), _line("change", ending))
    return ending, new, KeyChange({**_outdated(catalog, now), **_record(ending), **_record(new)}, lines)


def changed(catalog: Catalog, key: Key, now: int) -> tuple[Key, KeyChange]:
    """``key`` as it is to be, under the digest that it has, and as it will be: one whose end is put off leaves nobody
    its place, replaced or not. Raises OfferflowError if that would be one key too many."""
    before = catalog.keys[key.digest]
    if before.expires_at and (not key.expires_at or key.expires_at > before.expires_at):
        key = replace(key, replaced_by="")
    if before.revoked_at:
        raise OfferflowError(f"{_ended(before)}, for good; `offerflow keys create {key.source}` makes another")
    if _counts(key, now) and not _counts(before, now):
        _check_room(catalog, key.source, now)
    return key, KeyChange({**_outdated(catalog, now), **_record(key)}, (_line("change", key),))


def revoked(key: Key, now: int) -> KeyChange:
    """``key`` ended for good. Raises OfferflowError if it was revoked before."""
    if key.revoked_at:
        raise OfferflowError(f"{_ended(key)} already: nobody sends with it")
    # An edge of an older version looks at its end alone, and its clock may be behind: so that is long past.
    gone = replace(key, revoked_at=now, expires_at=1)
    return KeyChange(_record(gone), (_line("remove", key),))


def rfc3339(at: int) -> str:
    """Milliseconds since 1970 to whole seconds, as keys have their times."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _lifetime_ms(key: Key) -> int:
    """How long a key that ends was made for; 0 if it does not end, or nobody knows when it began."""
    if not (key.expires_at and key.created_at):
        return 0
    return max(0, key.expires_at - round(datetime.fromisoformat(key.created_at).timestamp() * 1000))


def _ended(key: Key) -> str:
    how, at = ("was revoked", key.revoked_at) if key.revoked_at else ("ended", key.expires_at)
    return f"key {key.id} {how} at {rfc3339(at)}"


def _counts(key: Key, now: int) -> bool:
    """Whether it takes up one of its source's places: one that is being replaced has left its own to its successor."""
    return key.active(now) and not key.replaced_by


def _check_room(catalog: Catalog, source: str, now: int) -> None:
    active = [key for key in catalog.keys.values() if key.source == source and _counts(key, now)]
    if len(active) >= ACTIVE_PER_SOURCE:
        ids = ", ".join(sorted(key.id for key in active))
        raise OfferflowError(
            f"{source} has {len(active)} active keys already ({ids}), and a source has at most {ACTIVE_PER_SOURCE}:"
            " replace one (`offerflow keys rotate ID`), revoke one that is not used any more (`offerflow keys list`"
            " tells), or declare a source of its own for the other purpose"
        )


def _outdated(catalog: Catalog, now: int) -> dict[str, Value | None]:
    """Takes keys out of the catalog that ended long ago."""
    return {f"key/{key.digest}": None for key in catalog.keys.values() if 0 < _end(key) <= now - _KEPT_MS}


def _end(key: Key) -> int:
    return key.revoked_at or key.expires_at


def _record(key: Key) -> dict[str, Value | None]:
    value: Value = {"source": key.source, "kind": key.kind, "created_at": key.created_at}
    for name in ("label", "rate", "burst", "expires_at", "replaced_by", "revoked_at"):
        if getattr(key, name):
            value[name] = getattr(key, name)
    for name in ("events", "origins"):
        if getattr(key, name) is not None:
            value[name] = list(getattr(key, name))
    return {f"key/{key.digest}": value}


def _line(action: str, key: Key) -> Mapping[str, Any]:
    (value,) = _record(key).values()
    return {"action": action, "kind": "key", "id": key.id, "terms": value if action != "remove" else None,
            "source": key.source}  # fmt: skip
