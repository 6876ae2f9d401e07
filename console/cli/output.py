"""Results on stdout as a table or JSON, progress on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    import msgspec

    click.echo(msgspec.json.encode(value))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout of which nothing is ever cut; cells are printed as they are, never read as markup."""
    from console.cli.tables import print_folding

    print_folding(columns, [*rows])


class Progress:
    """What is being done now. Call it with a text, and with (done, total) where there is something to count."""

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None:
        raise NotImplementedError


class _Lines(Progress):
    """A line per text; of counts, and of texts that are the same up to a colon, only one every few seconds, and the
    last count: so a log stays readable."""

    def __init__(self) -> None:
        self._said: tuple[str, tuple[int, int] | None] = ("", None)
        self._next = 0.0

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None:
        same = text.partition(":")[0] == self._said[0].partition(":")[0]
        soon = same and time.monotonic() < self._next and (counted is None or counted[0] < counted[1])
        if not text or (text, counted) == self._said or soon:
            return
        self._said, self._next = (text, counted), time.monotonic() + 2.0
        click.echo(f"{text}: {counted[0]} of {counted[1]}" if counted else text, err=True)


class _Bar(Progress):
    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None:
        done, total = counted or (0, None)
        self._bar.update(self._task, description=text, completed=done, total=total)


@contextmanager
def progress() -> Iterator[Progress]:
    """For the time something takes."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Bar(BarColumn):
        """Nothing where there is nothing to count."""

        def render(self, task: Task) -> Any:
            return super().render(task) if task.total else Text("")

    class Count(MofNCompleteColumn):
        def render(self, task: Task) -> Text:
            return super().render(task) if task.total else Text("")

    what = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), what, Bar(20), Count(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)
