"""Funnels: the fold against a search of every way through, and the question that the index is asked."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from console.events.funnels import Funnel, Happening, Reached, happenings
from offerflow.runtime.store.events import add_events
from offerflow.runtime.store.transactions import reading, writing
from tests.console.events.rows import row

STEPS = [frozenset(name) for name in "abc"]


def folded(steps: list[frozenset[str]], within: int, *mine: tuple[str, int], person: str = "u:1") -> list[Reached]:
    funnel = Funnel(steps, within)
    funnel.fold(Happening(person, name, time, str(at), None) for at, (name, time) in enumerate(mine))
    return funnel.result().get(None, [])


def test_each_step_after_the_one_before_and_in_time() -> None:
    """Order and time both count; what lies between does not matter."""
    assert folded(STEPS, 10, ("a", 0), ("x", 1), ("b", 4), ("c", 10)) == [(1, None), (1, 4), (1, 6)]
    assert folded(STEPS, 9, ("a", 0), ("b", 4), ("c", 10)) == [(1, None), (1, 4), (0, None)]
    assert folded(STEPS, 10, ("b", 0), ("a", 1), ("c", 2)) == [(1, None), (0, None), (0, None)]
    assert folded(STEPS, 10, ("b", 0)) == []


def test_any_attempt_counts() -> None:
    """A first attempt that came to nothing does not hide a later one that did."""
    assert folded(STEPS[:2], 5, ("a", 0), ("a", 100), ("b", 103)) == [(1, None), (1, 3)]


def test_no_event_counts_for_two_steps() -> None:
    """The same event twice in a funnel needs it twice; one that was sent again is still one."""
    twice = [frozenset("a"), frozenset("a")]
    assert folded(twice, 5, ("a", 0)) == [(1, None), (0, None)]
    assert folded(twice, 5, ("a", 0), ("a", 2)) == [(1, None), (1, 2)]
    funnel = Funnel(twice, 5)
    funnel.fold([Happening("u:1", "a", 0, "same", None), Happening("u:1", "a", 2, "same", None)])
    assert funnel.result() == {None: [(1, None), (0, None)]}


@given(
    mine=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), max_size=9),
    names=st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=2, max_size=3),
    within=st.integers(0, 8),
)
def test_as_far_as_any_choice_of_events_goes(mine: list[tuple[str, int]], names: list[str], within: int) -> None:
    """How far somebody comes is what trying every choice of their events says."""
    mine.sort(key=lambda one: one[1])
    steps = [frozenset(name) for name in names]
    furthest = 0
    for size in range(1, len(steps) + 1):
        for chosen in combinations(mine, size):
            fits = all(name in step for (name, _), step in zip(chosen, steps, strict=False))
            if fits and chosen[-1][1] - chosen[0][1] <= within:
                furthest = size
    reached = folded(steps, within, *mine)
    assert sum(step.people for step in reached) == furthest


def test_people_are_counted_in_the_group_they_began_in() -> None:
    """By the source of the first event of the attempt that came furthest."""
    funnel = Funnel(STEPS[:2], 100)
    funnel.fold([
        Happening("u:1", "a", 0, "1", "app"), Happening("u:1", "b", 5, "2", "shop"),
        Happening("u:2", "a", 0, "1", "shop"),
        Happening("u:3", "a", 0, "1", "app"), Happening("u:3", "b", 9, "2", "app"),
    ])  # fmt: skip
    assert funnel.result() == {"app": [(2, None), (2, 7)], "shop": [(1, None), (0, None)]}


def test_the_index_gives_people_with_what_they_did_before_they_were_known(store: Engine) -> None:
    """An anonymous id that came with one user is that user; with two it stays its own; dead letters and other times are
    left out."""
    with writing(store) as connection:
        add_events(connection, [
            row(0, "a", anonymous_id="v-1", time=10), row(1, "b", user_id="u-1", anonymous_id="v-1", time=20),
            row(2, "a", anonymous_id="v-2", time=30), row(3, "x", user_id="u-2", anonymous_id="v-2", time=31),
            row(4, "x", user_id="u-3", anonymous_id="v-2", time=32), row(5, "b", user_id="u-3", time=33),
            row(6, "a", user_id="u-4", time=5), row(7, "b", user_id="u-4", time=99),
        ])  # fmt: skip
        add_events(connection, [row(0, "a", dead=1, user_id="u-5", reason="clock_skew", time=None)])
    with reading(store) as connection:
        found = [(one.person, one.event, one.time, one.group)
                 for one in happenings(connection, {"a", "b"}, 6, 60, "source")]  # fmt: skip
    assert found == [
        ("a:v-2", "a", 30, "shop"), ("u:u-1", "a", 10, "shop"), ("u:u-1", "b", 20, "shop"), ("u:u-3", "b", 33, "shop"),
    ]  # fmt: skip
