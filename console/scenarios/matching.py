"""What a step expected against what happened: each expectation takes one happening, and none may be left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.scenarios.happenings import Happening, told
from console.scenarios.model import Expected


@dataclass(frozen=True, slots=True)
class Miss:
    """Something expected that did not happen, something that happened and was not expected, or both: then they are of
    one kind and differ."""

    expected: Expected | None
    got: str
    offer: str | None = None

    @property
    def wanted(self) -> str:
        return told(self.expected.kind, self.expected.name, self.expected.wants) if self.expected else ""


def compare(
    expected: Iterable[Expected], happened: Sequence[Happening], watched: frozenset[str] | None, *, allow_other: bool
) -> list[Miss]:
    """``watched``: offers of which everything must be expected, None for all. Dead letters must always be."""
    left, expected = list(happened), list(expected)
    asked: Counter[tuple[str, str]] = Counter((one.kind, one.name) for one in expected)
    came = Counter((got.kind, got.name) for got in happened)
    missing: list[Expected] = []
    taken: list[Happening] = []
    # Who asks most chooses first.
    for one in sorted(expected, key=lambda one: -len(one.wants)):
        found = next((got for got in left if got.meets(one)), None)
        if found is None:
            missing.append(one)
        else:
            left.remove(found)
            taken.append(found)
    paid = {got.instance for got in (*taken, *left) if got.kind == "satisfied"}
    loose = [got for got in left if _matters(got, watched, paid, allow_other=allow_other)]
    misses = []
    for one in missing:
        near = _nearest(one, loose, left)
        if near in loose:
            loose.remove(near)
        instead = near.text(one.wants) if near else _too_few(asked[one.kind, one.name], came[one.kind, one.name])
        misses.append(Miss(one, instead, near.offer if near else None))
    for got in loose:
        many = asked[got.kind, got.name]
        more = f" (expected {_times(many)}, got {_times(came[got.kind, got.name])})" if many else ""
        misses.append(Miss(None, got.text() + more, got.offer))
    return misses


def _too_few(asked: int, came: int) -> str:
    return f"expected {_times(asked)}, got {_times(came)}" if came else ""


def _times(many: int) -> str:
    return {1: "once", 2: "twice"}.get(many, f"{many} times")


def _matters(got: Happening, watched: frozenset[str] | None, paid: set[str], *, allow_other: bool) -> bool:
    """Whether it must be expected."""
    if got.kind == "dead_letter":
        return True
    if allow_other or got.kind == "refused":
        return False
    if got.kind == "ignored":
        return got.name != "unread"
    if got.kind == "exited" and got.facts["reason"] == "completed" and got.instance in paid:
        return False  # told by its reward
    return watched is None or got.offer in watched


def _nearest(wanted: Expected, loose: Sequence[Happening], left: Sequence[Happening]) -> Happening | None:
    """What happened instead: the same of the same name, a dead letter or a refusal that stands for it."""
    for got in (*loose, *left):
        if (got.kind, got.name) == (wanted.kind, wanted.name):
            return got
    for got in (*loose, *left):
        if got.kind in ("dead_letter", "ignored") and got.name != "unread":
            return got
    for got in left:
        if got.kind == "refused" and wanted.kind == "entered" and got.name == wanted.name:
            return got
    return next((got for got in loose if got.kind == wanted.kind), None)
