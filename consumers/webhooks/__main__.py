"""Composition root of the webhooks worker: ``python -m consumers.webhooks``."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from sqlalchemy import Engine

from consumers.webhooks.deliverer import Deliverer
from consumers.webhooks.stage import WebhooksStage
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.program import Program
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store


def main() -> int:
    try:
        settings = load_settings()
        settings = settings.model_copy(update={"worker": settings.worker or "webhooks"})
        program = Program(settings, settings.worker)
    except OfferflowError as error:
        print(f"webhooks: {error}", file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return error.exit_code

    with ExitStack() as open_until_the_end:
        opened: list[tuple[Engine, Deliverer]] = []

        def session() -> None:
            # What is queued is sent whether Kafka is there or not: the deliverer outlives a session.
            if not opened:
                engine = open_store(settings)
                open_until_the_end.callback(engine.dispose)
                deliverer = Deliverer(settings, engine)
                deliverer.start()
                open_until_the_end.callback(deliverer.stop)
                opened.append((engine, deliverer))
            WebhooksStage(settings, program, *opened[0]).run()

        return program.run(session)


if __name__ == "__main__":
    sys.exit(main())
