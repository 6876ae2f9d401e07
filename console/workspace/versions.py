"""May this version of an event schema follow the ones before it? Told by file and line when it is applied."""

from __future__ import annotations

from collections.abc import Sequence

from console.workspace.definitions import Definition
from console.workspace.differences import differences
from console.workspace.event_differences import event_differences
from console.workspace.problems import Path, Problem
from console.workspace.state import Content, version_of
from schemas.compatibility import Conflict, conflicts, level_of

MARKS = {"add": "+", "change": "~", "remove": "-"}
_SHOWN = 6


def changed_version(definition: Definition, applied: Content, newest: int) -> Problem:
    """The refusal of a schema that differs from what was applied under its version; ``newest`` is the highest version
    number ever applied of its type."""
    found = event_differences(applied, definition.content) or list(differences(applied, definition.content))
    texts = [f"{MARKS[one.action]} {one.text}" for one in found[:_SHOWN]]
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    name, _, version = definition.id.partition("@")
    return definition.problem(
        ("version",),
        f"version {version} of {name} was applied with other content and events are encoded with it; expected"
        f' "version": {newest + 1} for the changed schema. What differs: {"; ".join(texts)}{more}',
    )


def new_version(definition: Definition, earlier: Sequence[Content]) -> list[Problem]:
    """What forbids this new version after all ``earlier`` ones of its type, in any order."""
    before = sorted(earlier, key=version_of)
    name, version = definition.content["name"], version_of(definition.content)
    if before and version < version_of(before[-1]):
        last = version_of(before[-1])
        message = f"version {version} of {name} comes after version {last}, which was applied; versions only grow"
        return [definition.problem(("version",), f'{message}: expected "version": {last + 1}')]
    try:
        found = conflicts(definition.content, before)
    except ValueError as error:
        message = f'{name} cannot be compared with what was applied: {error}; expected "compatibility": "NONE"'
        return [definition.problem(("compatibility",), f"{message}, or a new event type")]
    return [_incompatible(definition, group) for group in _by_place(found)]


def _by_place(found: list[Conflict]) -> list[list[Conflict]]:
    """Conflicts of one field and one remedy together, over versions and directions."""
    groups: dict[tuple[str, str], list[Conflict]] = {}
    for conflict in found:
        groups.setdefault((conflict.obstacle.field, conflict.remedy), []).append(conflict)
    return list(groups.values())


def _incompatible(definition: Definition, group: list[Conflict]) -> Problem:
    first = group[0]
    level = level_of(definition.content)
    stated = "stated in it" if "compatibility" in definition.content else "the default"
    also = [_short(conflict) for conflict in group[1:]]
    more = f"; nor can {', nor '.join(also)}" if also else ""
    weaker = ', or state another level with "compatibility"' if level != "NONE" else ""
    return definition.problem(
        _place(definition, first.obstacle.field),
        f"{first}{more}. {definition.content['name']} is held to {level} ({stated}): {first.remedy}{weaker}, or leave"
        f" version {first.old} alone and plan a new event type",
    )


def _short(conflict: Conflict) -> str:
    reader, writer = (conflict.new, conflict.old) if conflict.backward else (conflict.old, conflict.new)
    return f"version {reader} read version {writer}"


def _place(definition: Definition, field: str) -> Path:
    """Where the field stands in the file, or the list of fields for one that is gone."""
    name = field.partition(".")[0].partition("[")[0].partition("{")[0]
    for at, one in enumerate(definition.content["fields"]):
        if one["name"] == name:
            return ("fields", at)
    return ("fields",)
