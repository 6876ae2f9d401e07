"""What there is to draft: names with samples, against the plan as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from console.dead_letters.reading import Progress, no_progress
from console.plan.catalog import read_catalog
from console.plan.drafting import Choices, Draft, draft, draft_next
from console.plan.entries import Entry, PlanView, view_of
from console.plan.names import name_problem
from console.plan.record_names import RecordNames
from console.plan.samples import Pile, Piles, Room, from_dead_letters, from_file, from_journal
from offerflow.catalog.view import Catalog, Source, sources_of
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings
from schemas.plan import ORIGINS, SchemaProblems, load_event_schema


@dataclass(slots=True)
class Inferred:
    """``names``: all that was asked about; ``waiting``: unhandled dead letters by name, which a replay would send
    again; ``settled``: planned names under which nothing came that their schemas lack; ``refused``: names that the plan
    cannot hold or that gave no schema, with the reason."""

    drafts: list[Draft] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def conflicts(self) -> bool:
        return any(one.conflicts for one in self.drafts)


class Undraftable(OfferflowError):
    """The samples of one name gave no schema that can be applied; the message follows the name."""


class Drafting:
    """Drafts against one view of the catalog. ``fixed``: the origins of a new type are those of ``choices``, rather
    than those of the sources that sent the samples."""

    def __init__(self, catalog: Catalog, sources: Mapping[str, Source], choices: Choices, fixed: bool) -> None:
        self.view: PlanView = view_of(catalog)
        by_record = {entry.record: entry for entry in self.view.entries}
        self._names = {name: entry for entry in self.view.entries for name in entry.names}
        self._entries = by_record | self._names
        self._claim = RecordNames(catalog)
        self._sources = sources
        self._choices = choices
        self._fixed = fixed

    def entry(self, name: str) -> Entry | None:
        """The entry that a name which arrives, or a record name, belongs to."""
        return self._entries.get(name)

    def judged(self, name: str) -> Entry | None:
        """The entry that judges what arrives under this name; another's record name is none."""
        return self._names.get(name)

    def new(self, name: str, pile: Pile[Any]) -> Draft:
        """A new type. Raises Undraftable."""
        choices = self._choices
        sent = {self._sources[source].origin for source in pile.sources if source in self._sources}
        if sent and not self._fixed:
            choices = replace(choices, origins=[origin for origin in ORIGINS if origin in sent])
        return _drafted(lambda: draft(name, pile.samples(), self._claim, choices))

    def after(self, entry: Entry, piles: Iterable[Pile[Any]]) -> Draft:
        """The version that follows. Raises Undraftable."""
        schema = load_event_schema(entry.definition, entry.newest.id or 0)
        samples = [sample for pile in piles for sample in pile.samples()]
        return _drafted(lambda: draft_next(schema, samples, self._choices))


def _drafted(make: Callable[[], Draft]) -> Draft:
    try:
        return make()
    except SchemaProblems as error:
        why = str(error).removeprefix(": ")
    except Exception as error:  # whatever samples from outside bring about is the trouble of their name alone
        why = f"{type(error).__name__}: {error}"
    raise Undraftable(f"gave no schema that can be applied ({why}); write one by hand and `offerflow apply` it")


def infer_from_topics(
    settings: Settings,
    names: Sequence[str],
    sources: Sequence[str],
    limit: int,
    choices: Choices,
    fixed: bool = False,
    progress: Progress = no_progress,
) -> Inferred:
    """Drafts for ``names``, or for every name with unhandled dead letters and every entry by name that was seen.
    Raises OfferflowError for a name without any sample."""
    catalog = read_catalog(settings)
    known = sources_of(settings, catalog)
    _check_sources(sources, known)
    drafting = Drafting(catalog, known, choices, fixed)
    wanted = {alias for name in names for alias in _aliases(drafting, name)}
    room = Room()
    piles = from_dead_letters(settings, wanted, sources, limit, progress, room)
    found = Inferred(waiting={name: pile.total for name, pile in piles.items()})
    chosen = _chosen(drafting, names, piles)
    kept = from_journal(settings, [entry for entry in chosen.values() if entry], limit, room)
    for name, entry in chosen.items():
        if entry is not None:
            early = [piles[alias] for alias in entry.names if alias in piles]
            if _next(found, drafting, entry, [*early, *([kept[entry.record]] if entry.record in kept else [])]):
                found.names += entry.names
            continue
        problem = name_problem(name)
        if problem is not None:
            found.refused[name] = problem
        elif name in piles:
            _new(found, drafting, name, piles[name])
        else:
            raise OfferflowError(_no_samples(name, settings, sources, drafting))
    return found


