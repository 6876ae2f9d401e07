"""A difference as people read it: which journal record, which user, which field, decoded on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from console.verify.bounds import CLIENT
from console.verify.collecting import CODECS, DEAD_LETTERS, plain_headers
from console.verify.findings import OUTPUTS, Bytes, Cause, Difference
from offerflow.catalog.view import Catalog
from offerflow.rules.state import EntityState, PartitionState, unpack_entity, unpack_partition
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.settings import Settings
from schemas.announce import rfc3339
from schemas.catalog import plan_of
from schemas.codec import schema_id_of
from schemas.journal import RULESET_ACTIVATED, TICK
from schemas.requests import REQUESTS

_UNEQUAL = ("failed_at", "version")
"""What two dead letters of the same record need not have in common."""
_LONG = 300


class Field(msgspec.Struct, frozen=True):
    """One field that differs; None for what one side does not have."""

    name: str
    expected: str | None
    found: str | None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """``user``: the entity without its ``u:``. ``record``: the journal record ``partition/offset`` that decided it, or
    that concerned the state last, and ``event`` what that is. ``places``: where the topics have it."""

    check: str
    kind: str
    partition: int | None
    subject: str
    id: str
    user: str | None = None
    record: str | None = None
    event: str | None = None
    appended: str | None = None
    places: list[str] = []
    position: int | None = None
    fields: list[Field] = []
    detail: str = ""


class Explainer:
    """Explains differences of one deployment; fetches from the topics what it must show."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._plan = plan_of(catalog)

    def __call__(self, one: Difference) -> Explained:
        found = one.found
        if found is None and one.check == OUTPUTS and one.places:
            # Of a duplicate the last one is the one too many.
            found = self._fetched(one.places[-1])
        expected_fields, found_fields = _decoded(one, one.expected), _decoded(one, found)
        return Explained(
            check=one.check, kind=one.kind, partition=None if one.partition < 0 else one.partition,
            subject=one.subject, id=one.id, user=_user(one, found),
            record=f"{one.cause.partition}/{one.cause.offset}" if one.cause else None,
            event=self._event(one.cause) if one.cause else None,
            appended=rfc3339(one.cause.timestamp) if one.cause else None,
            places=[f"{self._settings.topic(topic)} {partition}/{offset}" for topic, partition, offset in one.places],
            position=one.position, fields=_fields(expected_fields, found_fields), detail=one.words,
        )  # fmt: skip

    def _fetched(self, place: tuple[str, int, int]) -> Bytes | None:
        topic, partition, offset = place
        spans = {(self._settings.topic(topic), partition): (offset, offset + 1)}
        for record in read_spans(self._settings, spans, CLIENT):
            return Bytes(record.key(), record.value(), plain_headers(record.headers()))
        return None

    def _event(self, cause: Cause) -> str:
        try:
            schema_id = schema_id_of(cause.value or b"")
        except ValueError:
            return "a record that is none of ours"
        if schema_id in (TICK.id, RULESET_ACTIVATED.id):
            return "tick" if schema_id == TICK.id else "activation of a ruleset"
        if schema_id in REQUESTS:
            return REQUESTS[schema_id].name
        schema = self._plan.by_id.get(schema_id)
        return f"an event of schema {schema_id}" if schema is None else schema.event_type().names[0]


def _user(one: Difference, found: Bytes | None) -> str | None:
    side = one.expected or found
    if one.check == OUTPUTS:
        key = side.key if side is not None else None
        text = None if key is None else key.decode(errors="backslashreplace")
        # Dead letters have the key of the journal record.
        return text.removeprefix("u:") if text is not None and one.subject == DEAD_LETTERS else text
    return one.id.removeprefix("u:") if one.subject in ("state", "timer", "open") else None


def _decoded(one: Difference, side: Bytes | None) -> dict[str, Any] | None:
    if side is None:
        return None
    value = side.value or b""
    try:
        if one.check == OUTPUTS:
            fields = {"key": side.key, **CODECS[one.subject].decode(value)}
            return fields | {f"header {name}": header for name, header in side.headers}
        if one.subject == "state":
            return _struct(unpack_entity(value))
        if one.subject == "fold":
            return _struct(unpack_partition(value))
    except Exception as error:  # whatever decoders make of foreign bytes
        return {"value": value, "": f"cannot be read: {error}"}
    return {one.subject: value.decode()}


def _struct(state: EntityState | PartitionState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in state.__struct_fields__}


def _fields(expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> list[Field]:
    """Those that differ; where one side is missing all of the other, in order."""
    names = dict.fromkeys([*(expected or ()), *(found or ())])
    told = []
    for name in names:
        ours, theirs = _shown(expected, name), _shown(found, name)
        if ours != theirs and not (expected and found and name in _UNEQUAL):
            told.append(Field(name, _cut(ours, theirs), _cut(theirs, ours)))
    return told


def _shown(side: Mapping[str, Any] | None, name: str) -> str | None:
    if side is None or name not in side:
        return None
    value = side[name]
    if isinstance(value, bytes):
        return value.decode() if value.isascii() and value.decode().isprintable() else value.hex()
    return str(value)


def _cut(text: str | None, other: str | None) -> str | None:
    """A long text from a little before where it differs."""
    if text is None or len(text) <= _LONG:
        return text
    start = 0
    if other is not None:
        same = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), len(other))
        start = max(0, same - _LONG // 3)
    cut = text[start : start + _LONG]
    return ("…" if start else "") + cut + ("…" if start + _LONG < len(text) else "")
