"""Raw records as they arrived: who sent what, when, and the id by which its outcome is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from console.events.world import World
from offerflow.rules.ids import make_id
from schemas.channels import Channel
from schemas.codec import schema_id_of
from schemas.dead_letter import StoredLetter
from schemas.envelope import TYPED, Undecodable
from schemas.raw import is_framed, read
from schemas.retold import Origin, origin_of

Header = tuple[str, bytes | None]
Where = tuple[str, int, int]
"""Topic (full name), partition, offset."""


@dataclass(slots=True)
class Arrival:
    """``event`` is the name as the plan would look it up; ``event_id`` the one that validation gives, None for what it
    cannot read; ``given_id`` whether the sender gave it. Times are milliseconds since 1970. ``device``: ids of the
    device, ``debug``: whether the client says that it is in debug mode."""

    where: Where
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    appended: int
    received_at: int
    event: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    source: str | None = None
    event_id: str | None = None
    given_id: bool = False
    why: str | None = None
    devices: frozenset[str] = frozenset()
    debug: bool = False

    @property
    def joins(self) -> tuple[str, int] | None:
        """What it has in common with its journal record."""
        return None if self.event_id is None else (self.event_id, self.received_at)


class RawRecord(Protocol):
    """A record of a raw topic, or one like it."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> list[Header] | None: ...
    def timestamp(self) -> tuple[int, int]: ...


class Arrivals:
    """Reads raw records. ``closely``: also what says of which device they are."""

    def __init__(self, world: World, *, closely: bool = False) -> None:
        self._world = world
        self._closely = closely

    def __call__(self, record: RawRecord) -> Arrival:
        return self.read(
            (record.topic(), record.partition(), record.offset()), record.key(), record.value(),
            record.headers() or (), record.timestamp()[1],
        )  # fmt: skip

    def of_letter(self, letter: StoredLetter) -> Arrival:
        """The original of a dead letter of validation."""
        where = (letter.topic, letter.partition, letter.offset)
        arrival = self.read(where, letter.key, letter.value, letter.headers, letter.timestamp)
        arrival.event, arrival.source = arrival.event or letter.event, arrival.source or letter.source
        return arrival

    def read(
        self, where: Where, key: bytes | None, value: bytes | None, headers: Sequence[Header], appended: int
    ) -> Arrival:  # fmt: skip
        """Never raises for what somebody sent."""
        made = Arrival(where, key, value, headers, appended, appended)
        channel = self._world.channels.get(where[0])
        if channel is None:
            made.why = f"{where[0]} is no raw topic any more"
            return made
        place: Origin | None = None
        try:
            if channel.origin is None:
                place = origin_of(headers)
                made.received_at = place.received_at
                channel = self._world.channels.get(place.topic, Channel("journal", "", None, None))
            if is_framed(value):
                self._framed(made, channel)
            else:
                self._envelope(made, channel)
        except Undecodable as error:
            made.event, made.source, made.why = error.event, error.source, str(error)
        if made.why is None and made.event_id is None:
            partition, offset = (place.at_partition, place.at_offset) if place else where[1:]
            made.event_id = make_id(channel.topic_id, str(partition), str(offset))
        return made

    def _envelope(self, made: Arrival, channel: Channel) -> None:
        envelope = read(made.value, made.headers)
        made.event = TYPED.get(envelope.type or "track", envelope.event)
        made.user_id, made.anonymous_id = envelope.user_id, envelope.anonymous_id
        made.event_id, made.given_id = envelope.event_id or None, bool(envelope.event_id)
        made.source = envelope.source
        if made.source is None or made.source not in self._world.sources:
            made.source = channel.default_source or envelope.source
        if self._closely and made.value:
            made.devices, made.debug = _device(made.value)

    def _framed(self, made: Arrival, channel: Channel) -> None:
        value = made.value or b""
        try:
            number = schema_id_of(value)
        except ValueError as error:
            raise Undecodable(str(error)) from None
        schema = self._world.schema((number if channel.origin is None else self._world.our_id(number)) or -1)
        if schema is None:
            raise Undecodable(f"no event schema has the id {number}")
        made.event = schema.names[0]
        try:
            meta = self._world.meta(schema, value)
        except Exception as error:  # whatever a decoder makes of broken bytes
            raise Undecodable(f"does not decode as {schema.name}: {error}", {"event": schema.names[0]}) from None
        made.user_id, made.anonymous_id = meta["user_id"], meta["anonymous_id"]
        made.event_id, made.given_id = meta["event_id"] or None, bool(meta["event_id"])
        made.source = channel.default_source or meta["source"] or None
        if channel.name == "journal":
            made.received_at = meta["received_at"]


class _Device(msgspec.Struct, gc=False):
    id: Any = None
    token: Any = None
    advertisingId: Any = None  # noqa: N815 - as SDKs write it


class _Context(msgspec.Struct, gc=False):
    device: Any = None
    traits: Any = None


class _Via(msgspec.Struct, gc=False):
    debug: Any = None
    rest: Any = None


class _Close(msgspec.Struct, gc=False):
    anonymous_id: Any = None
    context: Any = None
    via: Any = None


_decode_close = msgspec.json.Decoder(_Close).decode
_REST = ("device_id", "deviceId", "$device_id")
_DEVICE = ("id", "token", "advertisingId")


def _device(value: bytes) -> tuple[frozenset[str], bool]:
    """Ids of the device wherever SDKs put them, and whether the client is in debug mode."""
    try:
        close = _decode_close(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset(), False
    via = close.via if isinstance(close.via, dict) else {}
    context = close.context if isinstance(close.context, dict) else {}
    rest, device = via.get("rest"), context.get("device")
    found = [close.anonymous_id]
    found += [rest.get(name) for name in _REST] if isinstance(rest, dict) else []
    found += [device.get(name) for name in _DEVICE] if isinstance(device, dict) else []
    return frozenset(one for one in found if isinstance(one, str) and one), via.get("debug") is True
