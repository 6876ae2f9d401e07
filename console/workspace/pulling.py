"""The catalog into a folder: which files to write, which to leave, and which a person has edited meanwhile.

A definition that the folder already has stays where it is, comments and all; only what differs is written. What was
edited here since the last pull, or was never pulled, is not overwritten unless asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from console.workspace.base import Base
from console.workspace.definitions import Definition
from console.workspace.differences import differences
from console.workspace.event_differences import event_differences
from console.workspace.problems import Problem
from console.workspace.state import Content, State, version_of
from offerflow.rules.ruleset import content_hash


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: ``action`` is add, change or remove; ``file`` is where, relative to nothing but as given."""

    action: str
    name: str
    file: Path


@dataclass(slots=True)
class Pull:
    """``steps`` in order of names; ``edited``: what stands in the way unless forced; ``kept``: names that only the
    folder has, which are left alone."""

    steps: list[Step] = field(default_factory=list)
    edited: list[Problem] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def plan_pull(
    folder: Path,
    state: State,
    defined: Mapping[str, Definition],
    base: Base | None,
    earlier: Callable[[str, str], Content | None],
) -> Pull:
    """What makes ``folder``, which defines ``defined``, say what ``state`` says. ``earlier`` gives the content that a
    name had under a hash, None if nobody knows it any more."""
    pull = Pull()
    known = base.definitions if base is not None else {}
    for name, content in sorted(state.items()):
        mine = defined.get(name)
        if mine is None:
            if name in known and not _superseded(name, content, defined):
                message = "was deleted here since it was pulled; --force brings it back"
                pull.edited.append(Problem(str(folder), 1, (), f"{_said(name)} {message}"))
            elif name in known:
                continue
            pull.steps.append(Step("add", name, _place(folder, name, defined)))
        elif mine.content != content:
            if known.get(name) != content_hash(mine.content):
                pulled = earlier(name, known[name]) if name in known else content
                pull.edited.append(_edited(mine, pulled, name in known))
            pull.steps.append(Step("change", name, Path(mine.document.file)))
    for name, mine in sorted(defined.items()):
        if name in state:
            continue
        if name not in known:
            pull.kept.append(name)
            continue
        if known[name] != content_hash(mine.content):
            message = "was edited here, and removed in the catalog; --force removes it here too"
            pull.edited.append(mine.problem((), f"{_said(name)} {message}"))
        pull.steps.append(Step("remove", name, Path(mine.document.file)))
    return pull


def _superseded(name: str, content: Content, defined: Mapping[str, Definition]) -> bool:
    """An older version of an event whose file a person has edited into the next one."""
    return name.startswith("event/") and any(
        one.kind == "event" and one.content["name"] == content["name"]
        and version_of(one.content) > version_of(content)
        for one in defined.values()
    )  # fmt: skip


def _edited(mine: Definition, before: Content | None, pulled: bool) -> Problem:
    compare = event_differences if mine.kind == "event" else differences
    texts = [one.text for one in compare(before, mine.content)][:4] if before is not None else []
    since = "was edited here since it was pulled" if pulled else "differs from the catalog's and was never pulled"
    inside = f" ({'; '.join(texts)})" if texts else ""
    return mine.problem((), f"{_said(mine.name)} {since}{inside}; --force takes the catalog's")


def _said(name: str) -> str:
    return name.replace("/", " ", 1)


def _place(folder: Path, name: str, defined: Mapping[str, Definition]) -> Path:
    """Where a definition that the folder lacks goes. Sources join the list that is there."""
    kind, _, identifier = name.partition("/")
    if kind == "source":
        lists = sorted({one.document.file for one in defined.values() if one.kind == "source"})
        return Path(lists[0]) if lists else folder / "sources.yaml"
    wanted = folder / f"{kind}s" / f"{identifier}.{'avsc' if kind == 'event' else 'yaml'}"
    taken, number = wanted, 2
    while taken.exists():
        taken, number = wanted.with_stem(f"{wanted.stem}-{number}"), number + 1
    return taken
