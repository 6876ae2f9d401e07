"""When validation holds after a change of the event plan, and when it must not."""

from __future__ import annotations

from consumers.validation import fuse
from offerflow.runtime.settings import FuseSettings
from schemas.seen import Share, Watch

LIMITS = FuseSettings(jump=0.5, min_events=100)
HOUR = 3600 * 1000


def _watches(plan: str = "one", partitions: int = 2, **before: tuple[int, int]) -> list[Watch]:
    """Partitions that counted these (events, bad) per source under ``plan``, evenly spread, each its share."""
    watches = [Watch() for _ in range(partitions)]
    fuse.change(watches, plan, False, 0, LIMITS)
    _count(watches, **before)
    return watches


def _count(watches: list[Watch], **shares: tuple[int, int]) -> None:
    for watch in watches:
        parts = {source: Share(events // len(watches), bad // len(watches))
                 for source, (events, bad) in shares.items()}  # fmt: skip
        fuse.count(watch.since, parts)


def _why(watches: list[Watch], **pending: tuple[int, int]) -> str | None:
    return fuse.verdict(watches, {source: Share(*share) for source, share in pending.items()}, LIMITS)


def _change(watches: list[Watch], plan: str, released: bool = False, now: int = HOUR) -> None:
    fuse.change(watches, plan, released, now, LIMITS)


def test_every_source_jumped() -> None:
    """A change after which all that arrives is bad holds, before the batch is written, and says how far and what to
    do."""
    watches = _watches(shop=(1000, 10), app=(500, 0))
    _change(watches, "two")
    assert _why(watches, shop=(50, 50), app=(50, 50)) is None, "too few events to tell"
    why = _why(watches, shop=(100, 95), app=(100, 90))
    assert why is not None
    assert "app 0% -> 90%, shop 1% -> 95%" in why
    assert "offerflow rulesets rollback" in why
    assert "offerflow fuse release" in why


def test_one_source_is_well() -> None:
    """A source that goes on sending good events shows that the others are to blame themselves."""
    watches = _watches(shop=(1000, 0), app=(1000, 0))
    _change(watches, "two")
    assert _why(watches, shop=(1000, 1000), app=(100, 40)) is None
    assert _why(watches, shop=(1000, 1000), app=(90, 0)) is not None, "too few events to be a witness"


def test_no_change_no_fuse() -> None:
    """Bad events from outside, however many, never hold validation."""
    watches = _watches(shop=(1000, 0))
    assert _why(watches, shop=(5000, 5000)) is None
    _change(watches, "one")
    assert _why(watches, shop=(5000, 5000)) is None


def test_no_baseline_no_fuse() -> None:
    """A first plan, a new source, or one that sent too little before have nothing to be compared with."""
    watches = [Watch(), Watch()]
    _change(watches, "one")
    assert _why(watches, shop=(5000, 5000)) is None
    watches = _watches(shop=(98, 0))
    _change(watches, "two")
    assert _why(watches, shop=(5000, 5000), other=(5000, 5000)) is None


def test_shares_that_were_bad_before() -> None:
    """What counts is the jump: a source that was half bad all along does not trip."""
    watches = _watches(shop=(1000, 600))
    _change(watches, "two")
    assert _why(watches, shop=(1000, 1000)) is None


def test_it_stays_held_and_ends_with_another_plan() -> None:
    """A held partition stays held whoever takes it over; the next plan is compared with the time before the bad one."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    _count(watches, shop=(60, 60))
    for watch in watches:
        watch.held = _why(watches, shop=(100, 100))
    assert _why(watches) is not None
    _change(watches, "two")
    assert _why(watches) is not None
    _change(watches, "three")
    assert _why(watches, shop=(90, 90)) is None
    assert _why(watches, shop=(100, 100)) is not None, "the baseline is still the good one"
    assert sum(watch.before["shop"].events for watch in watches) == 1000


def test_a_bad_plan_that_was_written_under_is_no_baseline() -> None:
    """Enough bad events got through to be compared: the baseline stays that of before them all the same."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    _count(watches, shop=(400, 400))
    _change(watches, "three")
    assert _why(watches, shop=(100, 100)) is not None


def test_released_by_hand() -> None:
    """A release ends the hold under this plan, and what follows is the new normal."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    for watch in watches:
        watch.held = _why(watches, shop=(100, 100))
    _change(watches, "two", released=True)
    assert _why(watches, shop=(1000, 1000)) is None
    _count(watches, shop=(1000, 1000))
    _change(watches, "three")
    assert _why(watches, shop=(1000, 1000)) is None


def test_a_plan_that_proved_good_is_no_longer_watched() -> None:
    """After enough good events, or an hour, what goes wrong comes from outside."""
    for since, now in (((1000, 20), HOUR + 1), ((10, 0), 2 * HOUR + 1)):
        watches = _watches(shop=(1000, 0))
        _change(watches, "two")
        _count(watches, shop=since)
        fuse.settle(watches, now, LIMITS)
        assert _why(watches, shop=(5000, 5000)) is None


def test_it_is_watched_until_then() -> None:
    """Some good events, of a kind that is still well, do not end the watch."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    _count(watches, shop=(100, 0))
    fuse.settle(watches, HOUR + 1, LIMITS)
    assert _why(watches, shop=(900, 900)) is not None


def test_bad_events_after_the_watch_are_no_reason_to_blame_the_next_plan() -> None:
    """What came from outside when the plan had proved good is the normal that the next plan is compared with."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    _count(watches, shop=(300, 0))
    fuse.settle(watches, 2 * HOUR + 1, LIMITS)
    _count(watches, shop=(9000, 9000))
    _change(watches, "three", now=3 * HOUR)
    assert _why(watches, shop=(500, 500)) is None


def test_switched_off() -> None:
    """Without the fuse nothing holds, not even what was held."""
    watches = _watches(shop=(1000, 0))
    _change(watches, "two")
    watches[0].held = "why"
    assert fuse.verdict(watches, {"shop": Share(900, 900)}, FuseSettings(enabled=False)) is None


def test_shares_look_back_a_while() -> None:
    """Counts are halved at the window's end: they stay small, and newer events weigh more."""
    shares: dict[str, Share] = {}
    for _ in range(100):
        fuse.count(shares, {"shop": Share(1000, 0)})
    for _ in range(20):
        fuse.count(shares, {"shop": Share(1000, 1000)})
    assert shares["shop"].events <= fuse.WINDOW
    assert shares["shop"].bad / shares["shop"].events > 0.8
