"""Scenario files to scenarios, and what is said of those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.scenarios.model import Ask, Scenario, Send, Wait
from console.scenarios.reading import read_scenarios
from console.scenarios.times import Calendar
from console.workspace.problems import Problem

DAY = 86_400_000
START = 1_767_571_200_000  # 2026-01-05, day 1 of a scenario that names none


def read(folder: Path, text: str) -> tuple[list[Scenario], list[str]]:
    file = folder / "tests.yaml"
    file.write_text(text)
    problems: list[Problem] = []
    found = read_scenarios([folder], problems)
    return found, [str(problem).removeprefix(f"{folder}/") for problem in problems]


def steps(folder: Path, *lines: str) -> tuple[list[Scenario], list[str]]:
    body = "\n".join(f"  {line}" for line in lines)
    return read(folder, f"kind: scenario\nname: one\nsteps:\n{body}\n")


def times(scenario: Scenario) -> list[tuple[int, int]]:
    return [pair for step in scenario.steps if isinstance(step.action, Send) for pair in step.action.times_at]


def test_times_follow_one_another(tmp_path: Path) -> None:
    """The first step is on day 1 at nine, each further one a minute later unless it says when; waiting moves on."""
    (one,), problems = steps(
        tmp_path, "- event: A", "- event: A", "- {event: A, after: 2h}", "- {event: A, at: day 3 10:00}",
        "- wait: 1d", "- event: A", "- {wait: day 9}", "- {enter: x, after: 5m}",
    )  # fmt: skip
    assert problems == []
    hour = 3_600_000
    nine = START + 9 * hour
    assert [at for at, _ in times(one)] == [
        nine, nine + 60_000, nine + 60_000 + 2 * hour, START + 2 * DAY + 10 * hour,
        START + 3 * DAY + 10 * hour + 60_000,
    ]  # fmt: skip
    waits = [step.action.until for step in one.steps if isinstance(step.action, Wait)]
    assert waits == [START + 3 * DAY + 10 * hour, START + 8 * DAY]
    (asked,) = [step.action for step in one.steps if isinstance(step.action, Ask)]
    assert asked.at == START + 8 * DAY + 5 * 60_000


def test_days_are_those_of_the_time_zone(tmp_path: Path) -> None:
    """Day 2 begins at midnight there, also across a change of the clock; what is absolute stays."""
    (one,), problems = read(
        tmp_path,
        "kind: scenario\nname: one\nstart: 2026-03-28\ntimezone: Europe/Berlin\nsteps:\n"
        "- {event: A, at: day 1}\n- {event: A, at: day 2 12:00}\n- {event: A, at: 2026-03-30T00:00:00Z}\n",
    )
    assert problems == []
    first, second, third = (at for at, _ in times(one))
    assert (first, second - first, third) == (1774652400000, 35 * 3_600_000, 1774828800000)
    assert [one.calendar.text(at) for at in (first, second, third)] == ["day 1 00:00", "day 2 12:00", "day 3 02:00"]


def test_repetitions_and_late_arrivals(tmp_path: Path) -> None:
    """An event may come several times, and arrive later than it happened: at a moment or after a while."""
    (one,), problems = steps(
        tmp_path, "- {event: A, at: day 1, times: 3, every: 1d}", "- {event: A, at: day 2, arrives: day 5}",
        "- {event: A, at: day 3, arrives: 4d}",
    )  # fmt: skip
    assert problems == []
    assert [((at - START) // DAY, (arrival - START) // DAY) for at, arrival in times(one)] == [
        (0, 0), (1, 1), (2, 2), (1, 4), (2, 6),
    ]  # fmt: skip


WRONG = [
    ("- {evnt: A}", "tests.yaml:4: steps.0.evnt: unknown key 'evnt'; did you mean 'event'?"),
    ("- {event: A, properties: {a: 1}}", "unknown key 'properties'; did you mean 'with'?"),
    ("- {event: A, expect: {enterd: x}}", "steps.0.expect.enterd: unknown key 'enterd'; did you mean 'entered'?"),
    ("- {event: A, expect: {entered: {x: {varient: b}}}}", "unknown key 'varient'; did you mean 'variant'?"),
    ("- {event: A, expect: {entered: 3}}", "or a list of these such as [{upgrade: bold}, bonus, bonus]; got 3"),
    ("- {event: A, expect: {entered: [{}]}}", "expected a name such as upgrade"),
    ("- {event: A, expect: {satisfied: [v, {w: 10}]}}", "expected a value such as 10 EUR, or none; got 10"),
    ("- {event: A, expect: entered}", "expected nothing, or a mapping such as {entered: upgrade}, got 'entered'"),
    ("- {event: A, expect: {satisfied: {v: 10}}}", "expected a value such as 10 EUR, or none; got 10"),
    ("- {event: A, expect: {completed: {v: soon}}}", "expected a mapping with variant, exited_at, user, got 'soon'"),
    ("- {event: A, expect: {exited: {v: expird}}}", "there is no reason 'expird'; did you mean 'expired'?"),
    ("- {event: A, expect: {status: {v: gone}}}", "there is no status 'gone'; expected not in, in, held out,"),
    (
        "- {event: A, expect: {dead_letter: schema_violatn}}",
        "there is no reason 'schema_violatn'; did you mean 'schema_violation'?",
    ),
    ("- {event: A, expect: {entered: {v: {via: cod}}}}", "there is no via 'cod'; did you mean 'code'?"),
    ("- {event: A, expect: {ignored: late}}", "expected 'too_late', 'duplicate' or 'unread', got 'late'"),
    ("- {event: A, expect: {progress: {v: 3}}}", "expected a text such as 2 of 3, or a list of them; got 3"),
    ("- {event: A, wait: 1d}", "expected one of event, enter, code, fulfil, reverse, wait, got event and wait"),
    ("- {at: day 3}", "expected one of event, enter, code, fulfil, reverse, wait, got nothing"),
    ("- {wait: 1d, with: {a: 1}}", "'with' belongs to event, not to wait"),
    ("- {event: A, at: day 1, after: 2h}", "expected at or after, got both"),
    ("- {wait: 1d, after: 2h}", "wait says itself how long or until when"),
    ("- {event: A, every: 1d}", "expected times beside it"),
    ("- {event: A, times: 0}", "expected greater than or equal to 1"),
    ("- {event: A, at: noon}", "steps.0.at: expected a moment such as day 3 10:00 or 2026-03-05T10:00:00Z, got 'noon'"),
    ("- {event: A, at: day 3 27:00}", "expected a moment such as day 3 10:00"),
    ("- {event: A, at: day 0}", "expected a moment such as day 3 10:00"),
    ("- {event: A, after: soon}", "steps.0.after: expected a duration such as 45s, 90m, 12h, 30d, 2w or 1d12h"),
    ("- {wait: soon}", "expected a moment such as day 3 10:00"),
    ("- {event: A, at: day 3, arrives: day 2}", "steps.0.arrives: an event cannot arrive before it happens"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_told_by_place(tmp_path: Path, line: str, message: str) -> None:
    """One problem, with file, line, path, and what was expected or the nearest name."""
    found, problems = steps(tmp_path, line)
    assert found == []
    assert len(problems) == 1, problems
    assert problems[0].startswith("tests.yaml:4: steps.0")
    assert message in problems[0]


def test_steps_stand_in_order(tmp_path: Path) -> None:
    """An event before the step above it says so, and how to write one that comes late."""
    _, (problem, other, third) = steps(
        tmp_path, "- {event: A, at: day 3}", "- {event: A, at: day 2}", "- {wait: day 1}",
        "- {event: A, at: day 1, arrives: 1d}",
    )  # fmt: skip
    assert problem == (
        "tests.yaml:5: steps.1.at: day 2 00:00 is before day 3 00:00, where the scenario is by then; an event that"
        " comes late says when it arrives: day 3 00:00"
    )
    assert other == "tests.yaml:6: steps.2.wait: is before day 3 00:00, where the scenario is by then"
    assert third.startswith("tests.yaml:7: steps.3.arrives: is before day 3 00:00")


def test_what_is_wrong_outside_the_steps(tmp_path: Path) -> None:
    """Keys of the scenario itself, its start, its time zone, and a name that was taken."""
    assert read(tmp_path, "kind: scenario\nname: a\nstep: []\n")[1] == [
        "tests.yaml:1: steps: is required, got nothing (expected steps)",
        "tests.yaml:3: step: unknown key 'step'; did you mean 'steps'?",
    ]
    body = "steps: [{event: A}]\n"
    assert read(tmp_path, f"kind: scenario\nname: a\nstart: soon\n{body}")[1] == [
        "tests.yaml:3: start: expected the date of day 1 such as 2026-03-01, got 'soon'"
    ]
    (zone,) = read(tmp_path, f"kind: scenario\nname: a\ntimezone: Europe/Berlim\n{body}")[1]
    assert zone == "tests.yaml:3: timezone: there is no time zone 'Europe/Berlim'; did you mean 'Europe/Berlin'?"
    scenario = f"kind: scenario\nname: a\n{body}"
    _, (twice,) = read(tmp_path, f"{scenario}---\n{scenario}")
    assert twice.startswith("tests.yaml:6: name: there are two scenarios 'a', here and at ")


def test_moments_are_read_back_as_they_are_told() -> None:
    """Whatever moment is told, reading it gives the moment again."""
    calendar = Calendar.of("2026-03-01", "America/New_York")
    for moment in (0, START, START + 90 * DAY, START + 90 * DAY + 5_000):
        assert calendar.moment(calendar.text(moment)) == moment
