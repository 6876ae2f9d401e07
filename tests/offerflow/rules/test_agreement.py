"""The engine against tests.oracle, which recomputes everything of lists: generated rulesets and journals.

``python -m tests.oracle.pairs`` plays as many more as one likes. What fails here is printed as small as it gets.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from offerflow.rules import absences, entries, fold, memory, traits
from tests.oracle.model import Placed
from tests.oracle.pairs.agree import Both, Disagreement, Refused, run
from tests.oracle.pairs.focus import FOCUSES
from tests.oracle.pairs.pair import Pair, make, of_seed, written
from tests.oracle.pairs.reached import LEAST
from tests.oracle.pairs.shrink import shrink, smallest
from tests.oracle.rules import keeping, partition, runs
from tests.oracle.rules.record import Outcome

PAIRS_EACH = 180
PAIRS_OF_A_SEED = 800
REFUSED = "refused by the compiler"


@pytest.mark.parametrize("focus", FOCUSES)
@settings(
    max_examples=PAIRS_EACH, deadline=None, derandomize=True, database=None,
    phases=[Phase.generate],  # made small by our own means, which know what a pair is
    suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
)  # fmt: skip
@given(random=st.randoms(use_true_random=False, note_method_calls=False))
def test_agrees_with_the_oracle(focus: str, random: Random) -> None:
    """Whatever the rules and whatever comes, in whatever order: the same verdicts, outputs, ids, evidence, refusals."""
    agrees(make(random, focus), Random(0))


def test_agrees_on_pairs_of_a_seed() -> None:
    """The first pairs of a long run, which anybody can repeat by their numbers; and the generator is not blind: each
    kind of output, reason and surprise comes up often enough among them."""
    reached: Counter[str] = Counter()
    for number in range(PAIRS_OF_A_SEED):
        reached += agrees(of_seed(1, number), Random(number))
    missing = {name: (reached[name], least) for name, least in LEAST.items() if reached[name] < least}
    assert not missing, f"reached less often than they should be (found, least): {missing}"
    assert reached[REFUSED] < PAIRS_OF_A_SEED / 20


BOUNDS: dict[str, tuple[tuple[ModuleType, str], tuple[ModuleType, str], tuple[int, ...]]] = {
    "entities of a tick": ((fold, "ENTITIES_PER_TICK"), (partition, "AT_ONCE"), (1, 2)),
    "timers of a tick": ((fold, "FIRINGS_PER_TICK"), (partition, "FIRINGS"), (1, 2, 3)),
    "unique keys": ((memory, "MAX_FACTS"), (keeping, "REMEMBERED_FACTS"), (2,)),
    "refunds": ((memory, "MAX_REVERSALS"), (keeping, "REFUNDS"), (2, 3)),
    "absences": ((absences, "MAX_WATCHES"), (keeping, "WATCHES"), (1, 2)),
    "instances": ((entries, "MAX_HELD"), (runs, "AT_ONCE"), (1, 2)),
    "characters of a trait": ((traits, "MAX_TRAIT"), (keeping, "LONGEST_TRAIT"), (1,)),
}
"""What is bounded: the bound in the engine, in the oracle, and values so small that journals meet them."""


@pytest.mark.parametrize(
    ("what", "bound"), [(what, bound) for what, (_, _, bounds) in BOUNDS.items() for bound in bounds]
)
def test_agrees_where_a_bound_is_met(what: str, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is bounded, both sides bound it in the same way: with a bound that journals meet they still agree, and
    with that of the oracle left as it is they do not."""
    engine, oracle, _ = BOUNDS[what]
    usual = getattr(*oracle)
    if what == "entities of a tick":
        # The oracle has one bound for those that fire and those that leave a withdrawn offer.
        monkeypatch.setattr(fold, "SWEPT_PER_TICK", bound)
    for module, name in (engine, oracle):
        monkeypatch.setattr(module, name, bound)
    pairs = [of_seed(5, number) for number in range(100)]
    for number, pair in enumerate(pairs):
        agrees(pair, Random(number))
    monkeypatch.setattr(*oracle, usual)
    assert any(_disagree(pair) for pair in pairs)


def test_replay_and_batches_change_nothing() -> None:
    """Folded again, in one batch or with a batch end after every record, the journal leads to the same decisions and
    leaves the same bytes behind."""
    for number in range(100):
        pair = of_seed(3, number)
        try:
            runs = [Both(pair, settles) for settles in (None, Random(number), Random(number), _Never())]
        except Refused:
            continue
        for one in runs:
            one.run()
        assert all(one.said == runs[0].said for one in runs)
        assert all(one.engine.state() == runs[0].engine.state() for one in runs)


def test_a_disagreement_is_noticed() -> None:
    """An oracle that misses one event of the journal does not agree with the engine, and the pair is printed small."""
    pair = of_seed(1, 1)
    both = Both(pair)
    left_out = next(at for at, one in enumerate(pair.journal) if one.what == "event")
    take = both.oracle.take

    def deaf(entity: str, placed: Placed) -> Outcome:
        return Outcome("unread") if placed.offset == pair.journal[left_out].offset else take(entity, placed)

    both.oracle.take = deaf  # type: ignore[method-assign]
    with pytest.raises(Disagreement):
        both.run()
    assert "ruleset 0" in written(pair)
    small = shrink(pair, lambda one: any(entry.id == pair.journal[left_out].id for entry in one.journal))
    assert [entry.id for entry in small.journal] == ["", pair.journal[left_out].id]


class _Never(Random):
    """Ends no batch."""

    def randrange(self, *args: int) -> int:  # type: ignore[override]
        return 1


def _disagree(pair: Pair) -> bool:
    try:
        run(pair)
    except Refused:
        return False
    except Disagreement:
        return True
    return False


def agrees(pair: Pair, settles: Random) -> Counter[str]:
    """What the pair reached. Fails with a pair that is as small as it gets."""
    try:
        return run(pair, settles)
    except Refused:
        return Counter({REFUSED: 1})
    except Disagreement:
        small, why = smallest(pair)
    pytest.fail(f"engine and oracle disagree on\n{small}\n{why}", pytrace=False)
