"""Definitions as a file would hold them, and what is said of those that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from offerflow.rules.definitions import path_of

LEAF = {"event": "A"}


def refused(model: type[Any], content: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """(path, message) of everything that is wrong."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(content)
    return [(path_of(one["loc"]), one["msg"]) for one in raised.value.errors()]


def a_condition(**node: Any) -> dict[str, Any]:
    return {"kind": "condition", "id": "c", **node}


def an_offer(**more: Any) -> dict[str, Any]:
    return {"kind": "offer", "id": "o", "entry": LEAF, **more}
