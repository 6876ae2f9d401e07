"""From samples of one event to a draft of its schema: every sample that was taken is valid under it.

How a type is chosen is in docs/event-plan.md, Drafting. Bounds, patterns and unique keys are never guessed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.plan.names import counted, record_name
from console.plan.record_names import defined_names
from console.plan.shapes import Shape, personal
from console.plan.types import Typing, Untypable
from schemas.plan import ORIGINS, EventSchema, parse_event_schema
from schemas.values import is_name
from schemas.violations import Violation

EXTRA = {"type": "map", "values": "string"}
BY_NAME = "Planned by name; its properties are not typed yet."
REQUIRED_FROM = 10
"""Samples it takes before a property that all of them have is drafted as required: once a property is required it
stays so under the default compatibility level."""
MAX_PROPERTIES = 200
MAX_NAMES = 1000
"""Different property names that are looked at; what comes beyond is left to ``unplanned``."""
_RESERVED = {"meta": "is the record's first field", "extra": "is where unplanned properties are kept"}

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choices:
    """What whoever asks decides. ``required_from``: see REQUIRED_FROM; ``extra``: keep unplanned properties in a new
    type, rather than strip them; ``origins`` are for a new type, too."""

    enums: bool = False
    extra: bool = False
    required_from: int = REQUIRED_FROM
    origins: Sequence[str] = ORIGINS
    owner: str | None = None
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Drafted:
    """One property of the samples. ``field`` is None if the draft leaves it out; ``notes`` say why anything is as it
    is. ``example`` is None for what may be personal."""

    name: str
    field: dict[str, Any] | None
    seen: int
    nulls: int
    example: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """``definition`` is what an .avsc holds; ``base`` is the version it follows, None for a new type. ``conflicts``:
    planned properties that samples do not fit, with the reason."""

    event: str
    definition: dict[str, Any]
    properties: tuple[Drafted, ...]
    samples: int
    base: EventSchema | None = None
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        """How the catalog names it, such as ``event/LessonPaused@1``."""
        return f"event/{self.definition['name']}@{self.definition.get('version', 1)}"

    @property
    def changes(self) -> bool:
        """Whether it says anything that the plan does not have."""
        return self.base is None or self.definition["fields"] != self.base.definition["fields"]


def entry_by_name(name: str, record: str, choices: Choices) -> dict[str, Any]:
    """An event type of which only the name is known: all its properties are kept as JSON texts in ``extra``."""
    fields: list[dict[str, Any]] = [
        {"name": "meta", "type": "events.Meta"},
        {"name": "extra", "type": dict(EXTRA), "default": {}, "doc": "Every property not planned yet, as JSON text."},
    ]
    return _record(record, 1, name, fields, choices, choices.doc or BY_NAME, "allow")


def draft(event: str, samples: Iterable[Properties], claim: Callable[[str], bool], choices: Choices) -> Draft:
    """A new event type. ``claim`` says whether a record name may be taken, and then it is. Raises SchemaProblems if
    what came out cannot be applied."""
    notes: list[str] = []
    whole = _fold(samples, notes)
    record = record_name(event, claim)
    types = Typing(record, enums=choices.enums, strict=whole.objects >= choices.required_from)
    found = [_drafted(name, shape, whole.objects, types, new=True) for name, shape in whole.keys.items()]
    fields: list[dict[str, Any]] = [{"name": "meta", "type": "events.Meta"}]
    fields += [one.field for one in found if one.field is not None]
    if choices.extra:
        doc = "Every property not planned yet, as JSON text."
        fields.append({"name": "extra", "type": dict(EXTRA), "default": {}, "doc": doc})
    if 0 < whole.objects < choices.required_from:
        few = counted(whole.objects, "sample")
        notes.append(f"{few}: too few to call a property required (that takes {choices.required_from})")
    doc = choices.doc or f"Drafted from {counted(whole.objects, 'sample')}."
    definition = _record(record, 1, event, fields, choices, doc, "allow" if choices.extra else "strip")
    return _checked(Draft(event, definition, tuple(found), whole.objects, None, (), tuple(notes)))


def draft_next(base: EventSchema, samples: Iterable[Properties], choices: Choices) -> Draft:
    """The next version of a planned type: what it has stays, and every new property may be absent, which passes
    under each level of compatibility. Raises SchemaProblems as ``draft``."""
    samples = list(samples)
    notes: list[str] = []
    whole = _fold(samples, notes)
    types = Typing(base.name, enums=choices.enums, strict=False, taken=defined_names(base.definition))
    members = [(name, shape) for name, shape in whole.keys.items() if name not in base.known]
    found = [_drafted(name, shape, whole.objects, types, new=False) for name, shape in members]
    definition = copy.deepcopy(base.definition)
    definition["version"] = base.version + 1
    if choices.doc or definition.get("doc") == BY_NAME:
        definition["doc"] = choices.doc or f"Planned by name, drafted from {counted(whole.objects, 'sample')}."
    if choices.owner:
        definition["owner"] = choices.owner
    at = next((at for at, one in enumerate(definition["fields"]) if one["name"] == "extra"), len(definition["fields"]))
    definition["fields"][at:at] = [one.field for one in found if one.field is not None]
    conflicts = tuple(_conflicts(base, samples))
    return _checked(Draft(base.names[0], definition, tuple(found), whole.objects, base, conflicts, tuple(notes)))


def written(definition: Mapping[str, Any]) -> str:
    """The text of an .avsc: one line per attribute, one per field."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in definition.items()
        if key != "fields"
    ]
    fields = ",\n".join(f"    {json.dumps(one, ensure_ascii=False)}" for one in definition["fields"])
    return "{\n" + ",\n".join([*lines, f'  "fields": [\n{fields}\n  ]']) + "\n}\n"


