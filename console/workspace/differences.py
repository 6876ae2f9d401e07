"""What changed inside a definition, value by value: ``count.at_least: 3 -> 5``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SPECIAL_FIRST = "!&*-?:,[]{}#|>@`\"'%"
_RESOLVES = re.compile(r"~|null|true|false|yes|no|on|off|[-+.0-9][0-9_.eExXoO+:-]*|\.inf|\.nan", re.IGNORECASE)
ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Detail:
    """One difference. ``action`` is add, change or remove, ``path`` leads to the value inside the definition, ``text``
    says it for people without the mark: ``count.at_least: 3 -> 5``. ``before`` and ``after`` are what programs read."""

    action: str
    path: str
    text: str
    before: Any = None
    after: Any = None

    def as_json(self) -> dict[str, Any]:
        return {"action": self.action, "path": self.path, "text": self.text, "before": self.before, "after": self.after}


def shown(value: Any, *, inside: bool = False) -> str:
    """A value as one would write it in YAML, on one line; ``inside`` of braces or brackets more needs quotes."""
    if isinstance(value, dict):
        items = (f"{shown(key, inside=True)}: {shown(item, inside=True)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(item, inside=True) for item in value) + "]"
    if isinstance(value, str) and _is_plain(value, inside):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_plain(text: str, inside: bool) -> bool:
    if not text or text != text.strip() or text[0] in _SPECIAL_FIRST or _RESOLVES.fullmatch(text):
        return False
    unsafe = (": ", " #", " -> ", *(",[]{}" if inside else ""))
    return text.isprintable() and not text.endswith(":") and not any(one in text for one in unsafe)


def detail(path: str, before: Any, after: Any) -> Detail:
    """One value added (``before`` is ABSENT), removed (``after`` is) or changed."""
    if before is ABSENT:
        return Detail("add", path, f"{path}: {shown(after)}", None, after)
    if after is ABSENT:
        return Detail("remove", path, f"{path}: {shown(before)}", before, None)
    return Detail("change", path, f"{path}: {shown(before)} -> {shown(after)}", before, after)


def differences(before: Any, after: Any, path: str = "") -> Iterator[Detail]:
    """The smallest values in which two definitions differ, in the order they are written. Members of a list that have
    an ``id`` are compared by it; other lists of mappings place by place; lists of plain values as one value."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *(key for key in before if key not in after)]:
            yield from _pair(before.get(key, ABSENT), after.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif _nested(before) and _nested(after):
        old, new = _keyed(before), _keyed(after)
        if not (old and new):
            old, new = ({str(at): item for at, item in enumerate(items)} for items in (before, after))
        elif list(old) != list(new) and sorted(old) == sorted(new):
            yield Detail("change", path, f"{path}: order {', '.join(old)} -> {', '.join(new)}", list(old), list(new))
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _pair(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}[{name}]")
    else:
        yield detail(path, before, after)


def _pair(before: Any, after: Any, path: str) -> Iterator[Detail]:
    if before is ABSENT or after is ABSENT:
        yield detail(path, before, after)
    else:
        yield from differences(before, after, path)


def _nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _keyed(items: list[Any]) -> dict[str, Any]:
    """Members by id; empty if one has none or two have the same."""
    found = {item["id"]: item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)}
    return found if len(found) == len(items) else {}
