"""A directory that cannot be written, as a usage error that names the path and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def writing_below(target: Path, option: str) -> Iterator[None]:
    """Around what writes below ``target``, which the user gave as ``option``."""
    try:
        yield
    except OSError as error:
        place = error.filename if error.filename is not None else target
        why = error.strerror or str(error)
        raise click.BadParameter(f"cannot write {place}: {why}", param_hint=option) from None
