"""The store as the edge asks it: opened when first needed, so that events are taken without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine

from offerflow.runtime.store.transactions import reading
from producers.ingest.api.aside import Aside

T = TypeVar("T")
_THREADS = 2
"""They share the interpreter with the events: more of them would answer no faster."""


class AskedStore:
    """Belongs to one event loop. ``open_engine`` makes the engine; after a failure it is tried again."""

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open = open_engine
        self._engine: Engine | None = None
        self._aside = Aside("store", _THREADS)

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer, from one transaction. Raises DependencyDown if the store does not answer in time, or is asked too
        much at once."""
        return await self._aside.run(lambda: self._answer(question))

    def close(self) -> None:
        self._aside.close()
        if self._engine is not None:
            self._engine.dispose()

    def _answer(self, question: Callable[[Connection], T]) -> T:
        if self._engine is None:
            self._engine = self._open()
        with reading(self._engine) as connection:
            return question(connection)
