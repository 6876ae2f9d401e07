"""Reads the cases of docs/rules-by-example.md: YAML, then a table of what happens and what must come of it.

The notation is explained at the top of the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.oracle.pairs.journals import Entry
from tests.oracle.rules.written import duration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules-by-example.md"
MONDAY = 1_767_571_200_000
"""Day 1 at 00:00: 2026-01-05 UTC."""
_TYPES = {"string": "string", "number": "double", "integer": "long", "truth": "boolean",
          "time": {"type": "long", "logicalType": "timestamp-millis"}}  # fmt: skip
_yaml = YAML(typ="safe", pure=True)


@dataclass
class Row:
    """A line of a table: what happens, and the texts of what must come of it."""

    entry: Entry
    due: list[str]
    line: int


@dataclass
class Case:
    """``kind`` is ``story``, ``refused`` (``rows`` empty, ``words`` in the refusal), ``expressions`` or ``values``
    (``table``)."""

    section: str
    title: str
    line: int
    blocks: list[list[dict[str, Any]]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    kind: str = "story"

    @property
    def id(self) -> str:
        return f"{self.line}: {self.title}"


def plan() -> list[dict[str, Any]]:
    """The event schemas that the table at the top of the page describes."""
    found = []
    for cells in _tables(PAGE.read_text(encoding="utf-8").splitlines())[0][1][2:]:
        name, properties, rest = cells
        schema = {"type": "record", "namespace": "events", "name": name.replace(" ", ""), "event": [name]}
        fields: list[dict[str, Any]] = [{"name": "meta", "type": "events.Meta"}]
        for text in filter(None, re.split(r",\s*", properties)):
            given, kind = text.split()
            made = {"name": given.rstrip("?"), "type": _TYPES[kind]}
            fields.append({**made, "type": ["null", made["type"]], "default": None} if given.endswith("?") else made)
        found.append({**schema, "fields": fields, **(_yaml.load(rest.strip("`")) or {})})
    return found


def cases() -> list[Case]:
    """Every case of the page, in order."""
    lines, found, section = PAGE.read_text(encoding="utf-8").splitlines(), [], ""
    tables = dict(_tables(lines))
    block: list[str] | None = None
    for number, text in enumerate(lines, 1):
        if block is not None:
            if text == "```":
                if found:
                    found[-1].blocks.append([_completed(one) for one in _yaml.load_all("\n".join(block)) if one])
                block = None
            else:
                block.append(text)
        elif text.startswith("#"):
            section = text.lstrip("# ")
        elif text.startswith("```"):
            block = []
        elif text.startswith("**"):
            found.append(Case(section, text.split("**")[1].rstrip("."), number))
        elif text.startswith("Refused:"):
            found[-1].kind, found[-1].words = "refused", re.findall(r"`([^`]+)`", text)
        elif number in tables and found:
            head, *rest = tables[number]
            _fill(found[-1], head, rest[1:], number + 2)
    return found


def _fill(case: Case, head: list[str], rest: list[list[str]], line: int) -> None:
    if head[0] == "expression":
        case.kind, case.table = ("values" if head[-1] == "value" else "expressions"), rest
        return
    now, before, offset = MONDAY, MONDAY, 0
    case.rows.append(Row(Entry("activate", 0), [], line))
    for number, (when, what, then) in enumerate(rest):
        time = _when(when, before)
        before, now, offset = time, max(now, time), offset + 10
        due = [one.strip() for one in then.split(";") if one.strip()]
        case.rows.append(Row(_entry(what.replace("`", ""), time, now, offset), due, line + number))


def _when(text: str, before: int) -> int:
    if text.startswith("+"):
        return before + duration(text[1:].replace(" ", ""))
    found = re.fullmatch(r"day (-?\d+)(?: (\d\d):(\d\d)(?::(\d\d)(?:\.(\d{3}))?)?)?", text)
    if not found:
        raise ValueError(f"{text!r} is no time")
    day, *rest = (int(one or 0) for one in found.groups())
    hours, minutes, seconds, ms = rest
    return MONDAY + (((day - 1) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000 + ms


def _entry(text: str, time: int, now: int, offset: int) -> Entry:
    if text == "time passes":
        return Entry("tick", offset, time=time)
    if text.startswith("activate "):
        return Entry("activate", offset, ruleset=int(text.split()[1]) - 1)
    match = re.fullmatch(r"(?:(ben|visitor): )?(imported )?(.*?)(?: #(\w+))?(?:, received (day .*))?", text)
    assert match
    who, exempt, text = match[1] or "ann", bool(match[2]), match[3]
    common: dict[str, Any] = {
        "entity": "a:visitor" if who == "visitor" else f"u:{who}", "id": match[4] or f"e{offset}", "time": time,
        "received_at": _when(match[5], now) if match[5] else time if exempt else now, "exempt": exempt,
    }  # fmt: skip
    text, _, rest = text.partition(" {")
    given = _yaml.load("{" + rest) if rest else {}
    words = text.split()
    match words:
        case ["enter", "with", "code", code]:
            return Entry("request", offset, name="EnterOffer", properties={"code": code, **given}, **common)
        case ["enter", offer]:
            return Entry("request", offset, name="EnterOffer", properties={"offer": offer, **given}, **common)
        case ["fulfil"]:
            return Entry("request", offset, name="FulfilReward", properties={"by": "shop"}, reward=0, **common)
        case ["reverse"]:
            return Entry("request", offset, name="ReverseReward", properties={}, reward=0, **common)
    return Entry("event", offset, name=text, properties=given, **common)


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """A document with what the page leaves out: its kind, and the id of an offer, ``o``. Dates stay texts."""
    document = _dates_as_text(document)
    if "kind" in document:
        return {"id": "rules", **document}
    if "entry" in document:
        return {"kind": "offer", "id": "o", **document}
    if document.keys() <= {"allowed_lateness", "grace", "timezone"}:
        return {"kind": "settings", "id": "rules", **document}
    return {"kind": "condition", **document}


def _dates_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dates_as_text(one) for key, one in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _tables(lines: list[str]) -> list[tuple[int, list[list[str]]]]:
    """(line of its head, rows of cells) of each table, the row of dashes included."""
    found: list[tuple[int, list[list[str]]]] = []
    for number, text in enumerate(lines, 1):
        if not text.startswith("|"):
            continue
        cells = [one.strip().replace("\\|", "|") for one in re.split(r"(?<!\\)\|", text)[1:-1]]
        if found and found[-1][0] + len(found[-1][1]) == number:
            found[-1][1].append(cells)
        else:
            found.append((number, [cells]))
    return found
