"""Spreads the tests over the processes of ``pytest -n``: what takes minutes first, files in one piece.

Each process has a broker of its own as soon as a test asks for one; tests that share more than that stay together.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/interop/",)
"""Folders whose tests share one deployment."""

APART = (
    "tests/end_to_end/test_bad_input.py", "tests/end_to_end/test_faults.py", "tests/end_to_end/test_guards.py",
    "tests/end_to_end/test_workspace.py", "tests/schedules/test_guards.py",
)  # fmt: skip
"""Files whose tests share nothing and take long."""


class Spread(LoadScopeScheduling):
    """Hands out files, or what ``TOGETHER`` and ``APART`` name, in the order of ``slow_first``."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)  # type: ignore[arg-type]

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(APART):
            return nodeid
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def slow_first(items: list[pytest.Item]) -> None:
    """Put what is marked slow before what needs a broker, and that before the rest: no process waits for the last."""
    items.sort(key=lambda item: (not item.get_closest_marker("slow"), not item.get_closest_marker("broker")))
