"""Which source a key belongs to: the built-in key of a local stack, and the keys of the catalog.

Every protocol looks for it in the same order: Basic (user, then password), Bearer, headers of its own, body, query.
"""

from __future__ import annotations

import binascii
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from offerflow.catalog.view import LOCAL_SERVER
from offerflow.runtime.keys import SERVER, WRITE, check_key, key_hash
from offerflow.runtime.metrics import ingest_wrong_keys
from offerflow.runtime.settings import LocalSettings
from offerflow.runtime.topics import CHANNELS as ORIGINS
from producers.ingest.answers import Refusal, unauthorized

CHANNELS: Mapping[str, str] = {origin: channel for channel, origin in ORIGINS.items()}
"""The raw topic (without prefix) that takes the events of a source's origin."""


class Terms(NamedTuple):
    """What a key may do. ``id``: the first digits of its SHA-256. ``events``: the only names it may send, if any are
    given. ``origins``: the web origins browsers may use it from; None where any may. ``rate``: events per second it may
    send on average, 0 for any number, and ``burst`` how many at once. ``expires_at``: when it ends, in milliseconds
    since 1970; 0 for never."""

    id: str = ""
    events: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    rate: float = 0
    burst: int = 0
    expires_at: int = 0


FREE = Terms()


class Source(NamedTuple):
    """Who sends: the id every event gets, the origin that picks the channel, and what the key used may do."""

    id: str
    origin: str
    terms: Terms = FREE

    @property
    def channel(self) -> str:
        return CHANNELS[self.origin]


_BEGINNINGS = (SERVER, WRITE)
_LONGEST = 512
"""Characters of what is looked up at all; keys have 52."""
_FIELDS = 200
"""Of a query string that is searched for a key."""


class KeyRing:
    """Sources by the SHA-256 of their keys. Replaced as a whole when the catalog changes, read on every request.
    ``now`` in seconds since 1970; it is asked only where a key has an end."""

    def __init__(self, local: LocalSettings, now: Callable[[], float] = time.time) -> None:
        key = local.server_key
        self._now = now
        self._built_in: Mapping[str, Source] = {}
        if key is not None:
            digest = key_hash(key.get_secret_value())
            self._built_in = {digest: Source(LOCAL_SERVER.id, LOCAL_SERVER.origin)}
        self._sources: Mapping[str, Source] = self._built_in

    def replace(self, sources: Mapping[str, Source]) -> None:
        """``sources`` by key hash, from the catalog; the built-in key stays."""
        self._sources = {**sources, **self._built_in}

    def source_of(self, key: str) -> Source | Refusal:
        """What it costs is the same for every wrong key, and what it takes tells nothing of the right ones."""
        source = self._sources.get(key_hash(key)) if len(key) <= _LONGEST else None
        if source is not None:
            ends = source.terms.expires_at
            if not ends or self._now() * 1000 < ends:
                return source
            ingest_wrong_keys.labels("expired").inc()
            return _expired(source)
        if len(key) <= _LONGEST and check_key(key):
            ingest_wrong_keys.labels("unknown").inc()
            return unauthorized("this key is not known here: it was revoked, or it belongs to another deployment")
        ingest_wrong_keys.labels("malformed").inc()
        return unauthorized(
            "this is not a whole key (mistyped or cut off?): expected sk_… or wk_… as `offerflow keys create` printed"
            " it, or as `offerflow up` did for a local stack"
        )


def bearer_key(headers: Mapping[bytes, bytes]) -> str | Refusal:
    """The key in ``Authorization: Bearer …``, for protocols that know no other place."""
    value = headers.get(b"authorization")
    if value is None:
        return unauthorized("no key: expected the header `Authorization: Bearer sk_…`")
    return _token(value) or unauthorized(
        "the Authorization header is of another form: expected `Authorization: Bearer sk_…`"
    )


def basic_key(headers: Mapping[bytes, bytes]) -> str | None:
    """Of ``Authorization: Basic …``: whichever of user and password begins as a key does, else the user, else the
    password. None where there is neither."""
    value = headers.get(b"authorization")
    return _best(_user_and_password(value)) if value else None


def query_key(query: bytes, names: Iterable[str]) -> str | None:
    """The first of ``names`` that the query string, or a body of the same form, gives a value."""
    if not query:
        return None
    try:
        said = dict(parse_qsl(query.decode("latin-1"), max_num_fields=_FIELDS))
    except ValueError:
        return None
    return next((said[name] for name in names if said.get(name)), None)


def first_key(
    headers: Mapping[bytes, bytes],
    expected: str,
    named: Iterable[bytes] = (),
    body: Callable[[], object] | None = None,
    query: bytes = b"",
    query_names: Iterable[str] = (),
) -> str | Refusal:
    """The first thing that begins as a key does, else the first thing given, so that the answer can say it is none.

    ``named``: header names in lower case. ``body`` is asked for the key in the body only where no header has one; what
    it returns may be of any type. ``expected`` tells where clients of the protocol put their key, for the answer to
    those that gave none.
    """
    found: list[str] = []
    value = headers.get(b"authorization")
    if value:
        found += _user_and_password(value) or (_token(value),)
        if found[0].startswith(_BEGINNINGS):  # which is where nearly all clients have it
            return found[0]
    found += [headers[name].decode("latin-1").strip() for name in named if name in headers]
    key = _begun(found)
    if key is None and body is not None:
        inside = body()
        found.append(inside.strip() if isinstance(inside, str) else "")
        key = _begun(found[-1:])
    if key is None:
        found.append(query_key(query, query_names) or "")
        key = _begun(found[-1:])
    if key is not None:
        return key
    given = next((one for one in found if one), None)
    if given is not None:
        return given
    if value:
        return unauthorized(f"the Authorization header holds no key; expected {expected}")
    return unauthorized(f"no key: expected {expected}")


def _expired(source: Source) -> Refusal:
    ended = datetime.fromtimestamp(source.terms.expires_at / 1000, UTC).isoformat(timespec="seconds")
    return unauthorized(
        f"this key of source {source.id} ended at {ended}; `offerflow keys list` shows which are active,"
        " `offerflow keys create` makes another"
    )


def _token(authorization: bytes) -> str:
    """Of ``Bearer …``; empty where it is something else."""
    scheme, _, key = authorization.partition(b" ")
    return key.decode("latin-1").strip() if scheme.lower() == b"bearer" else ""


def _user_and_password(authorization: bytes) -> tuple[str, ...]:
    """Of ``Basic …``; empty where there is none or it cannot be read."""
    scheme, _, coded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return ()
    try:
        # With more padding than needed, since clients written by hand leave it out.
        plain = binascii.a2b_base64(coded.rstrip(b"= \t") + b"==")
    except ValueError:
        return ()
    user, _, password = plain.decode("utf-8", "replace").partition(":")
    return user.strip(), password.strip()


def _best(found: tuple[str, ...]) -> str | None:
    return _begun(found) or next((one for one in found if one), None)


def _begun(found: Iterable[str]) -> str | None:
    """The first that begins as a key does."""
    return next((one for one in found if one.startswith(_BEGINNINGS)), None)
