"""Documents to definitions. Kinds are told by content, folders are for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from console.workspace.documents import Document, is_scenario, read_documents
from console.workspace.mistakes import mistakes
from console.workspace.problems import Path, Problem, WorkspaceProblems
from offerflow.rules.compiling import check_currencies
from offerflow.rules.definitions import (
    ConditionDefinition,
    OfferDefinition,
    SettingsDefinition,
    SourceDefinition,
    plain,
)
from offerflow.rules.nearest import did_you_mean
from schemas.plan import SchemaProblems, parse_event_schema

_MODELS: Mapping[str, type[BaseModel]] = {
    "condition": ConditionDefinition, "offer": OfferDefinition, "settings": SettingsDefinition,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition of a workspace. ``id`` of an event is ``Name@version``; ``content`` is what the catalog keeps;
    ``base`` leads to it inside its document."""

    kind: str
    id: str
    content: dict[str, Any]
    document: Document
    base: Path = ()

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.id}"

    @property
    def line(self) -> int:
        """Where it begins in its file."""
        return self.document.line(self.base)

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(self.document.file, self.document.line((*self.base, *path)), path, message)


def without_defaults(name: str, content: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a definition says beyond what goes without saying: ``status: live`` is no other offer than none."""
    model = _MODELS.get(name.partition("/")[0])
    if model is None or content is None:
        return content
    defaults = {field.alias or key: field.default for key, field in model.model_fields.items()}
    return {key: value for key, value in content.items() if key not in defaults or value != defaults[key]}


def read_workspace(
    roots: list[FilePath], problems: list[Problem], *, may_be_empty: bool = False
) -> dict[str, Definition]:
    """Every definition below ``roots`` by name such as ``offer/upgrade``; adds to ``problems`` what is wrong."""
    found: dict[str, Definition] = {}
    played: dict[str, Document] = {}
    for document in read_documents(roots, problems, may_be_empty=may_be_empty):
        if is_scenario(document):
            played.setdefault(document.file, document)
            continue
        for definition in _definitions(document, problems):
            other = found.setdefault(definition.name, definition)
            if other is not definition:
                there = f"{other.document.file}:{other.document.line(other.base)}"
                problems.append(definition.problem((), f"{definition.name} is defined twice, here and at {there}"))
    for definition in found.values():  # what `pull` writes into a file would push its scenarios out
        scenario = played.get(definition.document.file)
        if scenario is not None:
            message = (
                f"{definition.name} stands in a file with scenarios ({scenario.line(())}); give them one of their own"
            )
            problems.append(definition.problem((), message))
    return found


def definition_of(kind: str, content: Any, file: str = "given") -> Definition:
    """One definition from memory: ``kind`` is event, condition, offer, settings or source, ``content`` what its file
    would hold (of a source its item of the list), ``file`` what problems call it. Raises WorkspaceProblems."""
    problems: list[Problem] = []
    document = Document(file, content, None)
    if kind == "event":
        found = _event(document, problems)
    elif isinstance(content, dict):
        model = SourceDefinition if kind == "source" else _MODELS[kind]
        one = _modelled(document, kind, model, content, (), problems)
        found = [one] if one else []
    else:
        found, problems = [], [Problem(file, 1, (), "expected a mapping")]
    if problems:
        raise WorkspaceProblems(problems)
    return found[0]


def _definitions(document: Document, problems: list[Problem]) -> list[Definition]:
    content = document.content
    if document.file.endswith(".avsc"):
        return _event(document, problems)
    if isinstance(content, list) and all(isinstance(item, dict) for item in content):
        found = [_modelled(document, "source", SourceDefinition, item, (at,), problems)
                 for at, item in enumerate(content)]  # fmt: skip
        return [definition for definition in found if definition is not None]
    if isinstance(content, dict) and content.get("type") == "record":
        return _event(document, problems)
    kind = content.get("kind") if isinstance(content, dict) else None
    if isinstance(kind, str) and kind in _MODELS:
        definition = _modelled(document, kind, _MODELS[kind], content, (), problems)
        return [definition] if definition else []
    expected = "expected kind: condition, offer or settings, a list of sources, or an Avro record"
    if kind == "referral":
        message = "referrals are not there yet; conditions, offers and settings are"
    elif kind is not None:
        message = f"unknown kind {kind!r}{did_you_mean(str(kind), _MODELS)}; {expected}"
    else:
        message = f"cannot tell what this defines; {expected}"
    problems.append(Problem(document.file, document.line(("kind",)), ("kind",) if kind is not None else (), message))
    return []


def _event(document: Document, problems: list[Problem]) -> list[Definition]:
    try:
        schema = parse_event_schema(document.content, 0)
    except SchemaProblems as error:
        problems += [Problem(document.file, document.line(path), path, text) for path, text in error.problems]
        return []
    return [Definition("event", f"{schema.name}@{schema.version}", document.content, document)]


def _modelled(
    document: Document, kind: str, model: type[BaseModel], content: dict[str, Any], base: Path, problems: list[Problem]
) -> Definition | None:
    try:
        parsed = model.model_validate(content)
    except ValidationError as error:
        problems += [Problem(document.file, document.line((*base, *path)), path, message)
                     for path, message in mistakes(error)]  # fmt: skip
        return None
    except RecursionError:
        problems.append(Problem(document.file, document.line(base), (), "is nested too deeply"))
        return None
    definition = Definition(kind, str(content["id"]), plain(parsed), document, base)
    if isinstance(parsed, OfferDefinition):
        problems += [definition.problem(path, message) for path, message in check_currencies(parsed)]
    return definition