def infer_from_file(
    settings: Settings,
    path: Path,
    name: str | None,
    names: Sequence[str],
    sources: Sequence[str],
    limit: int,
    choices: Choices,
    fixed: bool = False,
) -> Inferred:
    """Drafts for the events of a file: all of them, or ``names``. With ``name`` each line is the properties of it."""
    catalog = read_catalog(settings)
    drafting = Drafting(catalog, sources_of(settings, catalog), choices, fixed)
    piles = from_file(path, name, limit, frozenset(sources), frozenset(names))
    missing = [one for one in names if one not in piles]
    if missing:
        others = from_file(path, name, 1, frozenset(sources))
        raise OfferflowError(f"{path} has no sample of {missing[0]!r}{did_you_mean(missing[0], others)}")
    if not piles:
        raise OfferflowError(f"{path} has no samples")
    found = Inferred()
    for event, pile in piles.items():
        entry, problem = drafting.entry(event) if name else drafting.judged(event), name_problem(event)
        if entry is not None:
            if _next(found, drafting, entry, [pile]):
                found.names.append(event)
        elif problem is not None:
            found.refused[event] = problem
        else:
            _new(found, drafting, event, pile)
    return found


def _new(found: Inferred, drafting: Drafting, name: str, pile: Pile[Any]) -> None:
    try:
        found.drafts.append(drafting.new(name, pile))
    except Undraftable as error:
        found.refused[name] = str(error)
    else:
        found.names.append(name)


def _next(found: Inferred, drafting: Drafting, entry: Entry, piles: list[Pile[Any]]) -> bool:
    """Whether there is no reason against replaying what waits under its names."""
    try:
        made = drafting.after(entry, piles) if any(pile.total for pile in piles) else None
    except Undraftable as error:
        found.refused[entry.name] = str(error)
        return False
    if made is not None and (made.changes or made.conflicts):
        found.drafts.append(made)
    else:
        found.settled.append(entry.name)
    return True


def _aliases(drafting: Drafting, name: str) -> Iterator[str]:
    entry = drafting.entry(name)
    yield from entry.names if entry is not None else [name]


def _chosen(drafting: Drafting, names: Iterable[str], piles: Piles) -> dict[str, Entry | None]:
    """What was asked for, or all there is: each event once, planned ones by their display name."""
    entries = {name: drafting.entry(name) for name in names}
    entries = entries or {name: drafting.judged(name) for name in _all(drafting, piles)}
    return {name if entry is None else entry.name: entry for name, entry in entries.items()}


def _all(drafting: Drafting, piles: Piles) -> list[str]:
    """Entries by name, then what waits in the dead letters, what came most first."""
    untyped = [entry.name for entry in drafting.view.entries if entry.untyped]
    return [*untyped, *sorted(piles, key=lambda name: (-piles[name].total, name))]


def _check_sources(sources: Sequence[str], known: Mapping[str, Source]) -> None:
    for source in sources:
        if source not in known:
            raise OfferflowError(f"there is no source {source!r}{did_you_mean(source, known)}")


def _no_samples(name: str, settings: Settings, sources: Sequence[str], drafting: Drafting) -> str:
    others = from_dead_letters(settings, (), sources, 1)
    planned = [known for entry in drafting.view.entries for known in entry.names]
    hint = did_you_mean(name, [*others, *planned])
    return (
        f"there is no sample of {name!r}: it is not planned, and no unhandled dead letter of an unknown event has this"
        f" name{hint}"
    )
