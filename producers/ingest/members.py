"""The members of a JSON object that a client sent, looked at one by one; each stays the bytes it came in.

Numbers are not decoded unless somebody asks, so what no number type of ours holds passes on as it was written.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from offerflow.runtime.keys import SERVER, WRITE

KEYS = (f'"{SERVER}'.encode(), f'"{WRITE}'.encode())
"""How the JSON of a text that is a key begins."""
_MOST = 1 << 63

Fields = dict[str, Raw]

fields_decoder = msgspec.json.Decoder(Fields)
_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode


class Members:
    """Each member can be had once; what nobody asked for is the rest."""

    __slots__ = ("_left",)

    def __init__(self, fields: dict[str, Raw]) -> None:
        self._left = fields

    def raw(self, name: str) -> Raw | UnsetType:
        """Of any type; UNSET where it is missing or null."""
        raw = self._left.pop(name, None)
        return UNSET if raw is None or bytes(raw) == b"null" else raw

    def text(self, name: str) -> Any:
        """A name or an id: text, or a number in the digits it was written with. UNSET where it is missing, null or
        empty; of any other type it is Raw."""
        return as_text(self.raw(name))

    def id(self, name: str) -> str | UnsetType:
        """As ``text``, but what is no id stays in the rest."""
        raw = self.raw(name)
        text = as_text(raw)
        if isinstance(text, Raw):
            self._left[name] = text
            return UNSET
        return text if isinstance(text, str) else UNSET

    def value(self, name: str) -> Any:
        """Text, a number or a boolean; of any other type, or a number that is none of ours, it is Raw."""
        return as_value(self.raw(name))

    def put_back(self, name: str, raw: Raw) -> None:
        self._left[name] = raw

    @property
    def rest(self) -> dict[str, Any] | UnsetType:
        """What nobody asked for, without keys; for ``via.rest``."""
        rest = {name: raw for name, raw in self._left.items() if not bytes(raw).startswith(KEYS)}
        return rest or UNSET


def fields_of(text: bytes | Raw | UnsetType) -> Fields | None:
    """The members of an object; None for everything else. ``text`` is well-formed JSON."""
    if text is UNSET:
        return None
    try:
        return fields_decoder.decode(text)
    except msgspec.ValidationError:
        return None


def as_text(raw: Raw | UnsetType) -> Any:
    """See ``Members.text``."""
    if raw is UNSET:
        return UNSET
    written = bytes(raw)
    if written[:1] == b'"':
        try:
            return _decode_text(raw) or UNSET
        except msgspec.DecodeError:  # half a surrogate pair
            return raw
    return written.decode() if written[:1].isdigit() or written[:1] == b"-" else raw


def as_value(raw: Raw | UnsetType) -> Any:
    """See ``Members.value``."""
    if raw is UNSET or bytes(raw)[:1] in (b"{", b"["):
        return raw
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, ValueError):
        return raw
    return raw if isinstance(value, int) and not -_MOST <= value < _MOST else value
