"""Composition root of a rules worker: ``python -m consumers.rules``."""

from __future__ import annotations

import gc
import sys

from consumers.rules.stage import RulesStage
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.program import Program
from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import load_settings


def main() -> int:
    # States are trees: looking for cycles among them was measured to cost the fold a fifth to a third of its time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        settings = load_settings()
        settings = settings.model_copy(update={"worker": settings.worker or "rules-1"})
        program = Program(settings, settings.worker)
    except OfferflowError as error:
        print(f"rules: {error}", file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return error.exit_code

    def session() -> None:
        follower = CatalogFollower(settings, settings.worker, settings.worker)
        store = StateStore(settings)
        try:
            store.ping()
            follower.start()
            follower.report()
            RulesStage(settings, program, follower, store).run()
        finally:
            follower.close()
            store.close()

    return program.run(session)


if __name__ == "__main__":
    sys.exit(main())
