"""Regular expressions by RE2: linear in the text, compiled once, bounded in memory."""

from __future__ import annotations

import functools
from typing import Any

import re2

MAX_MEMORY = 1 << 20
"""Bytes that the programs of one expression may take; RE2 refuses what needs more."""


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """Raises re2.error."""
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)
