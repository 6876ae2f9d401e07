"""Events in an order, and events that do not come."""

from __future__ import annotations

import pytest

from tests.offerflow.rules.samples import DAY, Definition, Entity, offer

ABC: Definition = {"sequence": ["A", "B", "C"]}
SILENT: Definition = {"absent": {"event": "B"}, "after": {"event": "A"}, "within": "2d"}


@pytest.mark.parametrize(
    ("events", "fires"),
    [("ABC", True), ("ACB", False), ("BCA", False), ("AABBC", True), ("CABAC", True), ("ABABC", True)],
)
def test_steps_come_one_after_the_other(events: str, fires: bool) -> None:
    """Others may lie between them; the last one fires."""
    story = Entity(offer("o", ABC)).story(events)
    assert story == ([f"{len(events) - 1} OfferEntered o"] if fires else [])


def test_one_event_is_one_step() -> None:
    """The same event does not stand for two steps of the same type."""
    assert Entity(offer("o", {"sequence": ["A", "A"]})).story("AA") == ["1 OfferEntered o"]


def test_a_sequence_may_be_bounded_in_time() -> None:
    """From the first to the last step; a younger first step is taken if there is one."""
    entity = Entity(offer("o", {**ABC, "within": "2d"}))
    assert [entity.day(day, name) for day, name in ((0, "A"), (1, "B"), (2 + 1 / DAY, "C"))] == [[], [], []]
    assert [entity.day(day, name) for day, name in ((3, "A"), (4, "B"), (5, "C"))] == [[], [], ["OfferEntered o"]]


def test_a_sequence_may_be_of_one_value() -> None:
    """``same`` wants one value of a property in all steps; events without it are none of them."""
    entity = Entity(offer("o", {"sequence": ["U", "Pair"], "same": "key"}))
    assert entity.says("U", key="k") == []
    assert entity.says("Pair", key="l", n=1) == []
    assert entity.says("Pair", key="k", n=1) == ["OfferEntered o"]


def test_a_late_first_step_completes_a_sequence() -> None:
    """At the moment of its last step, which came before."""
    entity = Entity(offer("o", ABC))
    assert [entity.day(day, name) for day, name in ((1, "B"), (2, "C"))] == [[], []]
    assert entity.day(0, "A") == ["OfferEntered o"]
    assert entity.state.instances[0].entered_at == entity.state.clock


def test_what_does_not_come_fires_when_time_is_up() -> None:
    """By stream time and a grace, at the time it was due; with the event that was waited after as evidence."""
    entity = Entity(offer("o", SILENT))
    assert entity.day(0, "A", event_id="a") == []
    assert entity.tick(2) == []
    assert entity.tick(2.01) == ["OfferEntered o"]
    (one,) = entity.decisions[-1].outputs
    assert (one.entered_at, [item.event_id for item in one.evidence]) == (entity.state.clock + 2 * DAY, ["a"])  # type: ignore[union-attr]
    assert entity.tick(9) == []


@pytest.mark.parametrize(("day", "fires"), [(0, False), (1, False), (2, False), (2 + 1 / DAY, True), (-1, True)])
def test_the_event_that_was_waited_for_ends_the_wait(day: float, fires: bool) -> None:
    """Both ends of the time belong to it, and it may be folded before or after."""
    for order in (0, 1):
        entity = Entity(offer("o", SILENT))
        for name, at in (("A", 0), ("B", day))[:: 1 if order else -1]:
            assert entity.day(at, name) == []
        assert entity.tick(3) == (["OfferEntered o"] if fires else [])


def test_an_absence_that_fired_is_not_undone() -> None:
    """An event that would have ended the wait changes nothing once time was up."""
    entity = Entity(offer("o", SILENT))
    entity.day(0, "A")
    assert entity.tick(3) == ["OfferEntered o"]
    assert entity.day(1, "B") == []
    assert entity.state.instances


def test_waiting_may_be_for_one_value() -> None:
    """Only an event with the same value ends the wait."""
    entity = Entity(offer("o", {"absent": {"event": "U"}, "after": {"event": "Pair"}, "within": "1d", "same": "key"}))
    entity.day(0, "Pair", key="k", n=1)
    entity.day(0.1, "Pair", key="l", n=1)
    entity.day(0.5, "U", key="k")
    assert entity.tick(2) == ["OfferEntered o"]
    assert entity.state.instances[0].entered_at == entity.state.clock + round(0.6 * DAY)


def test_a_wait_that_is_over_already_is_not_begun_by_an_import() -> None:
    """An exempt event begins no wait whose time was up by T; any other does, and it fires by the next tick."""
    for exempt in (True, False):
        entity = Entity(offer("o", SILENT))
        entity.tick(5)
        assert entity.day(0, "A", exempt=exempt) == []
        assert entity.tick(6) == ([] if exempt else ["OfferEntered o"])


def test_an_event_received_late_waits_for_its_grace() -> None:
    """The timer counts from when the event was received, if that is later than its time."""
    entity = Entity(offer("o", SILENT))
    entity.day(0, "A", received_at=entity.now + 1_790_000_000_000 + 4 * DAY)
    assert entity.tick(4) == []
    assert entity.tick(4.1) == ["OfferEntered o"]


def test_at_most_100_waits_are_kept() -> None:
    """Of each leaf; the oldest go."""
    entity = Entity(offer("o", SILENT))
    for n in range(105):
        entity.day(n / 1000, "A")
    assert [len(entity.state.watches), entity.state.watches[0].turn] == [100, 6]
