"""A pair on which the sides disagree, made as small as it gets: what can be left out is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from tests.oracle.pairs.agree import Disagreement, Refused, run
from tests.oracle.pairs.pair import Pair, written

Fails = Callable[[Pair], bool]
KEPT = ("kind", "id", "entry", "event", "of", "expr", "currency", "per_key", "group", "after", "absent")


def smallest(pair: Pair) -> tuple[str, str]:
    """The pair as small as it gets, written down, and what the sides differ in there."""
    first = _kind(_why(pair))
    small = shrink(pair, lambda one: _kind(_why(one)) == first)
    return written(small), _why(small)


def _why(pair: Pair) -> str:
    try:
        run(pair)
    except Disagreement as error:
        return str(error)
    except Refused:
        pass
    return ""


def _kind(why: str) -> str:
    """The first words, without the place, so that one failure is not taken for another."""
    return re.sub(r"^record \d+, offset \d+: ", "", why)[:14]


def shrink(pair: Pair, fails: Fails, tries: int = 4000) -> Pair:
    """The smallest pair found that still ``fails``."""
    changed = True
    while changed and tries > 0:
        changed = False
        for smaller in _smaller(pair):
            tries -= 1
            if tries <= 0:
                break
            if fails(smaller):
                pair, changed = smaller, True
                break
    return pair


def _smaller(pair: Pair) -> Iterator[Pair]:
    journal = pair.journal
    size = len(journal) // 2
    while size:
        for at in range(1, len(journal), size):
            yield Pair(pair.rulesets, journal[:at] + journal[at + size :])
        size //= 2
    if len(pair.rulesets) > 1:
        yield Pair(pair.rulesets[:-1], [one for one in journal if one.ruleset < len(pair.rulesets) - 1])
    for number, ruleset in enumerate(pair.rulesets):
        for smaller in _without(ruleset, top=True):
            yield Pair([*pair.rulesets[:number], smaller, *pair.rulesets[number + 1 :]], journal)
    for at, one in enumerate(journal):
        for name, value in one.properties.items():
            if value is not None and one.what == "event" and name not in ("order", "no", "amount", "key"):
                plain = replace(one, properties={**one.properties, name: None})
                yield Pair(pair.rulesets, [*journal[:at], plain, *journal[at + 1 :]])
        if one.exempt:
            yield Pair(pair.rulesets, [*journal[:at], replace(one, exempt=False), *journal[at + 1 :]])


def _without(made: Any, top: bool = False) -> Iterator[Any]:
    """The same with one thing left out, or one group replaced by a member."""
    if isinstance(made, list):
        for at, one in enumerate(made):
            if len(made) > 1 and not (top and one["kind"] == "settings"):
                yield made[:at] + made[at + 1 :]
            for smaller in _without(one):
                yield [*made[:at], smaller, *made[at + 1 :]]
    elif isinstance(made, dict):
        for group in ("all", "any"):
            if group in made:
                rest = {key: value for key, value in made.items() if key != group}
                yield from ({**rest, **one} for one in made[group])
        for key in made:
            if key not in KEPT and len(made) > 1:
                yield {other: deepcopy(value) for other, value in made.items() if other != key}
            for smaller in _without(made[key]):
                yield {**made, key: smaller}
