"""From the names that senders chose, which may be anything, to names that Avro, files and terminals take."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

MAX_NAME = 200
"""Characters of an event's name (docs/formats.md, Event schemas)."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def shown(text: str, most: int = 80) -> str:
    """The text as a terminal may print it: control characters and reversals of direction as escapes, long ones cut."""
    safe = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text[: most + 1])
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def counted(number: int, noun: str) -> str:
    """``1 sample``, ``3 samples``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def name_problem(name: str) -> str | None:
    """Why the plan cannot hold an event of this name, or None."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, expected at most {MAX_NAME}"
    if name.startswith("offerflow."):
        return "starts with 'offerflow.', which is reserved"
    if name != name.strip() or not name.isprintable():
        return "holds characters that nobody sees (spaces at an end, control characters)"
    return None


def words(name: str) -> list[str]:
    """The words of a name in ASCII: accents are dropped, camel case and punctuation part words."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _WORD.findall(plain)


def pascal(name: str) -> str:
    """``Lesson Paused`` as ``LessonPaused``; empty if no letter or digit of ASCII is left."""
    return "".join(word[0].upper() + word[1:] for word in words(name))


def record_name(name: str, claim: Callable[[str], bool]) -> str:
    """The Avro record name for an event: Pascal case, a number behind it where ``claim`` says that it is taken."""
    # A name without any letter of ASCII is told by its digest, which is the same in every deployment.
    stem = pascal(name)[:100] or f"Event{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    stem = stem if stem[0].isalpha() else f"Event{stem}"
    candidate, number = stem, 1
    while not claim(candidate):
        number += 1
        candidate = f"{stem}{number}"
    return candidate
