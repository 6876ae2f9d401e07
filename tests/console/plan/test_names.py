"""Names that senders chose."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.plan.names import name_problem, record_name, shown
from schemas.values import is_name


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=250), max_size=6))
def test_record_names_are_avro_names_and_differ(names: list[str]) -> None:
    """Whatever the events are called, each gets a record name that Avro takes and no other event has."""
    taken: set[str] = set()

    def claim(name: str) -> bool:
        free = name not in taken
        taken.add(name)
        return free

    made = [record_name(name, claim) for name in names]
    assert all(is_name(name) and len(name) < 120 for name in made)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("name", "record"),
    [("Lesson Paused", "LessonPaused"), ("lesson_paused", "LessonPaused"), ("SDKReady", "SDKReady"),
     ("Café opened!", "CafeOpened"), ("2nd Step", "Event2NdStep"), ("Заказ", "Event3648b2d2"),
     ("$pageview", "Pageview"), ("checkout.step-2", "CheckoutStep2")],
)  # fmt: skip
def test_record_name(name: str, record: str) -> None:
    """The record name is the Pascal case of the name in ASCII."""
    assert record_name(name, lambda _: True) == record


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    """Nothing that moves a cursor, rings or turns text around reaches a terminal, and nothing endless."""
    assert shown(text).isprintable()
    assert len(shown(text)) <= 80


@pytest.mark.parametrize("name", ["", " ", "a" * 201, "offerflow.x", " a", "a\n", "a\x1b[2Jb", "a\u202eb", "a\u200bb"])
def test_names_that_cannot_be_planned(name: str) -> None:
    """A name that is empty, endless, reserved, or looks like another is refused."""
    assert name_problem(name)


@pytest.mark.parametrize("name", ["Lesson Paused", "Заказ", "$identify", "[Amplitude] Page Viewed", "a" * 200])
def test_names_that_can_be_planned(name: str) -> None:
    """Names in any script and with any visible sign are fine."""
    assert name_problem(name) is None
