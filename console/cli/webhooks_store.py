"""What the webhook commands share: the store of the deployment, and moments as they print them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.store.engine import open_store
from schemas.announce import rfc3339


@contextmanager
def opened(directory: Path | None) -> Iterator[tuple[Engine, WebhookSettings]]:
    """The store, and what webhooks may reach."""
    settings = connect(StackFiles.find(directory))
    engine = open_store(settings)
    try:
        yield engine, settings.webhooks
    finally:
        engine.dispose()


def now_ms() -> int:
    return int(time.time() * 1000)


def moment(at: int) -> str:
    """RFC 3339, whole seconds."""
    return rfc3339(at)[:19] + "Z"
