"""Whether versions of an event schema can read one another: the seven levels of Confluent's registry, judged by Apache
Avro (``avro.compatibility``), with the exact field that stands in the way.

BACKWARD: the new version reads what the version before wrote. FORWARD: the version before reads what the new one
writes. FULL: both. The transitive levels ask it of every earlier version. Source: Avro 1.12 specification, Schema
Resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType, lookup_writer_field
from avro.schema import ArraySchema, EnumSchema, MapSchema, RecordSchema, Schema, UnionSchema

from schemas.apache import parsed
from schemas.definition import LEVELS as LEVELS
from schemas.definition import level_of as level_of
from schemas.type_names import type_name


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a reader's schema cannot read what a writer's wrote. ``kind`` is missing (the reader requires a
    field that the writer lacks), null, enum or type; ``field`` a path such as ``address.city``, empty for the record
    itself; ``what`` says it in a sentence about ``{reader}`` and ``{writer}``."""

    kind: str
    field: str
    what: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """``new`` and ``old`` are version numbers; ``backward`` tells which of them is the reader that fails: the new one
    (True) or the old one."""

    new: int
    old: int
    backward: bool
    obstacle: Obstacle

    def __str__(self) -> str:
        """Such as "field y: version 2 requires it (string, no default) and version 1 lacks it; so …"."""
        reader, writer = (self.new, self.old) if self.backward else (self.old, self.new)
        field = f"field {self.obstacle.field}: " if self.obstacle.field else ""
        what = self.obstacle.what.replace("{reader}", f"version {reader}").replace("{writer}", f"version {writer}")
        return f"{field}{what}, so version {reader} cannot read events of version {writer}"

    @property
    def remedy(self) -> str:
        """What to do to the new version; the old one is written and stays as it is."""
        if self.obstacle.kind == "missing":
            default = 'give it a default, such as "type": ["null", …], "default": null'
            return default if self.backward else "keep it"
        if self.obstacle.kind == "null":
            return "keep it nullable" if self.backward else "keep it required"
        if self.obstacle.kind == "enum":
            return "keep the symbols as they are, or add a new optional field beside it"
        return "keep its type, and add a new optional field beside it"


def conflicts(new: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[Conflict]:
    """Why ``new`` may not follow ``earlier`` (every version applied before, ascending), under the level ``new`` names.
    Definitions are event schemas as written, ``events.Meta`` not inlined. Raises ValueError as ``obstacles``."""
    level = level_of(new)
    older = list(earlier) if level.endswith("_TRANSITIVE") else list(earlier[-1:])
    wanted = level.removesuffix("_TRANSITIVE")
    found = []
    for old in older:
        versions = int(new.get("version", 1)), int(old.get("version", 1))
        if wanted in ("BACKWARD", "FULL"):
            found += [Conflict(*versions, True, obstacle) for obstacle in obstacles(new, old)]
        if wanted in ("FORWARD", "FULL"):
            found += [Conflict(*versions, False, obstacle) for obstacle in obstacles(old, new)]
    return found


def obstacles(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> list[Obstacle]:
    """Everything that keeps readers of one event schema from reading events of the other; empty if they can.
    Raises ValueError if Apache Avro does not take one of them as a schema; it names the version."""
    pair = parsed(reader), parsed(writer)
    if _can_read(*pair):
        return []
    found = list(_explain(*pair, "", set()))
    return found or [Obstacle("type", "", "the schemas of {reader} and {writer} do not resolve")]


def can_read(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> bool:
    """Whether readers of one event schema can read events of the other. Raises ValueError as ``obstacles``."""
    return not obstacles(reader, writer)


def _can_read(reader: Schema, writer: Schema) -> bool:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(reader, writer)
    return bool(result.compatibility is SchemaCompatibilityType.compatible)


def _explain(reader: Schema, writer: Schema, path: str, seen: set[tuple[int, int]]) -> Iterator[Obstacle]:
    """The deepest places where two types fail to resolve; Apache's own result keeps places and reasons apart."""
    if (id(reader), id(writer)) in seen or _can_read(reader, writer):
        return
    seen.add((id(reader), id(writer)))
    if isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema) and reader.name == writer.name:
        for field in reader.fields:
            inner = f"{path}.{field.name}" if path else field.name
            other = lookup_writer_field(writer, field)
            if other is not None:
                yield from _explain(field.type, other.type, inner, seen)
            elif not field.has_default:
                what = f"{{reader}} requires it ({_name(field.type)}, no default) and {{writer}} lacks it"
                yield Obstacle("missing", inner, what)
    elif isinstance(reader, ArraySchema) and isinstance(writer, ArraySchema):
        yield from _explain(reader.items, writer.items, f"{path}[]", seen)
    elif isinstance(reader, MapSchema) and isinstance(writer, MapSchema):
        yield from _explain(reader.values, writer.values, f"{path}{{}}", seen)
    elif isinstance(reader, EnumSchema) and isinstance(writer, EnumSchema) and reader.name == writer.name:
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
        what = f"{{writer}} has {', '.join(missing)} in the enum {reader.name}, {{reader}} has not"
        yield Obstacle("enum", path, what)
    else:
        yield from _explain_types(reader, writer, path, seen)


def _explain_types(reader: Schema, writer: Schema, path: str, seen: set[tuple[int, int]]) -> Iterator[Obstacle]:
    """Unions, and types that have nothing in common. Where both sides are one type, perhaps beside null, it is compared
    on its own, so that a field inside it can be named."""
    mine, other = _not_null(reader), _not_null(writer)
    alone = len(mine) == len(other) == 1 and mine[0].type == other[0].type
    if alone and not _can_read(mine[0], other[0]) and (mine[0] is not reader or other[0] is not writer):
        yield from _explain(mine[0], other[0], path, seen)
    elif all(_can_read(reader, branch) for branch in other):
        yield Obstacle("null", path, f"it may be null in {{writer}}, {{reader}} takes {_name(reader)} only")
    else:
        yield Obstacle("type", path, f"it is {_name(writer)} in {{writer}} and {_name(reader)} in {{reader}}")


def _not_null(schema: Schema) -> list[Schema]:
    """The branches of a union, or the type itself."""
    branches = schema.schemas if isinstance(schema, UnionSchema) else [schema]
    return [branch for branch in branches if branch.type != "null"]


def _name(schema: Schema) -> str:
    return type_name(schema.to_json())
