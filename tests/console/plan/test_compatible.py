"""What follows an entry by name may follow it under the default compatibility level."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from console.plan.drafting import Choices, draft, draft_next, entry_by_name
from schemas.compatibility import conflicts
from schemas.plan import parse_event_schema
from tests.console.plan.test_drafting import SAMPLES, SLOW


@settings(deadline=None, max_examples=40, suppress_health_check=SLOW)
@given(SAMPLES, SAMPLES)
def test_versions_that_follow_are_compatible(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """An entry by name, the version typed from what it kept, and the one after that pass FULL_TRANSITIVE; so does
    what follows a draft."""
    entry = entry_by_name("Lesson Paused", "LessonPaused", Choices())
    typed = draft_next(parse_event_schema(entry, 1000), first, Choices(enums=True)).definition
    later = draft_next(parse_event_schema(typed, 1001), second, Choices()).definition
    assert conflicts(typed, [entry]) == []
    assert conflicts(later, [entry, typed]) == []
    drafted = draft("X", first, lambda _: True, Choices(required_from=1)).definition
    grown = draft_next(parse_event_schema(drafted, 1002), second, Choices()).definition
    assert conflicts(grown, [drafted]) == []
