"""The nearest known name to one that is not known, for errors that help.

Candidates share many letters and pairs of letters (Dice's coefficient): that is cheap enough to be asked for every
record of a flood of unknown names. Of the few that do, one is near if it is the same name with slips of the pen: word
for word, in any order, and written as one or several. Names that share but an ending (`Cart Viewed`, `Page Viewed`)
are not: a wrong advice costs more than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

NEAR = 0.57
_LOOKED_AT = 6
_SLIPS = 3
"""One letter in so many may be wrong, and one of a shorter word."""
_STEM = 3
"""Letters that are enough to stand for a word that begins with them."""
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])")


class Nearest:
    """Built once over the ``known`` names; call it with an unknown one."""

    def __init__(self, known: Iterable[str]) -> None:
        self._names = sorted(known)
        self._parts = [_parts(name) for name in self._names]
        self._words = [_words(name) for name in self._names]
        self._longest = 2 * max(map(len, self._names), default=0)
        self._with: dict[str, list[int]] = {}
        for at, (pairs, _) in enumerate(self._parts):
            for pair in pairs:
                self._with.setdefault(pair, []).append(at)
        self._answers = lru_cache(maxsize=1024)(self._search)

    def __call__(self, name: str) -> str:
        """``; did you mean 'Purchase Completed'?`` or an empty string when nothing is near."""
        found = self.name(name)
        return "" if found is None else f"; did you mean {found!r}?"

    def name(self, name: str) -> str | None:
        """The known name that is nearest to this one; None when nothing is near."""
        return self._answers(name) if 0 < len(name) <= self._longest else None

    def _search(self, name: str) -> str | None:
        pairs, letters = _parts(name)
        shared = Counter(chain.from_iterable(self._with.get(pair, ()) for pair in pairs))
        scored = []
        for at, common in shared.most_common(_LOOKED_AT):
            others, its_letters = self._parts[at]
            size = len(pairs) + len(others) + len(letters) + len(its_letters)
            score = 2 * (common + len(letters & its_letters)) / size
            if score > NEAR:
                scored.append((-score, at))
        if not scored:
            return None
        words = _words(name)
        near = (at for _, at in sorted(scored) if _same_but_for_slips(words, self._words[at]))
        return next((self._names[at] for at in near), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """For a single question: what ``Nearest(known)`` says to ``name``."""
    return Nearest(known)(name)


def _parts(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Pairs of neighbouring letters, the ends included, and letters; case does not matter."""
    folded = name.casefold()
    ends = f"^{folded}$"
    return frozenset(map(str.__add__, ends, ends[1:])), frozenset(folded)


def _same_but_for_slips(words: list[str], known: list[str]) -> bool:
    """Whether each word of the one with fewer is like a word of its own of the other; or both are alike run together,
    where one of them is a single word."""
    few, many = sorted((words, known), key=len)
    if len(few) < 2 and _alike("".join(few), "".join(many)):
        return True
    left = list(many)
    for word in few:
        like = next((other for other in left if _alike(word, other)), None)
        if like is None:
            return False
        left.remove(like)
    return bool(few)


def _words(name: str) -> list[str]:
    """``accountCreated``, ``account_created`` and ``Account Created`` have the same."""
    return [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", name))]


def _alike(one: str, other: str) -> bool:
    """Whether one is the other with few slips, or begins with it."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short) and len(short) >= _STEM:
        return True
    most = max(1, len(long) // _SLIPS)
    # Each letter that the other has not is a slip: few words are left to be measured.
    if len(long) - len(short) > most or len(set(long).difference(short)) > most or len(set(short) - set(long)) > most:
        return False
    return _slips(short, long) <= most


def _slips(one: str, other: str) -> int:
    """Letters left out, put in, mistaken, or swapped with the next (the distance of optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        row = [at]
        for to, its in enumerate(other, start=1):
            cost = min(last[to] + 1, row[-1] + 1, last[to - 1] + (letter != its))
            if at > 1 and to > 1 and letter == other[to - 2] and its == one[at - 2]:
                cost = min(cost, before[to - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
