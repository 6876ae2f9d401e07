"""Paths that a person names and that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def told_paths() -> Iterator[None]:
    """What the system has against a path is a mistake in the command line: one line that names it, exit code 2."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None


@contextmanager
def writing_below(target: Path, option: str) -> Iterator[None]:
    """The same around what writes below ``target``, which the user gave as ``option``."""
    try:
        yield
    except OSError as error:
        place = error.filename if error.filename is not None else target
        why = error.strerror or str(error)
        raise click.BadParameter(f"cannot write {place}: {why}", param_hint=option) from None
