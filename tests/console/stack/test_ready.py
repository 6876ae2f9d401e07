"""Waiting for a stack to be what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from console.stack import probe, ready
from console.stack.failure import StackFailed
from console.stack.files import ProgramState, StackFiles, State, Wanted


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    made = StackFiles(tmp_path / ".offerflow")
    made.make()
    return made


def program(name: str, restarts: int = 0, *, leaving: bool = False) -> ProgramState:
    return ProgramState(name, 1, restarts, "no.log", leaving=leaving)


def publish(files: StackFiles, *programs: ProgramState) -> None:
    files.write(State(2, "running", "", "127.0.0.1:1", "redis://127.0.0.1:1", "of.", 8, programs=list(programs)))


def wait(files: StackFiles, say: Callable[[str], None]) -> State:
    """For ingest, console and one worker of each stage; ``say`` is told what is missing, and may change the state."""
    with files.lock(to_supervise=True):
        return ready.wait_ready(files, Wanted(2, validation=1), None, lambda text, counted=None: say(text), 20)


REST = [program(name) for name in ("ingest", "console", "rules-1")]


def test_one_that_leaves_may_have_died_before(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that leaves is waited for in those words, whatever it has been through; so is the old one of a name
    that is started anew."""
    monkeypatch.setattr(probe, "all_of", lambda programs, settings: {p.name: None for p in programs})
    said: list[str] = []

    def leave(text: str) -> None:
        said.append(text)
        publish(files, *REST, program("validation-1"))

    one, two = program("validation-1", 7, leaving=True), program("validation-2", 3)
    publish(files, *REST, program("validation-1"), one, two)
    assert len(wait(files, leave).programs) == 4
    assert said == ["waiting for validation-1 to leave, validation-2 to leave"]


def test_what_died_long_ago_is_no_failure_but_what_dies_now_is(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only deaths since the wait began count: three of them end it, also of a program that is started anew."""
    monkeypatch.setattr(probe, "all_of", lambda programs, settings: {p.name: "is not ready yet" for p in programs})
    deaths = iter([5, 6, 7, 8])

    def die(text: str) -> None:
        publish(files, *REST, program("validation-1", next(deaths)))

    publish(files, *REST, program("validation-1", 5))
    with pytest.raises(StackFailed, match=r"validation-1 does not come up \(started 4 times\)"):
        wait(files, die)
    anew = iter([0, 1, 2, 3])
    publish(files, *REST, program("validation-1", 9))
    with pytest.raises(StackFailed, match=r"started 4 times"):
        wait(files, lambda text: publish(files, *REST, program("validation-1", next(anew))))


def test_what_refuses_is_not_waited_for_to_the_end(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once only workers that refuse are missing, the wait ends with what they say, each reason once."""
    monkeypatch.setattr(ready, "REFUSES_S", 0.0)
    reasons: dict[str, str | None] = {"rules-1": "refusing: the group was set back", "ingest": "starting"}
    monkeypatch.setattr(probe, "all_of", lambda programs, settings: {p.name: reasons.get(p.name) for p in programs})
    looks: list[str] = []

    def start(text: str) -> None:
        looks.append(text)
        reasons["ingest"] = None
        reasons["validation-1"] = "refusing: the group was set back"

    publish(files, *REST, program("validation-1"))
    with pytest.raises(StackFailed, match=r"runbook.*\nrules-1, validation-1: the group was set back$"):
        wait(files, start)
    assert looks[0] == "waiting for ingest, rules-1"
