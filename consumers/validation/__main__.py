"""Composition root of a validation worker: ``python -m consumers.validation``."""

from __future__ import annotations

import sys

from consumers.validation.stage import ValidationStage
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.program import Program
from offerflow.runtime.settings import load_settings


def main() -> int:
    try:
        settings = load_settings()
        settings = settings.model_copy(update={"worker": settings.worker or "validation-1"})
        program = Program(settings, settings.worker)
    except OfferflowError as error:
        print(f"validation: {error}", file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return error.exit_code

    def session() -> None:
        follower = CatalogFollower(settings, settings.worker, settings.worker)
        try:
            follower.start()
            ValidationStage(settings, program, follower).run()
        finally:
            follower.close()

    return program.run(session)


if __name__ == "__main__":
    sys.exit(main())
