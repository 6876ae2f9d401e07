"""Structured logs on stderr: one JSON object per line for machines, or coloured lines for people.

Nothing on a hot path logs per event; pii never reaches a log.
"""

from __future__ import annotations

import logging
import sys

import stamina.instrumentation
import structlog

from offerflow.runtime.settings import LogSettings

# Trying again is routine here; what stays down is reported by whoever gives up.
stamina.instrumentation.set_on_retry_hooks([])


def configure_logs(settings: LogSettings, program: str) -> None:
    """Send structlog to stderr in the chosen format, every line bound to the program's name."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if settings.format == "json" else structlog.dev.ConsoleRenderer()
    )
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.format == "json":
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(program=program)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger of this process; bind context with keyword arguments."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
