"""The catalog into a folder: which files to write, which to leave, and which a person has edited meanwhile.

A definition that the folder already has stays where it is, comments and all; only what differs is written. What was
edited here since the last pull, or was never pulled, is not overwritten unless asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from console.workspace.definitions import Definition
from console.workspace.differences import differences
from console.workspace.event_differences import event_differences
from console.workspace.problems import Problem
from console.workspace.pulled import Base
from console.workspace.state import Content, State, version_of
from offerflow.rules.ids import content_hash


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: ``action`` is add, change or remove; ``file`` is where, relative to nothing but as given."""

    action: str
    name: str
    file: Path


@dataclass(slots=True)
class Pull:
    """``steps`` in order of names; ``edited``: what stands in the way unless forced; ``kept``: names that only the
    folder has, which are left alone; ``superseded``: older versions of events that only the catalog has, since their
    file became a newer one that the folder keeps."""

    steps: list[Step] = field(default_factory=list)
    edited: list[Problem] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)


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
    going = [one for name, one in sorted(defined.items()) if name not in state and name in known]
    freed = _freed(going)
    for name, content in sorted(state.items()):
        mine = defined.get(name)
        if mine is None:
            newer = _newer(name, content, defined)
            if name in known and any(one not in going for one in newer):
                pull.superseded.append(name)
                continue
            if name in known and not newer:
                message = "was deleted here since it was pulled; --force brings it back"
                pull.edited.append(Problem(str(folder), 1, (), f"{_said(name)} {message}"))
            places = freed.get(content["name"]) if name.startswith("event/") else None
            pull.steps.append(Step("add", name, places.pop(0) if places else _place(folder, name, defined)))
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


def _newer(name: str, content: Content, defined: Mapping[str, Definition]) -> list[Definition]:
    """Later versions of an event that the folder has; a person may have edited its file into one of them."""
    if not name.startswith("event/"):
        return []
    return [one for one in defined.values()
            if one.kind == "event" and one.content["name"] == content["name"]
            and version_of(one.content) > version_of(content)]  # fmt: skip


def _freed(going: list[Definition]) -> dict[str, list[Path]]:
    """Files of events that are removed, by event type: another version of the type takes the place."""
    found: dict[str, list[Path]] = {}
    for one in going:
        file = Path(one.document.file)
        if one.kind == "event" and file.suffix == ".avsc":
            found.setdefault(one.content["name"], []).append(file)
    return found


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
        if lists:
            return Path(lists[0])
        wanted = folder / "sources.yaml"
        if any(Path(one.document.file) == wanted for one in defined.values()):
            return wanted
    elif kind == "settings":
        wanted = folder / "settings.yaml"
    else:
        wanted = folder / f"{kind}s" / f"{identifier}.{'avsc' if kind == 'event' else 'yaml'}"
    taken, number = wanted, 2
    while not _free(taken):
        taken, number = wanted.with_stem(f"{wanted.stem}-{number}"), number + 1
    return taken


def _free(path: Path) -> bool:
    """Nothing is lost by writing there. A link that leads nowhere is somebody's all the same."""
    if not path.exists():
        return not path.is_symlink()
    return path.suffix == ".yaml" and path.is_file() and path.read_bytes().strip() in (b"", b"---", b"[]")
