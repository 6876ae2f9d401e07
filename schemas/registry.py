"""Schemas of the plan as a registry knows them: whole texts, matched by Avro's parsing canonical form.

The canonical form (Avro 1.12 specification, Parsing Canonical Form) leaves out everything that does not change the
bytes, our own attributes among it, so a schema is found whatever its producer kept of them.
"""

from __future__ import annotations

import copy
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, to_parsing_canonical_form

from offerflow.runtime.registry import ExternalRegistry
from offerflow.runtime.settings import Settings
from schemas.codec import inlined
from schemas.plan import EventSchema, Plan

_UNPARSABLE = (SchemaParseException, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class InvalidSchema(ValueError):
    """A text is no Avro schema; the message says why."""


def at_home(schema: Any) -> Any:
    """A schema as it stands in the plan: a record without a namespace is in ``events``, and its meta is inlined."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "record" and "namespace" not in schema and "." not in str(schema.get("name")):
        schema = {"namespace": "events", **schema}
    return inlined(schema)


def canonical(schema: Any, references: Iterable[Any] = ()) -> str:
    """The parsing canonical form of a parsed schema. ``references`` are parsed schemas it names without defining.

    Raises InvalidSchema.
    """
    try:
        _refuse_marks(schema)
        return to_parsing_canonical_form(_written_out(at_home(schema), references))
    except _UNPARSABLE as error:
        raise InvalidSchema(f"it is no Avro schema: {_why(error)}"[:500]) from None


def parse(text: str) -> Any:
    """The JSON of a schema's text; a bare name such as ``string`` is one too. Raises InvalidSchema."""
    if text.isidentifier():
        return text
    try:
        return json.loads(text)
    except RecursionError:
        raise InvalidSchema("it nests too deeply") from None
    except ValueError as error:
        raise InvalidSchema(f"it is not JSON: {error}") from None


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, UnknownType):
        return f"nothing defines the type {error.name!r}"
    if isinstance(error, KeyError):
        return f"something in it lacks the attribute {error}"
    return str(error) if isinstance(error, SchemaParseException) else f"it is malformed ({error})"


def _refuse_marks(schema: Any) -> None:
    """fastavro takes a schema with its mark for one it has checked itself; a stranger's has not been."""
    if isinstance(schema, dict):
        if any(isinstance(key, str) and key.startswith("__") for key in schema):
            raise ValueError("it has attributes that begin with two underscores")
        for inner in schema.values():
            _refuse_marks(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _refuse_marks(inner)


def _written_out(schema: Any, references: Iterable[Any]) -> Any:
    """The schema with what it refers to put in place of the name's first mention."""
    named: dict[str, Any] = {}
    for reference in references:
        parsed = fastavro.parse_schema(copy.deepcopy(reference))
        named[parsed["name"]] = reference  # type: ignore[index,call-overload]

    def put(part: Any) -> Any:
        if isinstance(part, str):
            return put(named.pop(part)) if part in named else part
        if isinstance(part, list):
            return [put(branch) for branch in part]
        if isinstance(part, dict):
            inner = {key: put(part[key]) for key in ("type", "items", "values") if key in part}
            if isinstance(part.get("fields"), list):
                inner["fields"] = [put(field) for field in part["fields"]]
            return {**part, **inner}
        return part

    return put(schema) if named else schema


class ExternalIds:
    """Maps ids of a registry of the user's own to schema ids of the plan; None for one that the plan does not have.

    What an id stands for never changes, so it is asked once and kept, for a later ``plan`` too; that an id is unknown
    is believed for ``unknown_for_s``. Raises DependencyDown when the registry does not answer: then nothing may be
    said about the record. ``alive`` is called after each question, since a batch may bring many.
    """

    KEPT = 10_000
    UNKNOWN_KEPT = 100_000

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        alive: Callable[[], None] = lambda: None,
        unknown_for_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = ExternalRegistry(settings)
        self._alive = alive
        self._unknown_for = unknown_for_s
        self._now = now
        self._forms: OrderedDict[int, str] = OrderedDict()
        self._unknown: OrderedDict[int, float] = OrderedDict()
        self.plan = plan

    @property
    def plan(self) -> Plan:
        return self._plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._plan = plan
        # Versions that differ in bounds alone have one form: the last one named here, the newest, is meant.
        ascending = (*plan.by_id.values(), *plan.newest.values())
        self._by_form = {canonical_of(schema): schema.id for schema in ascending}

    def close(self) -> None:
        self._registry.close()

    def __call__(self, schema_id: int) -> int | None:
        form = self._forms.get(schema_id)
        if form is None:
            form = self._ask(schema_id)
        return None if form is None else self._by_form.get(form)

    def _ask(self, schema_id: int) -> str | None:
        since = self._unknown.get(schema_id)
        if since is not None and self._now() - since < self._unknown_for:
            return None
        found = self._registry.schema(schema_id)
        self._alive()
        if found is None:
            self._unknown.pop(schema_id, None)
            _keep(self._unknown, schema_id, self._now(), self.UNKNOWN_KEPT)
            return None
        try:
            form = canonical(parse(found.text), [parse(text) for text in found.references])
        except InvalidSchema:
            form = ""  # a schema of another kind, JSON Schema or Protobuf: known there, and never one of the plan
        _keep(self._forms, schema_id, form, self.KEPT)
        return form


def _keep(kept: OrderedDict[int, Any], key: int, value: Any, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)


def canonical_of(schema: EventSchema) -> str:
    return canonical(schema.definition)


def register(settings: Settings, schema: EventSchema) -> int:
    """Make an applied event schema known to the registry of the user's own, under the name of its record.

    Returns its id there. Raises DependencyDown if the registry is away, Refused if it will not have the schema.
    """
    text = json.dumps(inlined(schema.definition), ensure_ascii=False, separators=(",", ":"))
    registry = ExternalRegistry(settings)
    try:
        return registry.register(f"events.{schema.name}", text)
    finally:
        registry.close()
