"""Time zones, from the tzdata package and never from the system's files: every worker must agree where a day begins."""

from __future__ import annotations

import functools
import importlib.resources
from zoneinfo import ZoneInfo


class UnknownZone(ValueError):
    """There is no time zone of that name."""


@functools.cache
def zone(name: str) -> ZoneInfo:
    """The zone ``name``, such as Europe/Berlin. Raises UnknownZone."""
    if name not in names():
        raise UnknownZone(name)
    package, _, file = f"tzdata.zoneinfo.{name.replace('/', '.')}".rpartition(".")
    with importlib.resources.files(package).joinpath(file).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


@functools.cache
def names() -> frozenset[str]:
    """Every zone there is."""
    listed = importlib.resources.files("tzdata").joinpath("zones").read_text("utf-8")
    return frozenset(listed.split())
