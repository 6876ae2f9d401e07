"""What is wrong with a workspace, in the form an editor understands: file, line, path, what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offerflow.runtime.errors import OfferflowError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """``line`` counts from 1; ``path`` leads to the value inside its definition."""

    file: str
    line: int
    path: Path
    message: str

    def __str__(self) -> str:
        dotted = ".".join(str(step) for step in self.path)
        return f"{self.file}:{self.line}: {dotted + ': ' if dotted else ''}{self.message}"


class WorkspaceProblems(OfferflowError):
    """Nothing was written. ``problems`` lists everything found, in order of file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.file, p.line, str(p.path)))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the workspace; nothing was applied")
