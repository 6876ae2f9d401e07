"""How an adapter writes what a client of another protocol sent as a native envelope (docs/formats.md).

What was sent is kept: properties and context go in as the bytes they came in, ids and times of a type that no envelope
has go in as they are, so that the dead letter says what was wrong with them. ``via`` tells where the event came by and
what of the item has no place in an envelope. Validation does not look at it; people do.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from offerflow.runtime.keys import SERVER, WRITE, check_key
from producers.envelope import mint_id
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.keyring import Source
from producers.ingest.members import KEYS
from schemas.envelope import TYPED


class Via(Struct, omit_defaults=True):
    """``protocol`` as in the metrics; ``time`` as the client gave it, where the envelope's differs; ``sent_at`` as
    given; ``debug`` where the client says that it is in debug mode; ``rest``: members of the item that an envelope has
    no place for, never a key."""

    protocol: str
    time: Any = UNSET
    sent_at: Any = UNSET
    library: Any = UNSET
    debug: bool = False
    rest: dict[str, Any] | UnsetType = UNSET


class Sent(Struct, omit_defaults=True):
    """An envelope to be. ``time`` is milliseconds since 1970, or what was given where that cannot be read as a time."""

    source: str = ""
    event: Any = UNSET
    type: str | UnsetType = UNSET
    user_id: Any = UNSET
    anonymous_id: Any = UNSET
    previous_id: Any = UNSET
    event_id: Any = UNSET
    time: Any = UNSET
    properties: Any = UNSET
    context: Any = UNSET
    via: Via | UnsetType = UNSET


_encode = msgspec.json.encode
_WHOLE_KEY = re.compile(rb'(?<!\\)"((?:%b|%b)[0-9A-Za-z]+)"' % (SERVER.encode(), WRITE.encode()))
_HIDDEN = b'"(key, hidden)"'


def raw_event(sent: Sent, source: Source) -> RawEvent:
    """The envelope as bytes, with the source of the key, an id if there was none, and the Kafka key."""
    sent.source = source.id
    event_id = sent.event_id
    if event_id is UNSET or event_id is None or event_id == "":
        event_id = sent.event_id = mint_id()
    kind = sent.type
    name = TYPED.get(kind, "") if isinstance(kind, str) and kind != "track" else sent.event
    value = _encode(sent)
    if any(beginning in value for beginning in KEYS):
        value = _encode(_without_keys(sent))
    key = as_id(sent.user_id) or as_id(sent.anonymous_id)
    return RawEvent(str(event_id), key if isinstance(key, str) else "", value,
                    name if isinstance(name, str) else "")  # fmt: skip


def _without_keys(sent: Sent) -> Sent:
    """Some clients say their key as a property or in the context, and a key is never stored, wherever it came."""
    sent.properties, sent.context = _hidden(sent.properties), _hidden(sent.context)
    if isinstance(sent.via, Via) and sent.via.rest is not UNSET:
        sent.via.rest = {name: _hidden(value) for name, value in sent.via.rest.items()}
    return sent


def _hidden(value: Any) -> Any:
    """Each text that is a whole key becomes another; what surrounds it stays the bytes it is."""
    return value if value is UNSET else Raw(_WHOLE_KEY.sub(_unless_key, _encode(value)))


def _unless_key(text: re.Match[bytes]) -> bytes:
    return _HIDDEN if check_key(text[1].decode()) else text[0]


def no_object(item: bytes, protocol: str, source: Source) -> RawEvent:
    """For an item of a batch that is no JSON object: nothing but what came, for the dead letter to show. A refusal
    would cost the client the rest of the batch."""
    return raw_event(Sent(via=Via(protocol, rest={"item": Raw(item)})), source)


def as_id(value: Any) -> Any:
    """An id as text: clients send numbers for ids. Null and "" are no id (UNSET); what else is no id stays as it is, so
    that the dead letter shows it."""
    if isinstance(value, str):
        return value or UNSET
    if value is None or value is UNSET:
        return UNSET
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
