"""Lists of rewards: a cursor that passes by nothing, and rewards of offers on hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from offerflow.amounts import amount
from offerflow.runtime.store.holds import hold, release
from offerflow.runtime.store.reward_list import Incomplete, Reward, Wanted, find_reward, list_rewards
from offerflow.runtime.store.transactions import reading
from tests.consumers.history.said import Kept, fulfilled, satisfied, taken_back


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.engine.dispose()


def listed(kept: Kept, **wanted: object) -> list[Reward]:
    with reading(kept.engine) as connection:
        return list_rewards(connection, Wanted(**wanted)).rewards  # type: ignore[arg-type]


def ids(kept: Kept, **wanted: object) -> list[str]:
    return [reward["id"] for reward in listed(kept, **wanted)]


def test_a_list_goes_on_after_the_last_one_seen(kept: Kept) -> None:
    """Pages in the order in which rewards became what they are; one that changes comes again in its new state."""
    kept.complete()
    kept.take(*(satisfied(f"w-{n}") for n in range(4)))
    page = listed(kept, limit=3)
    assert [reward["id"] for reward in page] == ["w-0", "w-1", "w-2"]
    kept.take(taken_back("w-1"))
    rest = listed(kept, after=page[-1]["seq"])
    assert [(reward["id"], reward["state"]) for reward in rest] == [("w-3", "satisfied"), ("w-1", "reversed")]
    assert listed(kept, after=rest[-1]["seq"]) == []
    kept.take(taken_back("w-1"))  # said again, which changes nothing
    assert listed(kept, after=rest[-1]["seq"]) == []


def test_filters(kept: Kept) -> None:
    """By state, user and offer, together too."""
    kept.complete()
    kept.take(satisfied("w-1"), satisfied("w-2", user_id="ben"), satisfied("w-3", offer="gym"), fulfilled("w-3"))
    assert ids(kept, state="satisfied") == ["w-1", "w-2"]
    assert ids(kept, user="anna") == ["w-1", "w-3"]
    assert ids(kept, offer="gym", state="fulfilled") == ["w-3"]
    assert ids(kept, user="ben", state="fulfilled") == []


def test_rewards_of_offers_on_hold_are_left_out_and_come_when_it_is_over(kept: Kept) -> None:
    """A poller that went past them while they were on hold gets them after the release, in their order."""
    kept.complete()
    kept.take(satisfied("w-1"), satisfied("w-2", offer="gym"), satisfied("w-3"), satisfied("w-4", offer=None))
    assert hold(kept.engine, "shop", "ana")
    assert not hold(kept.engine, "shop", "bob")
    page = listed(kept, state="satisfied")
    assert [reward["id"] for reward in page] == ["w-2", "w-4"]
    assert ids(kept, held=True) == ["w-1", "w-2", "w-3", "w-4"]
    with reading(kept.engine) as connection:
        assert [(find_reward(connection, name) or {})["on_hold"] for name in ("w-1", "w-2")] == [True, False]
        assert find_reward(connection, "w-9") is None
    assert release(kept.engine, "shop")
    assert ids(kept, state="satisfied", after=page[-1]["seq"]) == ["w-1", "w-3"]
    assert not release(kept.engine, "shop")
    kept.take(satisfied("w-5"))
    assert ids(kept, state="satisfied", after=page[-1]["seq"]) == ["w-1", "w-3", "w-5"]


def test_no_list_from_a_history_that_is_being_built(kept: Kept) -> None:
    """A reward that was paid out long ago may still look satisfied then."""
    kept.take(satisfied())
    with pytest.raises(Incomplete):
        ids(kept)


def test_a_history_built_again_hides_nothing_from_old_cursors(tmp_path: Path) -> None:
    """Its numbers lie beyond those of the one before, however many that gave out."""
    last = 0
    for life in ("first", "second"):
        folder = tmp_path / life
        folder.mkdir()
        made = Kept(folder)
        made.complete()
        for batch in range(3):
            made.take(*(satisfied(f"w-{batch}-{n}") for n in range(50)))
        found = listed(made, after=last, limit=1000)
        assert len(found) == 150
        last = found[-1]["seq"]
        made.engine.dispose()


def test_a_page_leads_on_past_what_it_left_out(kept: Kept) -> None:
    """A full page to its last one, any other to the end, so that a long hold costs a poller nothing."""
    kept.complete()
    kept.take(satisfied("w-1", offer="gym"), *(satisfied(f"h-{n}") for n in range(3)))
    hold(kept.engine, "shop", "ana")
    with reading(kept.engine) as connection:
        full = list_rewards(connection, Wanted(limit=1))
        rest = list_rewards(connection, Wanted(after=full.next))
        again = list_rewards(connection, Wanted(after=rest.next))
    assert (full.more, full.next) == (True, full.rewards[-1]["seq"])
    assert (rest.more, rest.rewards, rest.next - full.next) == (False, [], 3)
    assert again == rest
    kept.take(satisfied("w-2", offer="gym"))
    assert ids(kept, after=rest.next) == ["w-2"]
    release(kept.engine, "shop")
    assert ids(kept, after=rest.next) == ["w-2", "h-0", "h-1", "h-2"]


def test_whoever_polls_while_others_write_misses_nothing(kept: Kept) -> None:
    """One folds, one holds and releases, two poll from their own cursors: at the end each has seen every reward as
    satisfied or as what it became, and the last state of each."""
    kept.complete()
    folded, over = threading.Event(), threading.Event()
    seen: list[dict[str, str]] = [{}, {}]

    def poll(mine: dict[str, str], limit: int) -> None:
        after = 0
        while True:
            last_look = over.is_set()
            with reading(kept.engine) as connection:
                found, after, more = list_rewards(connection, Wanted(after=after, limit=limit))
            mine |= {reward["id"]: reward["state"] for reward in found}
            if last_look and not more:
                return

    def toggle() -> None:
        while not folded.is_set():
            hold(kept.engine, "shop", "ana")
            release(kept.engine, "shop")

    pollers = [threading.Thread(target=poll, args=(mine, limit)) for mine, limit in zip(seen, (3, 1000), strict=True)]
    toggler = threading.Thread(target=toggle)
    for thread in (*pollers, toggler):
        thread.start()
    for batch in range(20):
        kept.take(*(satisfied(f"w-{batch}-{n}", offer=("shop", "gym", None)[n % 3]) for n in range(6)))
        kept.take(*(fulfilled(f"w-{batch}-{n}") for n in range(3)), taken_back(f"w-{batch}-0"))
    folded.set()
    toggler.join()  # the last hold is released
    over.set()
    for thread in pollers:
        thread.join()
    expected = {f"w-{batch}-{n}": "reversed" if n == 0 else "fulfilled" if n < 3 else "satisfied"
                for batch in range(20) for n in range(6)}  # fmt: skip
    assert seen == [expected, expected]


@pytest.mark.parametrize(
    ("value", "text"),
    [("10", "10.00"), ("2.5050", "2.505"), ("0.0001", "0.0001"), ("-3", "-3.00"), ("1E+3", "1000.00"), ("0", "0.00")],
)
def test_amounts_are_exact_text(value: str, text: str) -> None:
    """Two places at least, and none that says nothing."""
    assert amount(Decimal(value)) == text
