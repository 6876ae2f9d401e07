"""Dead letters counted by what they have in common, in bounded memory: senders choose the names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.dead_letters.handled import HandledLetters
from schemas.dead_letter import StoredLetter

BY = ("reason", "event", "source", "field")
GROUPS = 5000
Group = tuple[str | None, ...]
OTHERS = "(others)"


@dataclass(slots=True)
class Count:
    """``oldest`` and ``newest`` are when they became dead letters, milliseconds since 1970."""

    count: int = 0
    unhandled: int = 0
    oldest: int = 0
    newest: int = 0

    def take(self, letter: StoredLetter, handled: bool) -> None:
        self.count += 1
        self.unhandled += not handled
        self.oldest = min(self.oldest or letter.appended_ms, letter.appended_ms)
        self.newest = max(self.newest, letter.appended_ms)


def count_by(
    letters: Iterable[StoredLetter], by: Sequence[str], handled: HandledLetters, most: int = GROUPS
) -> list[tuple[Group, Count]]:
    """Counts of each combination of the fields ``by``, most unhandled first. When there are over ``most``
    combinations, those that came later count as OTHERS."""
    found: dict[Group, Count] = {}
    others: Group = (OTHERS,) * len(by)
    for letter in letters:
        group = tuple(getattr(letter, name) for name in by)
        if group not in found and len(found) >= most:
            group = others
        found.setdefault(group, Count()).take(letter, letter.at in handled)
    return sorted(found.items(), key=lambda item: (-item[1].unhandled, -item[1].count, str(item[0])))