def _record(
    name: str, version: int, event: str, fields: list[dict[str, Any]], choices: Choices, doc: str, unplanned: str
) -> dict[str, Any]:
    return {
        "type": "record",
        "namespace": "events",
        "name": name,
        "version": version,
        "doc": doc,
        "event": [event],
        "origins": [origin for origin in ORIGINS if origin in choices.origins],
        **({"owner": choices.owner} if choices.owner else {}),
        "unplanned": unplanned,
        "fields": fields,
    }


def _fold(samples: Iterable[Properties], notes: list[str]) -> Shape:
    """The samples as one shape, its keys in the order in which they were first met."""
    whole, all_kept = Shape(), True
    for properties in samples:
        whole.objects += 1
        for name, value in properties.items():
            if name in whole.keys or len(whole.keys) < MAX_NAMES:
                whole.keys.setdefault(name, Shape()).add(value)
            else:
                all_kept = False
    if not all_kept:
        notes.append(f"more than {MAX_NAMES} names of properties came; those beyond were not looked at")
    return whole


def _drafted(name: str, shape: Shape, samples: int, types: Typing, *, new: bool) -> Drafted:
    def left_out(why: str) -> Drafted:
        return Drafted(name, None, shape.seen, shape.nulls, None, (f"left out: {why}",))

    if not is_name(name):
        return left_out("the name is no Avro name (letters, digits and '_', no digit first)")
    if name in _RESERVED:
        return left_out(f"the name {_RESERVED[name]}")
    if types.properties >= MAX_PROPERTIES:
        return left_out(f"a draft has at most {MAX_PROPERTIES} properties")
    if shape.nulls == shape.seen:
        return left_out("only null was seen, which tells no type")
    notes: list[str] = []
    try:
        kind = types.of(shape, (name,), notes)
    except Untypable as error:
        return left_out(str(error))
    types.properties += 1
    pii = personal(name, shape)
    required = new and types.strict and shape.seen == samples and not shape.nulls and pii is None
    if required:
        drafted = {"name": name, "type": kind}
    else:
        branches = [branch for branch in kind if branch != "null"] if isinstance(kind, list) else [kind]
        drafted = {"name": name, "type": ["null", *branches], "default": None}
    if pii is not None:
        drafted["pii"] = True
        notes.append(f"pii, so the journal carries null: {pii}; take the mark off if it is not")
    if isinstance(kind, list) and len([branch for branch in kind if branch != "null"]) > 1:
        notes.append("values of several types came; no rule can compare them")
    return Drafted(name, drafted, shape.seen, shape.nulls, None if pii else shape.example, tuple(notes))


def _conflicts(base: EventSchema, samples: Sequence[Properties]) -> Iterable[str]:
    for planned in base.fields:
        misfits = []
        for properties in samples:
            if planned.name in properties:
                try:
                    planned.encode(properties[planned.name], planned.name)
                except Violation as violation:
                    misfits.append(violation)
        if misfits:
            yield (
                f"{planned.name}: planned as {misfits[0].expected}, which {len(misfits)} of {len(samples)} samples do"
                f" not fit (got {misfits[0].got}); another type is a change that readers of old events cannot follow,"
                " so give the property a new name, or mend the sender"
            )


def _checked(made: Draft) -> Draft:
    """The draft, judged as ``apply`` will judge it: the names in it come from outside."""
    parse_event_schema(made.definition, 0)
    return made
