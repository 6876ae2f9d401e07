"""Whether what is in the store is all there was when somebody began to fill it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.logs import get_logger

LOOK_S = 3.0
Mark = Callable[[Mapping[Place, int]], bool]
"""Told the ends as they were at the beginning: whether all below is there, which is then kept in the store."""


class Completeness:
    """Looks from the beginning until it is so. ``is_complete`` tells what the store says, ``what`` names it in logs."""

    def __init__(
        self, admin: Admin, topics: Iterable[TopicInfo], is_complete: Callable[[], bool], mark: Mark, what: str
    ) -> None:
        self._admin = admin
        self._places = [(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
        self._is_complete = is_complete
        self._mark = mark
        self._what = what
        self._target: dict[Place, int] | None = None
        self._asked = time.monotonic()
        self.begin()

    @property
    def reached(self) -> bool:
        return self._target is None

    def begin(self) -> None:
        """Look anew, as after the store was emptied."""
        self._target = None if self._is_complete() else self._admin.ends(self._places)

    def turn(self, *, idle: bool) -> None:
        """Ask the store, at once or now and then."""
        if self._target is None or not (idle or time.monotonic() - self._asked > LOOK_S):
            return
        self._asked = time.monotonic()
        if self._mark(self._target):
            self._target = None
            get_logger().info("complete: the store has all there was at the start", what=self._what)
