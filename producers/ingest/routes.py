"""Which protocols take requests to a path: several may share one, and a part of a path in braces is any text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from producers.ingest.adapters.protocol import Adapter


class Routed(NamedTuple):
    """A protocol that takes requests to the path, and the methods it takes there."""

    adapter: Adapter
    methods: tuple[str, ...]


class Routes:
    """``told`` lists them for whoever asked for a path that is none."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._exact: dict[str, list[Routed]] = {}
        self._patterns: list[tuple[re.Pattern[str], Routed]] = []
        self.told: list[str] = []
        for adapter in adapters:
            for path, methods in adapter.routes.items():
                self.told.append(f"{'|'.join(methods)} {path}")
                if "{" in path:
                    pattern = "".join("[^/]+" if part[:1] == "{" else re.escape(part)
                                      for part in re.split(r"(\{\w+\})", path))  # fmt: skip
                    self._patterns.append((re.compile(pattern), Routed(adapter, methods)))
                else:
                    self._exact.setdefault(path, []).append(Routed(adapter, methods))

    def find(self, path: str) -> Sequence[Routed]:
        """Of a path without trailing slash; empty where nobody takes requests."""
        found = self._exact.get(path)
        if found is not None:
            return found
        return [routed for pattern, routed in self._patterns if pattern.fullmatch(path)]
