"""Scenario files to scenarios: everything that is wrong is told by file, line and path, with the nearest name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from console.scenarios.definition import ACTIONS, ScenarioDefinition, StepDefinition, known_keys
from console.scenarios.expectations import expectations
from console.scenarios.model import Action, Ask, Expected, Scenario, Send, Step, Wait, Who
from console.scenarios.times import Calendar
from console.workspace.documents import Document, definition_files, is_scenario, read_documents
from console.workspace.problems import Path, Problem
from offerflow.rules.durations import MINUTE, milliseconds
from offerflow.rules.nearest import did_you_mean


def read_scenarios(roots: Iterable[FilePath], problems: list[Problem]) -> list[Scenario]:
    """Every scenario below ``roots`` in order of file and line; adds to ``problems`` what is wrong with them."""
    found = []
    seen: dict[str, str] = {}
    # What is wrong with files as such is told by whoever reads the definitions beside them.
    files = [path for root in roots for path in definition_files(root, []) if _may_have_some(path)]
    for document in read_documents(files, [], may_be_empty=True):
        if is_scenario(document):
            scenario = scenario_of(document, problems)
            if scenario is not None:
                other = seen.setdefault(scenario.name, scenario.place)
                if other != scenario.place:
                    message = f"there are two scenarios {scenario.name!r}, here and at {other}; a name tells them apart"
                    problems.append(Problem(document.file, document.line(("name",)), ("name",), message))
                found.append(scenario)
    return found


def _may_have_some(path: FilePath) -> bool:
    """Asked of the bytes, since most files of a workspace are schemas and slow to parse."""
    try:
        return path.suffix != ".avsc" and b"scenario" in path.read_bytes()
    except OSError:
        return False


def scenario_of(document: Document, problems: list[Problem]) -> Scenario | None:
    """None if anything is wrong with it."""
    known = len(problems)

    def tell(path: Path, message: str) -> None:
        problems.append(Problem(document.file, document.line(path), path, message))

    try:
        written = ScenarioDefinition.model_validate(document.content)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            path: Path = tuple(one["loc"])
            tell(path, _message(path, dict(one)))
        return None
    try:
        calendar = Calendar.of(written.start, written.timezone)
    except ValueError as error:
        tell(("start" if "date" in str(error) else "timezone",), str(error))
        return None
    reader = _Reader(written, calendar, tell)
    steps = tuple(reader.step(step, ("steps", at)) for at, step in enumerate(written.steps))
    if len(problems) > known:
        return None
    return Scenario(
        name=written.name,
        document=document,
        steps=steps,
        calendar=calendar,
        arms=written.arms,
        defaults=written.defaults,
        offers=() if written.offers == "all" else tuple(written.offers),
        every_offer=written.offers == "all",
        allow_other=written.allow_other,
    )


class _Reader:
    """Walks the steps in order: each stands after the one before it."""

    def __init__(self, written: ScenarioDefinition, calendar: Calendar, tell: Any) -> None:
        self._written = written
        self._calendar = calendar
        self._tell = tell
        self._now = calendar.moment("day 1")
        self._next = calendar.moment("day 1 09:00")

    def step(self, written: StepDefinition, path: Path) -> Step:
        action, text = self._action(written, path)
        self._next = self._now + MINUTE
        expected: tuple[Expected, ...] | None = None
        if written.expect is not None:
            expected = tuple(expectations(written.expect, (*path, "expect"), self._calendar, self._tell))
        return Step(action, expected, path, text)

    def _action(self, written: StepDefinition, path: Path) -> tuple[Action, str]:
        who = self._who(written)
        name = next(name for name in ACTIONS if getattr(written, name) is not None)
        given = getattr(written, name)
        if written.wait is not None:
            self._now = self._later(written.wait, (*path, "wait"))
            return Wait(self._now, who), f"wait {given}"
        at = self._time(written, path)
        text = f"{name} {given}" if name != "event" else given
        text += f" at {self._calendar.text(at)}"
        if written.event is not None:
            times = self._arrivals(written, at, path)
            if written.times > 1:
                text += f", {written.times} times"
            properties = {**self._written.defaults.get(given, {}), **written.with_}
            return Send(given, properties, who, written.source, written.id, times), text
        if at < self._now:
            self._backwards(at, path)
        self._now = max(at, self._now)
        return Ask(name, given, who, at, written.key, written.by), text  # type: ignore[arg-type]

    def _who(self, written: StepDefinition) -> Who:
        if written.user is None and written.anonymous is None:
            written = self._written  # type: ignore[assignment]
        user, anonymous = written.user, written.anonymous
        return Who(user if user or anonymous else "user", anonymous)

    def _time(self, written: StepDefinition, path: Path) -> int:
        if written.after is not None:
            return self._now + self._duration(written.after, (*path, "after"))
        return self._next if written.at is None else self._moment(written.at, (*path, "at"))

    def _arrivals(self, written: StepDefinition, at: int, path: Path) -> tuple[tuple[int, int], ...]:
        every = MINUTE if written.every is None else self._duration(written.every, (*path, "every"))
        if written.arrives is None:
            if at < self._now:
                self._backwards(at, path)
            late = 0
        else:
            late = self._arrival(written.arrives, at, path) - at
            if late < 0:
                self._tell((*path, "arrives"), "an event cannot arrive before it happens")
        times = tuple((at + n * every, at + n * every + late) for n in range(written.times))
        self._now = max(self._now, times[-1][1])
        return times

    def _arrival(self, text: str, at: int, path: Path) -> int:
        try:
            arrival = at + milliseconds(text)
        except ValueError:
            arrival = self._moment(text, (*path, "arrives"))
        if arrival < self._now:
            now = self._calendar.text(self._now)
            self._tell((*path, "arrives"), f"is before {now}, where the scenario is by then; steps stand in order")
        return arrival

    def _later(self, text: str, path: Path) -> int:
        try:
            return self._now + milliseconds(text)
        except ValueError:
            moment = self._moment(text, path)
        if moment < self._now:
            self._tell(path, f"is before {self._calendar.text(self._now)}, where the scenario is by then")
        return max(moment, self._now)

    def _backwards(self, at: int, path: Path) -> None:
        now = self._calendar.text(self._now)
        message = f"{self._calendar.text(at)} is before {now}, where the scenario is by then"
        self._tell((*path, "at"), f"{message}; an event that comes late says when it arrives: {now}")

    def _moment(self, text: str, path: Path) -> int:
        try:
            return self._calendar.moment(text)
        except ValueError as error:
            self._tell(path, str(error))
            return self._now

    def _duration(self, text: str, path: Path) -> int:
        try:
            return milliseconds(text)
        except ValueError as error:
            self._tell(path, str(error))
            return 0


_PROPERTIES = ("properties", "data", "params")


def _message(path: Path, error: dict[str, Any]) -> str:
    key = str(path[-1]) if path else ""
    if error["type"] == "extra_forbidden":
        known = known_keys(path)
        if key in _PROPERTIES and "with" in known:
            return f"unknown key {key!r}; did you mean 'with'?"
        return f"unknown key {key!r}{did_you_mean(key, known) or '; expected one of ' + ', '.join(known)}"
    if error["type"] == "missing":
        return f"is required, got nothing (expected {key})"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    shapes = {
        "expect": "expected nothing, or a mapping such as {entered: upgrade}",
        "with": "expected the event's properties such as {amount: 30}",
        "steps": "expected a list of steps such as [{event: Account Created}]",
    }
    got = error.get("input")
    message = shapes.get(key) or str(error["msg"]).replace("Input should be", "expected")
    return message if isinstance(got, dict | list) else f"{message}, got {got!r}"
