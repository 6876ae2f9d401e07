"""Planning a new name in one step: what was drafted is applied, then the events that came too early are replayed.

1. drafts become definitions of the catalog, checked and committed like any ``apply``;
2. when every worker has them in force, the dead letters of these names are sent again.

Killed between the two, it is finished by doing it again: a name that is planned by then is only replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from console.dead_letters.reading import Progress, no_progress
from console.dead_letters.replay import Report, replay
from console.dead_letters.selection import Selection
from console.plan.drafting import Draft
from console.workspace.change import plan_change
from console.workspace.commit import Author, commit
from console.workspace.definitions import definition_of
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Adoption:
    """``planned`` are keys such as ``event/LessonPaused@1``; ``workers`` per stage that have them in force;
    ``replayed`` is what became of the dead letters."""

    planned: tuple[str, ...]
    workers: Mapping[str, int]
    replayed: Report


def plan_definitions(
    settings: Settings, definitions: Iterable[Mapping[str, object]], author: Author, timeout_s: float
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Apply event schemas. Returns their keys and the workers that have them; raises WorkspaceProblems."""
    defined = {one.name: one for one in (definition_of("event", dict(given)) for given in definitions)}
    with CatalogWriter(settings) as writer:
        change = plan_change(writer.catalog, defined)
        workers = commit(settings, writer, change, author, timeout_s)
    return tuple(defined), workers


def adopt(
    settings: Settings,
    drafts: Sequence[Draft],
    names: Iterable[str],
    author: Author,
    timeout_s: float,
    sources: Iterable[str] = (),
    progress: Progress = no_progress,
) -> Adoption:
    """Apply ``drafts``, then replay the dead letters of unknown events of these ``names`` from ``sources`` (all)."""
    planned: tuple[str, ...] = ()
    workers: dict[str, int] = {}
    if drafts:
        planned, workers = plan_definitions(settings, [one.definition for one in drafts], author, timeout_s)
    report = replay(settings, early(names, sources), dry_run=False, progress=progress)
    return Adoption(planned, workers, report)


def early(names: Iterable[str], sources: Iterable[str] = ()) -> Selection:
    """The dead letters that came before their names were planned."""
    return Selection(reasons=frozenset({"unknown_event"}), events=frozenset(names), sources=frozenset(sources))
