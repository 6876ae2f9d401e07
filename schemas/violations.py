"""What an event can have wrong, as a value that says where, what was expected and what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

SHOWN = 120
HIDDEN = "a value that is not shown (pii)"

Show = Callable[[Any], str]
"""How a value that does not fit is told."""


class Violation(Exception):
    """A property against the plan. ``of_plan``: the type is right but a rule of the plan is broken.

    ``got`` never carries the value of a pii field.
    """

    def __init__(self, field: str, expected: str, got: str, *, of_plan: bool = False) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}")
        self.field, self.expected, self.got, self.of_plan = field, expected, got, of_plan


def show(value: Any) -> str:
    """A value with its JSON type, cut to SHOWN characters."""
    if value is None:
        return "null"
    kind = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    text = json.dumps(value, ensure_ascii=True, default=str)
    return f"{kind.get(type(value), type(value).__name__)} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def hide(value: Any) -> str:
    """What is told in place of a value that is personal, or may have such data inside."""
    return HIDDEN
