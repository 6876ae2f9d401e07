"""Composition root of the history: ``python -m consumers.history``."""

from __future__ import annotations

import sys

from consumers.history.stage import HistoryStage
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.program import Program
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store

CACHE_MB = 32
"""The newest segments of the index's ids, which every batch writes to all over."""


def main() -> int:
    try:
        settings = load_settings()
        settings = settings.model_copy(update={"worker": settings.worker or "history"})
        program = Program(settings, settings.worker)
    except OfferflowError as error:
        print(f"history: {error}", file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return error.exit_code

    def session() -> None:
        engine = open_store(settings, CACHE_MB)
        try:
            HistoryStage(settings, program, engine).run()
        finally:
            engine.dispose()

    return program.run(session)


if __name__ == "__main__":
    sys.exit(main())
