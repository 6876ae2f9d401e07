"""A file of users to enter into an offer: CSV with a header, or a JSON object a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.envelope import MAX_ID

USER, KEY = "user_id", "key"
_CALLED = {"user_id": USER, "userid": USER, "key": KEY}
_EXPECTED = 'expected a header with user_id (and key), or lines such as {"user_id": "u-1"}'


class User(NamedTuple):
    """One line of the file. ``line`` counts from 1."""

    line: int
    user_id: str
    key: str | None


class Wrong(NamedTuple):
    line: int
    message: str


def read_users(data: bytes, *, keyed: bool) -> tuple[list[User], list[Wrong], int]:
    """The users of a file, what is wrong with its lines, and how many lines say what one before them said. ``keyed``:
    whether the offer tells entries apart by a key."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Wrong(data[: error.start].count(b"\n") + 1, "is not UTF-8")], 0
    found: dict[tuple[str, str | None], User] = {}
    wrong: list[Wrong] = []
    repeated = 0
    for line, said in _lines(text):
        problem = said if isinstance(said, str) else _problem(said, keyed)
        if problem is not None:
            wrong.append(Wrong(line, problem))
            continue
        user = User(line, said[USER], said.get(KEY) or None)  # type: ignore[index, union-attr]
        if found.setdefault((user.user_id, user.key), user) is not user:
            repeated += 1
    return list(found.values()), wrong, repeated


def _lines(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """What each line says, or why it says nothing."""
    if text.lstrip()[:1] == "{":
        yield from ((at, _json(line)) for at, line in enumerate(text.splitlines(), 1) if line.strip())
        return
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str | None] | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = [_CALLED.get(cell.strip().lower()) for cell in row]
                if USER not in header:
                    yield rows.line_num, _EXPECTED
                    return
            elif len(row) != len(header):
                yield rows.line_num, f"has {len(row)} columns, expected {len(header)} as in the header"
            else:
                yield rows.line_num, {name: cell for name, cell in zip(header, row, strict=True) if name}
    except csv.Error as error:
        yield rows.line_num, f"is not CSV: {error}"
    if header is None:
        yield 1, f"the file is empty; {_EXPECTED}"


def _json(line: str) -> dict[str, Any] | str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is not JSON: {error}"
    if not isinstance(value, dict):
        return 'expected an object such as {"user_id": "u-1"}'
    return {_CALLED[name.lower()]: value[name] for name in value if name.lower() in _CALLED}


def _problem(said: dict[str, Any], keyed: bool) -> str | None:
    for name, needed in ((USER, True), (KEY, keyed)):
        value = said.get(name)
        if value is None or value == "":
            if needed:
                return f"{name} is missing"
        elif not isinstance(value, str):
            return f"{name}: expected a string"
        elif len(value) > MAX_ID:
            return f"{name}: expected at most {MAX_ID} characters, got {len(value)}"
        elif not needed:
            return f"{name}: this offer does not tell entries apart by a key"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            return f"{name}: holds half a character"
    return None
