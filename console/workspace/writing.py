"""Carries a pull out, file by file, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedSeq

from console.workspace.definitions import Definition
from console.workspace.pulling import Step
from console.workspace.rendering import definition_tree, documents_text, event_text, source_tree
from console.workspace.state import State


def write_files(steps: Iterable[Step], state: State, defined: Mapping[str, Definition]) -> None:
    """``defined`` are the folder's definitions as they were read: other documents and items of a file keep their text
    and comments."""
    by_file: dict[Path, list[Step]] = {}
    for step in steps:
        by_file.setdefault(step.file, []).append(step)
    for file, mine in by_file.items():
        text = _event(mine, state) if file.suffix == ".avsc" else _yaml(file, mine, state, defined)
        if text is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_text(text, "utf-8")
        new.replace(file)


def _event(steps: list[Step], state: State) -> str | None:
    """A schema file holds one event; where one version takes the place of another there are two steps to it."""
    written = [step for step in steps if step.name in state]
    return event_text(state[written[-1].name]) if written else None


def _yaml(file: Path, steps: list[Step], state: State, defined: Mapping[str, Definition]) -> str | None:
    """The file's documents with the steps taken; None if nothing is left of it."""
    documents = _documents(file, defined)
    trees: list[Any] = [document.tree for document in documents]
    gone: dict[int, set[int]] = {}
    for step in steps:
        definition = defined.get(step.name)
        if definition is None:
            _append(trees, step, state)
            continue
        at = documents.index(definition.document)
        if definition.base:
            place = int(definition.base[0])
            if step.action == "remove":
                gone.setdefault(at, set()).add(place)
            else:
                trees[at][place] = source_tree(state[step.name])
        else:
            trees[at] = None if step.action == "remove" else definition_tree(state[step.name])
    for at, places in gone.items():
        for place in sorted(places, reverse=True):
            del trees[at][place]
    left = [tree for tree in trees if tree is not None and not (isinstance(tree, list) and not tree)]
    return documents_text(left) if left else None


def _append(trees: list[Any], step: Step, state: State) -> None:
    """A definition that the file does not have yet."""
    if not step.name.startswith("source/"):
        trees.append(definition_tree(state[step.name]))
        return
    listed = next((tree for tree in trees if isinstance(tree, list)), None)
    if listed is None:
        listed = CommentedSeq()
        trees.append(listed)
    listed.append(source_tree(state[step.name]))


def _documents(file: Path, defined: Mapping[str, Definition]) -> list[Any]:
    """The documents of one file in their order. One that defines nothing (an empty list) is of no consequence."""
    found: dict[int, Any] = {}
    for definition in defined.values():
        if Path(definition.document.file) == file:
            found[id(definition.document)] = definition.document
    return sorted(found.values(), key=lambda document: document.line(()))
