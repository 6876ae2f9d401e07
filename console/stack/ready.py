"""Waiting until a stack is what was asked for, and saying why it is not."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Protocol

from console.stack import probe
from console.stack.client import connect
from console.stack.failure import StackFailed
from console.stack.files import ProgramState, StackFiles, State, Wanted
from console.stack.program import last_lines
from console.stack.roster import FOLLOWERS
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.settings import Settings

POLL_S = 0.1
READY_WITHIN_S = 180.0
DEATHS_BEFORE_READY = 3
LEAVING = "is leaving"
REFUSING = "refusing: "
REFUSES_S = 15.0
"""What refuses for so long waits for a person; it asks again only every ten seconds."""


class Say(Protocol):
    """Told what is being done, and (done, total) where that is counted. May be told the same many times."""

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None: ...


def say_nothing(text: str, counted: tuple[int, int] | None = None) -> None:
    """For callers without anybody to tell."""


def wait_ready(
    files: StackFiles,
    wanted: Wanted,
    process: subprocess.Popen[bytes] | None,
    say: Say = say_nothing,
    timeout_s: float = READY_WITHIN_S,
) -> State:
    """Until everything wanted is ready. Raises StackFailed with the log of what is not, TryAgain after the time."""
    deadline = time.monotonic() + timeout_s
    waiting: dict[str, str] = {}
    before = _restarts(files.state())
    settled = time.monotonic() + REFUSES_S
    while True:
        state = files.state()
        for name, restarts in _restarts(state).items():
            before[name] = min(before.get(name, 0), restarts)  # one that was started anew counts from 0
        fresh = state is not None and state.generation >= wanted.generation
        if state is not None and fresh:
            # Told once what did start has been ended again, so that nothing is left when the error is read.
            if state.failure is not None and state.phase == "stopped":
                raise StackFailed(state.failure.message, state.failure.exit_code)
            doing = state.doing
            if state.phase == "running":
                waiting = _not_ready(files, state, wanted)
                if not waiting:
                    return state
                _fail_if_dying(state, waiting, before)
                if not all(why.startswith(REFUSING) for why in waiting.values()):
                    settled = time.monotonic() + REFUSES_S
                elif time.monotonic() > settled:
                    raise _refused(waiting)
                doing = "waiting for " + ", ".join(
                    f"{name} to leave" if why == LEAVING else name for name, why in sorted(waiting.items())
                )
            say(doing, state.counted)
        if (process is None or process.poll() is not None) and not files.supervised():
            raise _ended(files, wanted, process)
        newer = files.wanted()
        if newer is not None and newer.generation > wanted.generation:
            wanted = newer  # somebody else asked for something else meanwhile: that is what will be
        if time.monotonic() > deadline:
            raise _late(state, waiting, timeout_s, files)
        time.sleep(POLL_S)


def _refused(waiting: dict[str, str]) -> StackFailed:
    """Everything else is ready, and these will not be before somebody has done what they ask for."""
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(waiting.items()):
        by_reason.setdefault(why.removeprefix(REFUSING), []).append(name)
    said = "\n".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
    return StackFailed(
        f"refusing to go on, and waiting for you (docs/runbook.md has a section for each reason):\n{said}"
    )


def _ended(files: StackFiles, wanted: Wanted, process: subprocess.Popen[bytes] | None) -> OfferflowError:
    state = files.state()  # it may have said why in its last breath
    if state is not None and state.generation >= wanted.generation and state.failure is not None:
        return StackFailed(state.failure.message, state.failure.exit_code)
    if process is None or process.returncode == 0:
        return TryAgain(f"the stack in {files.root.parent} was being stopped; run the command again")
    log = files.log("supervisor")
    return StackFailed(f"the supervisor ended (exit {process.returncode}); see {log}:\n{last_lines(log)}")


def _not_ready(files: StackFiles, state: State, wanted: Wanted) -> dict[str, str]:
    """Name to reason for what is not ready yet, programs that are still leaving included."""
    expected = {f"validation-{n}" for n in range(1, wanted.validation + 1)}
    expected |= {f"rules-{n}" for n in range(1, wanted.rules + 1)} | {*FOLLOWERS, "ingest", "console"}
    expected = (expected if wanted.programs else set()) | {"simulator"}
    services = [p for p in state.programs if p.name == "valkey" or p.address is not None]
    extra = [p for p in state.programs if p.leaving or (p.name not in expected and p not in services)]
    programs = [p for p in state.programs if p not in services and p not in extra]
    settings = connect(files)
    # A question to a service costs a connection: asked last, when there is nothing else to wait for.
    answers = _reasons(programs, settings) or _reasons(services, settings)
    return answers | {p.name: LEAVING for p in extra}


def _reasons(programs: list[ProgramState], settings: Settings) -> dict[str, str]:
    return {name: why for name, why in probe.all_of(programs, settings).items() if why is not None}


def _restarts(state: State | None) -> dict[str, int]:
    return {p.name: p.restarts for p in (state.programs if state is not None else ()) if not p.leaving}


def _fail_if_dying(state: State, waiting: dict[str, str], before: dict[str, int]) -> None:
    """For what died again and again while we waited: one that only leaves, or died long ago, is no failure."""
    for program in state.programs:
        died = program.restarts - before.get(program.name, 0)
        if waiting.get(program.name, LEAVING) != LEAVING and not program.leaving and died >= DEATHS_BEFORE_READY:
            raise StackFailed(
                f"{program.name} does not come up (started {died + 1} times);"
                f" see {program.log}:\n{last_lines_of(program)}\n"
                "The rest of the stack goes on, and so does the supervisor's trying; `offerflow down` stops it."
            )


def last_lines_of(program: ProgramState) -> str:
    return last_lines(Path(program.log))


def _late(state: State | None, waiting: dict[str, str], timeout_s: float, files: StackFiles) -> OfferflowError:
    if not waiting or state is None:
        log = files.log("supervisor")
        return StackFailed(f"the stack is not up after {timeout_s:.0f} s; see {log}:\n{last_lines(log)}")
    programs = {p.name: p for p in state.programs}
    said = {name: "has not left" if why == LEAVING else f"is not ready: {why}" for name, why in waiting.items()}
    parts = [f"{name} {why}; see {programs[name].log}:\n{last_lines_of(programs[name])}" for name, why in said.items()]
    return StackFailed(f"not up after {timeout_s:.0f} s\n" + "\n".join(parts))
