"""The fold into the store: the same whatever order the topics come in, and never twice."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.history.rows import Reader, Rows
from offerflow.rules.outcomes import Output
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.store.claims import Position
from tests.consumers.history.said import Kept, entered, exited, fulfilled, rows_of, satisfied, taken_back


def test_an_entry_and_its_exit_are_one_row(kept: Kept) -> None:
    """Who, how and until when, and why it ended."""
    kept.take(entered(user_id=None, anonymous_id="v-1", via="code"))
    kept.take(exited(user_id=None, anonymous_id="v-1", reason="expired"))
    (row,) = kept.table("entry")
    assert row | {
        "instance": "i-1", "offer": "shop", "version": "v1", "variant": "plain", "holdout": False, "user_id": None,
        "anonymous_id": "v-1", "via": "code", "attributes": '{"headline":"Save 10"}', "entered_at": 1000,
        "expires_at": 9000, "exited_at": 5000, "exit_reason": "expired",
    } == row  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_became_of_a_reward_may_come_before_it(order: tuple[int, ...], kept: Kept) -> None:
    """A reversal read before its reward is not lost, and wins over the payment whichever is read last."""
    said = (satisfied(), fulfilled(), taken_back())
    for at in order:
        kept.take(said[at])
    (row,) = kept.table("reward")
    assert (row["state"], row["fulfilled_at"], row["by"]) == ("reversed", 6000, "payments")
    assert (row["reversed_at"], row["reason"], row["value"], row["currency"]) == (7000, "refund", "7.50", "EUR")


def test_states_of_a_reward(kept: Kept) -> None:
    """Satisfied, paid out, and expired apart from taken back."""
    kept.take(*(satisfied(f"w-{n}") for n in range(3)))
    kept.take(fulfilled("w-1"), taken_back("w-2", "expired"))
    assert [row["state"] for row in kept.table("reward")] == ["satisfied", "fulfilled", "expired"]


def test_of_a_reward_that_never_came_nothing_is_shown(kept: Kept) -> None:
    """Retention may have taken the reward and left its end."""
    kept.take(taken_back("w-9"))
    assert kept.table("reward") == []


WORLD: list[Output] = [
    *(entered(f"i-{n}", user_id=f"u-{n}") for n in range(3)), *(exited(f"i-{n}", user_id=f"u-{n}") for n in range(2)),
    *(satisfied(f"w-{n}", user_id=f"u-{n}") for n in range(3)), fulfilled("w-0"), taken_back("w-0"),
    taken_back("w-1", "expired"),
]  # fmt: skip


@settings(max_examples=25)
@given(st.permutations(WORLD), st.sets(st.integers(1, len(WORLD) - 1)))
def test_any_order_and_any_batches_give_the_same(outputs: list[Output], cuts: set[int]) -> None:
    """The tables are those of one batch in the order of announcement."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        expected, got = Kept(Path(one)), Kept(Path(other))
        expected.take(*WORLD)
        for begin, end in itertools.pairwise([0, *sorted(cuts), len(outputs)]):
            got.take(*outputs[begin:end])
        for name in ("entry", "reward"):
            assert got.table(name) == expected.table(name)
        for made in (expected, got):
            made.engine.dispose()


def test_a_batch_that_another_wrote_is_not_written(kept: Kept) -> None:
    """The positions are compared in the transaction: a second reader of a partition changes nothing and is told."""
    place = ("reward-satisfied", 0)
    kept.fold.write(rows_of([satisfied()]), {}, {place: Position("id", 1)})
    with pytest.raises(Disturbed, match="reward-satisfied/0"):
        kept.fold.write(rows_of([satisfied("w-2")]), {}, {place: Position("id", 1)})
    assert [row["id"] for row in kept.table("reward")] == ["w-1"]
    assert kept.fold.positions() == {place: Position("id", 1)}


def test_a_history_is_complete_once_it_was(kept: Kept) -> None:
    """Every partition must have been read as far as it went at the beginning."""
    place = ("offer-entry", 0)
    assert not kept.fold.complete()
    assert not kept.fold.mark_complete({place: 2})
    kept.fold.write(rows_of([entered()]), {}, {place: Position("id", 1)})
    assert not kept.fold.mark_complete({place: 2})
    assert kept.fold.mark_complete({place: 1})
    assert kept.fold.complete()


def test_hostile_names_are_kept(kept: Kept) -> None:
    """A NUL, which PostgreSQL does not take, is kept as its picture; everything else as it is."""
    kept.take(entered(user_id="a\0b"), satisfied(user_id="'; drop table reward; --\u202e"))
    assert kept.table("entry")[0]["user_id"] == "a␀b"
    assert kept.table("reward")[0]["user_id"] == "'; drop table reward; --\u202e"


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0\x16", b"\0\0\0\0\x15abc", b"{}", b"\0\0\0\0\x16\x7f" * 9])
def test_what_is_no_output_is_told(value: bytes | None) -> None:
    """One kind of error for all that cannot be read, so that the stage passes it by."""
    with pytest.raises(ValueError):
        Reader("reward-satisfied").read(value, Rows())
