"""Workspaces written to a folder, and catalogs that grow by applying them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.workspace.change import Change, plan_change, plan_rollback
from console.workspace.commit import Author, release_records
from console.workspace.definitions import Definition, read_workspace
from console.workspace.problems import Problem, WorkspaceProblems
from offerflow.catalog.view import Catalog, Value

Files = dict[str, str | bytes]


@dataclass
class Read:
    """What reading a workspace came to; problems as an editor shows them, relative to the folder."""

    defined: dict[str, Definition]
    problems: list[Problem]
    said: list[str]

    @property
    def places(self) -> list[str]:
        """``file:line`` of each problem."""
        return [":".join(text.split(":")[:2]) for text in self.said]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Files], Read]:
    """Writes files (name to content) and reads the folder."""

    def make(files: Files) -> Read:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        problems: list[Problem] = []
        defined = read_workspace([tmp_path], problems)
        return Read(defined, problems, [str(one).removeprefix(f"{tmp_path}/") for one in problems])

    return make


@dataclass
class Deployed:
    """A catalog that changes are applied to, one after the other."""

    read: Callable[[Files], Read]
    folder: Path
    records: dict[str, Value] = field(default_factory=dict)

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.records)

    def plan(self, files: Files, *, prune: bool = False) -> Change:
        """What applying exactly these files would do."""
        for path in [one for one in self.folder.rglob("*") if one.is_file()]:
            path.unlink()
        found = self.read(files)
        assert found.said == []
        return plan_change(self.catalog, found.defined, prune=prune)

    def apply(self, files: Files, *, prune: bool = False, by: str = "ana@laptop", how: str = "apply") -> Change:
        """``how`` other than apply: as the console or a command would write the same."""
        return self.write(self.plan(files, prune=prune), by, how)

    def roll_back(self, serial: int) -> Change:
        return self.write(plan_rollback(self.catalog, serial), "ops@night", f"rollback to {serial}")

    def write(self, change: Change, by: str, how: str) -> Change:
        at = f"2026-03-05T10:00:{change.serial:02}.000Z"
        for key, value in {**change.records, **release_records(self.catalog, change, Author(by, how), at)}.items():
            if value is None:
                del self.records[key]
            else:
                self.records[key] = value
        return change

    def refused(self, files: Files, *, prune: bool = False) -> list[str]:
        """The problems of files that cannot be applied, as an editor shows them."""
        with pytest.raises(WorkspaceProblems) as raised:
            self.plan(files, prune=prune)
        assert "nothing was applied" in str(raised.value)
        return [str(problem).removeprefix(f"{self.folder}/") for problem in raised.value.problems]


@pytest.fixture
def deployed(read: Callable[[Files], Read], tmp_path: Path) -> Deployed:
    """An empty catalog."""
    return Deployed(read, tmp_path)
