"""The nearest known name to one that is not known, for errors that help.

Near are names that share many letters and pairs of letters (Dice's coefficient). It is cheap enough to be asked for
every record of a flood of unknown names, which an edit distance to each known one is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

NEAR = 0.57
_LOOKED_AT = 4


class Nearest:
    """Built once over the ``known`` names; call it with an unknown one."""

    def __init__(self, known: Iterable[str]) -> None:
        self._names = sorted(known)
        self._parts = [_parts(name) for name in self._names]
        self._longest = 2 * max(map(len, self._names), default=0)
        self._with: dict[str, list[int]] = {}
        for at, (pairs, _) in enumerate(self._parts):
            for pair in pairs:
                self._with.setdefault(pair, []).append(at)
        self._answers = lru_cache(maxsize=1024)(self._search)

    def __call__(self, name: str) -> str:
        """``; did you mean 'Purchase Completed'?`` or an empty string when nothing is near."""
        return self._answers(name) if 0 < len(name) <= self._longest else ""

    def _search(self, name: str) -> str:
        pairs, letters = _parts(name)
        shared = Counter(chain.from_iterable(self._with.get(pair, ()) for pair in pairs))
        best, found = NEAR, None
        for at, common in shared.most_common(_LOOKED_AT):
            others, its_letters = self._parts[at]
            size = len(pairs) + len(others) + len(letters) + len(its_letters)
            score = 2 * (common + len(letters & its_letters)) / size
            if score > best:
                best, found = score, self._names[at]
        return f"; did you mean {found!r}?" if found is not None else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """For a single question: what ``Nearest(known)`` says to ``name``."""
    return Nearest(known)(name)


def _parts(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Pairs of neighbouring letters, the ends included, and letters; case does not matter."""
    folded = name.casefold()
    ends = f"^{folded}$"
    return frozenset(map(str.__add__, ends, ends[1:])), frozenset(folded)
