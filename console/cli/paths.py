"""Paths that a person names and that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
