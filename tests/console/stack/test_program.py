"""A child is kept running, with patience, until it is asked to leave."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from console.stack.program import LOG_LIMIT, MARK, Child, Program, last_lines, wait_before
from tests.waiting import until

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def program(directory: Path, code: str, stop_seconds: float = 30.0) -> Program:
    return Program(
        "stand-in", [sys.executable, "-c", code], directory, directory / "stand-in.log", stop_seconds=stop_seconds
    )


def up(child: Child) -> bool:
    return "up" in child.program.log.read_text()


def test_the_back_off_starts_at_nothing_and_ends_at_ten_seconds() -> None:
    """The first restart is at once, then the wait doubles to ten seconds and stays there for good."""
    assert [wait_before(deaths) for deaths in range(1, 9)] == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert wait_before(100_000) == 10


def test_a_program_that_dies_is_started_again_at_once_and_later_with_waits(tmp_path: Path) -> None:
    """Two deaths in a row: no wait after the first, none before 0.5 s after the second, never giving up."""
    child = Child(program(tmp_path, "raise SystemExit(3)"), tmp_path)
    child.turn(0.0)
    assert child.pid is not None
    until(lambda: child.turn(1.0), "the first death")
    assert (child.restarts, child.last_exit) == (1, 3)  # seen dead and started in the same turn
    until(lambda: child.turn(2.0), "the second death")
    assert child.pid is None
    assert not child.turn(2.4)
    assert child.turn(2.6)
    assert child.restarts == 2
    child.leave(3.0)
    until(lambda: child.turn(3.0) or child.gone, "the end")


def test_one_that_lived_for_long_is_restarted_at_once_however_often_it_died_before(tmp_path: Path) -> None:
    """The patience of a crash loop is forgotten after a life longer than the longest wait."""
    child = Child(program(tmp_path, "pass"), tmp_path)
    child.turn(0.0)
    until(lambda: child.turn(1.0), "the first death")
    until(lambda: child.turn(100.0), "a death after a long life")
    assert child.pid is not None
    assert child.restarts == 2
    child.leave(100.0)
    until(lambda: child.turn(100.0) or child.gone, "the end")


def test_leaving_is_asked_for_politely_and_final(tmp_path: Path) -> None:
    """SIGTERM ends the program, it is not started again, and its exit is known."""
    child = Child(program(tmp_path, SLEEPER), tmp_path)
    child.turn(0.0)
    until(lambda: up(child), "the program to be up")
    child.leave(1.0)
    until(lambda: child.turn(1.0) or child.gone, "the end")
    assert child.gone
    assert child.last_exit == -15
    assert not child.turn(1000.0)


def test_who_does_not_leave_is_killed_after_its_time(tmp_path: Path) -> None:
    """A program that ignores SIGTERM lives on until its time is over, then SIGKILL ends it."""
    child = Child(program(tmp_path, STUBBORN, stop_seconds=5), tmp_path)
    child.turn(0.0)
    until(lambda: up(child), "the program to be up")
    child.leave(1.0)
    assert not child.turn(5.9)
    assert child.pid is not None
    until(lambda: child.turn(6.0) or child.gone, "the end")
    assert child.last_exit == -9


def test_hurry_ends_the_wait(tmp_path: Path) -> None:
    """Running ``up`` again starts at once what is only waiting for its back-off."""
    child = Child(program(tmp_path, "pass"), tmp_path)
    child.turn(0.0)
    until(lambda: child.turn(1.0), "the first death")
    until(lambda: child.turn(2.0), "the second death")
    assert child.pid is None
    child.hurry()
    assert child.turn(2.0)
    assert child.pid is not None
    child.leave(2.0)
    until(lambda: child.turn(2.0) or child.gone, "the end")


def test_a_command_that_cannot_be_started_counts_as_dead(tmp_path: Path) -> None:
    """A missing binary does not end the supervisor: it is written to the log and tried again."""
    missing = Program("ghost", [str(tmp_path / "ghost")], tmp_path, tmp_path / "ghost.log")
    child = Child(missing, tmp_path)
    child.turn(0.0)
    child.turn(0.1)
    assert child.restarts == 1
    assert "cannot start ghost" in missing.log.read_text()


def test_programs_carry_the_mark_and_a_session_of_their_own(tmp_path: Path) -> None:
    """The environment says whose they are, and no signal of the caller's terminal reaches them."""
    code = f"import os; print(os.environ[{MARK!r}], os.getpid() == os.getsid(0), flush=True)"
    child = Child(program(tmp_path, code), tmp_path / "root")
    child.turn(0.0)
    until(lambda: child.turn(0.0), "the death")
    assert child.program.log.read_text().startswith(f"{tmp_path / 'root'} True")
    child.leave(0.0)
    until(lambda: child.turn(0.0) or child.gone, "the end")


def test_a_long_log_is_moved_aside_at_the_next_start(tmp_path: Path) -> None:
    """A stack that runs for months does not fill the disk with one log."""
    one = program(tmp_path, SLEEPER)
    with one.log.open("wb") as file:
        file.truncate(LOG_LIMIT + 1)
    child = Child(one, tmp_path)
    child.turn(0.0)
    assert one.log.with_name("stand-in.log.1").stat().st_size == LOG_LIMIT + 1
    assert one.log.stat().st_size <= len("up\n")
    child.leave(0.0)
    until(lambda: child.turn(0.0) or child.gone, "the end")


@pytest.mark.parametrize(("lines", "expected"), [(3, ["0", "1", "2"]), (40, [str(n) for n in range(25, 40)])])
def test_the_end_of_a_log_is_shown(tmp_path: Path, lines: int, expected: list[str]) -> None:
    """An error shows the last fifteen lines, not the whole log."""
    log = tmp_path / "log"
    log.write_text("".join(f"{n}\n" for n in range(lines)))
    assert last_lines(log).split() == expected
