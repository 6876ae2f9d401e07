"""Changes that would be lost: what somebody else changed in the catalog and these files would silently undo.

With a base (the folder was pulled) the question is exact: did the definition change in the catalog since? Without one
a definition that something other than files wrote last, such as the console or a rollback, is not overwritten either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.workspace.definitions import Definition, without_defaults
from console.workspace.differences import Detail, differences
from console.workspace.event_differences import event_differences
from console.workspace.pulled import Base
from console.workspace.releases import FILES, Release, last_change, releases
from console.workspace.state import Content, content_of, state_of
from offerflow.catalog.view import Catalog
from offerflow.rules.ids import content_hash
from offerflow.runtime.errors import OfferflowError


@dataclass(frozen=True, slots=True)
class Conflict:
    """``catalog`` and ``files`` are what each side did to the definition since they last agreed, in words and as
    details; ``release`` is who did it in the catalog, None if that was not recorded."""

    name: str
    file: str | None
    line: int
    catalog: str
    catalog_details: tuple[Detail, ...]
    files: str
    files_details: tuple[Detail, ...]
    release: Release | None

    @property
    def can_be_pulled(self) -> bool:
        """Whether ``offerflow pull`` settles it without --force: nothing was edited here that it would take away."""
        if self.file is None:
            return self.catalog == "added" or self.files == "would be removed"
        return self.files == "left as it was"

    def as_json(self) -> dict[str, Any]:
        who = self.release
        return {
            "name": self.name, "file": self.file, "line": self.line,
            "catalog": {
                "what": self.catalog, "details": [one.as_json() for one in self.catalog_details],
                "by": who.by if who else None, "how": who.how if who else None, "at": who.at if who else None,
                "serial": who.serial if who else None,
            },
            "files": {"what": self.files, "details": [one.as_json() for one in self.files_details]},
        }  # fmt: skip


class WorkspaceConflicts(OfferflowError):
    """Nothing was written. ``conflicts`` lists all of them."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        self.conflicts = conflicts
        many = len(conflicts) != 1
        super().__init__(
            f"{len(conflicts)} conflict{'s' if many else ''} with changes made in the catalog; nothing was applied."
            f" {_way_out(conflicts)}"
        )


def _way_out(conflicts: list[Conflict]) -> str:
    if all(one.can_be_pulled for one in conflicts):
        return "`offerflow pull DIR` brings those changes into the files; --overwrite applies the files as they are"
    said = "Bring both sides together in the files and apply them with --overwrite"
    if any(one.catalog == "removed" for one in conflicts):
        return f"{said}, which also brings back what was removed in the catalog unless its file is deleted"
    return f"{said}; or take the catalog's side by `offerflow pull DIR --force`"


def find_conflicts(
    catalog: Catalog,
    defined: Mapping[str, Definition],
    removed: Iterable[str],
    base_of: Callable[[str, Definition | None], Base | None],
) -> list[Conflict]:
    """``removed``: names that ``--prune`` takes away. ``base_of`` gives what a definition's folder had when it was
    pulled, None if it never was."""
    state = state_of(catalog)
    names = [*defined, *(name for name in removed if name not in defined)]
    found = (_conflict(catalog, name, state.get(name), one, base_of(name, one))
             for name in names for one in (defined.get(name),))  # fmt: skip
    return [conflict for conflict in found if conflict is not None]


def _conflict(
    catalog: Catalog, name: str, there: Content | None, definition: Definition | None, base: Base | None
) -> Conflict | None:
    mine = definition.content if definition is not None else None
    if without_defaults(name, mine) == without_defaults(name, there):
        return None
    release = last_change(catalog, name)
    file, line = (definition.document.file, definition.line) if definition is not None else (None, 1)
    if base is None:
        if release is None or release.how in (FILES, None):
            return None
        action = next(one["action"] for one in release.changes if f"{one['kind']}/{one['id']}" == name)
        said = "would be removed" if mine is None else "the file still has it" if there is None else "the file differs"
        return Conflict(name, file, line, _DONE[action], (), said, tuple(_details(name, there, mine)), release)
    known = base.definitions.get(name)
    if known == (content_hash(there) if there is not None else None):
        return None
    before = earlier_content(catalog, name, known)
    if before is not None and without_defaults(name, before) == without_defaults(name, there):
        return None
    theirs = "removed" if there is None else "changed" if known else "added"
    ours = (
        "removed" if mine is None else "added" if known is None else "changed" if mine != before else "left as it was"
    )
    return Conflict(
        name, file, line, theirs, tuple(_details(name, before, there)), ours,
        tuple(_details(name, before if before is not None else there, mine)), release,
    )  # fmt: skip


_DONE = {"add": "added", "change": "changed", "remove": "removed"}


def _details(name: str, before: Content | None, after: Content | None) -> list[Detail]:
    if before is None or after is None:
        return []
    if name.startswith("event/"):
        return event_differences(before, after) or list(differences(before, after))
    return list(differences(before, after))


def earlier_content(catalog: Catalog, name: str, known: str | None) -> Content | None:
    """The content whose hash the base remembers; the catalog keeps what was once applied."""
    if known is None:
        return None
    if not name.startswith("source/"):
        key = name if name.startswith("event/") else f"{name}@{known}"
        content = content_of(key, catalog.records[key]) if key in catalog.records else None
        return content if content is not None and content_hash(content) == known else None
    for one in reversed(releases(catalog)):
        content = one.sources.get(name.partition("/")[2])
        if content is not None and content_hash(content) == known:
            return content
    return None
