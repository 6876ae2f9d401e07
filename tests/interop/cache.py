"""What the tests install from package registries, each below the checksum of the lock that names it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.deployment import ROOT

PLACE = ROOT / ".offerflow" / "interop"


def kept(name: str, locks: list[Path], make: Callable[[Path], None]) -> Path:
    """The directory that ``make`` fills according to the contents of ``locks``, made once.

    It gets its name when it is whole: an interrupted installation, or two at once, leave none that is not.
    """
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in locks)).hexdigest()[:16]
    place = PLACE / f"{name}-{digest}"
    if place.is_dir():
        return place
    PLACE.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = Path(tempfile.mkdtemp(dir=PLACE, prefix="making-"))
    try:
        make(staging)
        try:
            staging.rename(place)
        except OSError:
            if not place.is_dir():  # else another test run was quicker
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return place


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would change a package client's idea of its project."""
    return {name: value for name, value in os.environ.items() if not name.startswith("npm_")} | more
