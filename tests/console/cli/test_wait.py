"""What ``wait`` says of programs that refuse to work, and how it gives up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner

from console.cli import output, stack
from console.stack import client, probe, ready
from console.stack.failure import StackFailed
from console.stack.files import ProgramState, State, Wanted
from offerflow.runtime import positions
from offerflow.runtime.errors import OfferflowError, TryAgain

WHY = "holding: since the event plan or the sources changed, everything is bad"


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose validation worker runs and holds."""
    programs = [ProgramState("validation-1", 1, 0, "validation.log", "http://here"),
                ProgramState("rules-1", 2, 0, "rules.log", "http://there")]  # fmt: skip
    state = SimpleNamespace(programs=programs)
    files = SimpleNamespace(state=lambda: state, wanted=lambda: None)
    reasons = {"http://here": WHY, "http://there": None}
    monkeypatch.setattr(stack, "StackFiles", SimpleNamespace(find=lambda directory: files))
    monkeypatch.setattr(client, "running", lambda files: state)
    monkeypatch.setattr(client, "own_pid", lambda program: program.pid)
    monkeypatch.setattr(client, "connect", lambda files: None)
    monkeypatch.setattr(probe, "program", lambda url: reasons[url])
    monkeypatch.setattr(stack, "LOOK_S", 0.0)


def _wait(*options: str) -> tuple[OfferflowError, str]:
    done = CliRunner().invoke(stack.wait, options)
    assert isinstance(done.exception, OfferflowError), done.output
    return done.exception, done.output


def test_wait_names_who_holds(holding: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it sees it and when the time is over; that is exit 75, with a line and not with a log."""

    def late(files: Any, wanted: Any, process: Any, say: Callable[[str], None], timeout_s: float) -> NoReturn:
        say("waiting for validation-1")
        raise StackFailed("not up\n    {a line of the log}")

    monkeypatch.setattr(ready, "wait_ready", late)
    error, said = _wait("--timeout", "0s")
    assert isinstance(error, TryAgain)
    assert error.exit_code == 75
    assert str(error) == f"not ready after 0 s\nvalidation-1 is not ready: {WHY}"
    assert f"validation-1 is {WHY}\n" in said


def test_wait_says_at_once_what_failed(holding: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that cannot come up is a failure, and no time-out."""

    def failed(*_: object) -> State:
        raise StackFailed("validation-1 does not come up")

    monkeypatch.setattr(ready, "wait_ready", failed)
    error, _ = _wait("--timeout", "1m")
    assert isinstance(error, StackFailed)
    assert str(error) == "validation-1 does not come up"


def test_wait_idle_names_who_holds(holding: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that keep arriving are not blamed for what a worker refuses to do."""
    behind = {"validation": 500, "rules": 0}
    at_work = SimpleNamespace(settled=lambda: None, lag=lambda: behind, close=lambda: None)
    monkeypatch.setattr(positions, "Positions", lambda settings, readers: at_work)
    error, said = _wait("--idle", "--timeout", "0s")
    assert error.exit_code == 75
    assert str(error) == (
        f"not idle after 0 s: validation is 500 and rules are 0 offsets behind\nvalidation-1 is not ready: {WHY}"
    )
    assert said.count(f"validation-1 is {WHY}\n") == 1


def test_a_log_of_waiting_stays_short(holding: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that change all the time are told now and then; beside a simulator it is said that they may never end."""
    left = iter(range(100, 0, -1))
    at_work = SimpleNamespace(
        settled=lambda: None if next(left) > 2 else {}, close=lambda: None,
        lag=lambda: {"validation": next(left), "rules": 0},
    )  # fmt: skip
    monkeypatch.setattr(positions, "Positions", lambda settings, readers: at_work)
    monkeypatch.setattr(positions, "POLL_S", 0.0)
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: 1.0))
    monkeypatch.setattr(stack, "Wanted", lambda generation: Wanted(generation, trickle=True))
    done = CliRunner().invoke(stack.wait, ["--idle"])
    assert done.exit_code == 0, done.output
    assert done.stderr.count("waiting for the stages: validation") == 1
    assert "the simulator keeps sending events" in done.stderr
