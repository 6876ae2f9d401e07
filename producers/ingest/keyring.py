"""Which source a key belongs to: the built-in key of a local stack, and the keys of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from offerflow.catalog.view import LOCAL_SERVER
from offerflow.runtime.keys import check_key, key_hash
from offerflow.runtime.settings import LocalSettings
from offerflow.runtime.topics import CHANNELS as ORIGINS
from producers.ingest.answers import Refusal, unauthorized

CHANNELS: Mapping[str, str] = {origin: channel for channel, origin in ORIGINS.items()}
"""The raw topic (without prefix) that takes the events of a source's origin."""


class Terms(NamedTuple):
    """What a key may do. ``id``: the first digits of its SHA-256. ``events``: the only names it may send, if any are
    given. ``origins``: the web origins browsers may use it from; None where any may. ``rate``: events per second it may
    send on average, 0 for any number, and ``burst`` how many at once."""

    id: str = ""
    events: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    rate: float = 0
    burst: int = 0


FREE = Terms()


class Source(NamedTuple):
    """Who sends: the id every event gets, the origin that picks the channel, and what the key used may do."""

    id: str
    origin: str
    terms: Terms = FREE

    @property
    def channel(self) -> str:
        return CHANNELS[self.origin]


class KeyRing:
    """Sources by the SHA-256 of their keys. Replaced as a whole when the catalog changes, read on every request."""

    def __init__(self, local: LocalSettings) -> None:
        key = local.server_key
        self._built_in = {key_hash(key.get_secret_value()): Source(LOCAL_SERVER.id, LOCAL_SERVER.origin)} if key else {}
        self._sources: Mapping[str, Source] = self._built_in

    def replace(self, sources: Mapping[str, Source]) -> None:
        """``sources`` by key hash, from the catalog; the built-in key stays."""
        self._sources = {**sources, **self._built_in}

    def source_of(self, key: str) -> Source | Refusal:
        source = self._sources.get(key_hash(key))
        if source is not None:
            return source
        if check_key(key):
            return unauthorized("this key is not known here: it was revoked, or it belongs to another deployment")
        return unauthorized(
            "this is not a whole key (mistyped or cut off?): expected sk_… or wk_… as `offerflow keys create` printed"
            " it, or as `offerflow up` did for a local stack"
        )


def bearer_key(headers: Mapping[bytes, bytes]) -> str | Refusal:
    """The key in ``Authorization: Bearer …``."""
    value = headers.get(b"authorization")
    if value is None:
        return unauthorized("no key: expected the header `Authorization: Bearer sk_…`")
    scheme, _, key = value.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return unauthorized("the Authorization header is of another form: expected `Authorization: Bearer sk_…`")
    return key.strip()
