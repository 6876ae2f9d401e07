"""What is wrong with definitions, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition: which one (``offer/upgrade``), where in it, and what was expected."""

    definition: str
    path: Path
    message: str


class RulesetProblems(ValueError):
    """The definitions do not make a ruleset. ``problems`` lists everything that is wrong, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.definition}: {p.message}" for p in problems))
        self.problems = problems


class Refused(Exception):
    """Something at ``path`` (below what is being compiled) cannot be; told to whoever collects the problems."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message, self.path = message, path
