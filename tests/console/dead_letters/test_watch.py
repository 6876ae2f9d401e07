from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.dead_letters.handled import HandledLetters
from console.dead_letters.stats import OTHERS, count_by
from console.dead_letters.watch import GRAIN_MS, DeadLetterWatch, Letters
from offerflow.runtime.settings import Settings
from tests.console.dead_letters.letters import letter

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("letter"), st.integers(1, 4), st.integers(0, 3)),
        st.tuples(st.just("handle"), st.integers(0, 30), st.booleans()),
        st.tuples(st.just("trim"), st.integers(0, 30), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_count_is_that_of_a_plain_fold(steps: list[tuple[str, int, int | bool | None]]) -> None:
    """Letters, what is said of them before or after they are seen, taken back or repeated, and retention: always as
    if everything were counted afresh."""
    watch = DeadLetterWatch(Settings())
    letters: dict[int, int] = {}
    handled: set[int] = set()
    offset = first = 0
    for kind, one, two in steps:
        if kind == "letter":
            offset += one  # transaction markers take offsets too
            number = 1 + int(two or 0)
            letters[offset] = number
            watch.add((0, offset), number, offset * GRAIN_MS)
            watch.add((0, offset), number, offset * GRAIN_MS)
        elif kind == "handle":
            (handled.add if two else handled.discard)(one)
            (watch._handled.replayed.add if two else watch._handled.replayed.discard)((0, one))
            watch.look_again((0, one))
        else:
            first = max(first, one)
            letters = {at: number for at, number in letters.items() if at >= first}
            offset = max(offset, first)
            watch._trim(0, first)
    open_ = {at: number for at, number in letters.items() if at not in handled}
    for number in range(1, 5):
        assert watch.unhandled[number] == sum(one == number for one in open_.values())
    oldest = watch._letters[0].oldest() if 0 in watch._letters else None
    assert oldest == (min(open_) * GRAIN_MS if open_ else None)


def test_the_oldest_is_told_to_a_minute() -> None:
    """Where letters come thickly its time is at most GRAIN_MS too early, and moments take no memory beyond that."""
    letters = Letters(100)
    for offset in range(100, 10_100):
        letters.add(offset, 1 if offset == 9_000 else 0x81, offset * 100)
    oldest = letters.oldest()
    assert oldest is not None
    assert 0 <= 9_000 * 100 - oldest <= GRAIN_MS
    assert len(letters.times) < 20


def test_groups_are_bounded() -> None:
    """A sender that makes up names fills no memory: what comes late is counted together."""
    flood = (letter(event=f"e{n}", at=(0, n), appended_ms=n + 1) for n in range(1000))
    counted = count_by(flood, ["event"], HandledLetters(Settings()), most=10)
    assert len(counted) == 11
    assert counted[0][0] == (OTHERS,)
    assert (counted[0][1].count, counted[0][1].oldest, counted[0][1].newest) == (990, 11, 1000)
