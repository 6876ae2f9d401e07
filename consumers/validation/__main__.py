"""Composition root of a validation worker: ``python -m consumers.validation``."""

from __future__ import annotations

import sys

from consumers.validation.stage import ValidationStage
from consumers.validation.view import SchemaIds
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings, load_settings


def main() -> int:
    try:
        settings = load_settings()
        settings = settings.model_copy(update={"worker": settings.worker or "validation-1"})
        program = Program(settings, settings.worker)
        schema_ids = _external_ids(settings, program)
    except OfferflowError as error:
        print(f"validation: {error}", file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return error.exit_code

    def session() -> None:
        follower = CatalogFollower(settings, settings.worker, settings.worker)
        try:
            follower.start()
            ValidationStage(settings, program, follower, schema_ids).run()
        finally:
            follower.close()

    return program.run(session)


def _external_ids(settings: Settings, program: Program) -> SchemaIds | None:
    """Schema ids of the external registry, if there is one. What was learnt of it outlives a session."""
    if settings.registry.url is None:
        return None
    from schemas.plan import Plan
    from schemas.registry import ExternalIds

    ids = ExternalIds(settings, Plan([]), alive=program.turn)

    def of(plan: Plan) -> ExternalIds:
        ids.plan = plan
        return ids

    return of


if __name__ == "__main__":
    sys.exit(main())
