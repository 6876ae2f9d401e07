"""What commands do with a stack: start it or change it, wait for it, look at it, stop it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import psutil

from console.stack import leftovers, probe
from console.stack.failure import StackFailed
from console.stack.files import CHECKOUT, ProgramState, StackFiles, State, Wanted
from console.stack.program import last_lines
from offerflow.runtime.errors import DependencyDown, OfferflowError, TryAgain
from offerflow.runtime.settings import Settings, load_settings

POLL_S = 0.1
READY_WITHIN_S = 180.0
STOP_WITHIN_S = 150.0
DEATHS_BEFORE_READY = 3
SERVICES = ("kafka", "valkey")


class Say(Protocol):
    """Told what is being done, and (done, total) where that is counted. May be told the same many times."""

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None: ...


def say_nothing(text: str, counted: tuple[int, int] | None = None) -> None:
    """For callers without anybody to tell."""


def connect(files: StackFiles, **given: object) -> Settings:
    """Settings that reach the stack's services. What the environment names wins over what the stack has.

    Raises DependencyDown when there is neither a running stack nor a Kafka named in the environment.
    """
    state = files.state()
    own = load_settings(**given)
    found: dict[str, object] = {}
    supervised = state is not None and files.supervised()
    if not supervised and "bootstrap_servers" not in own.kafka.model_fields_set:
        raise DependencyDown(
            f"no stack is running in {files.root.parent} and OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS names no Kafka;"
            " start a stack with `offerflow up --detach`"
        )
    if state is not None and supervised:
        if "bootstrap_servers" not in own.kafka.model_fields_set:
            found["kafka"] = {"bootstrap_servers": state.kafka}
        if "url" not in own.redis.model_fields_set:
            found["redis"] = {"url": state.redis}
        if "topic_prefix" not in own.model_fields_set:
            found["topic_prefix"] = state.topic_prefix
        identity = files.identity()
        if identity is not None and own.local.server_key is None:
            found["local"] = {"server_key": identity.api_key}
    return load_settings(**{**found, **given})


def start(
    files: StackFiles,
    validation: int | None = None,
    rules: int | None = None,
    *,
    programs: bool = True,
    trickle: bool | None = None,
    with_parent: bool = False,
) -> tuple[Wanted, subprocess.Popen[bytes] | None]:
    """Ask for the stack, starting its supervisor if there is none. None for a number keeps it (1 in a new stack)."""
    files.make()
    supervised = files.supervised()
    before = files.wanted() if supervised else None
    wanted = Wanted(
        generation=time.time_ns(),
        validation=validation if validation is not None else before.validation if before else 1,
        rules=rules if rules is not None else before.rules if before else 1,
        programs=programs,
        trickle=trickle if trickle is not None else before.trickle if before else False,
    )
    files.write(wanted)
    return wanted, None if supervised else _spawn(files, with_parent=with_parent)


def _spawn(files: StackFiles, *, with_parent: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "console.stack", "--dir", str(files.root.parent)]
    with files.log("supervisor").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--with-parent"] if with_parent else command,
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


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
    while True:
        state = files.state()
        fresh = state is not None and state.generation >= wanted.generation
        if state is not None and fresh:
            if state.failure is not None:
                raise StackFailed(state.failure.message, state.failure.exit_code)
            doing = state.doing
            if state.phase == "running":
                waiting = _not_ready(files, state, wanted)
                if not waiting:
                    return state
                _fail_if_dying(state, waiting)
                doing = "waiting for " + ", ".join(sorted(waiting))
            say(doing, state.counted)
        if process is not None and process.poll() is not None and not files.supervised():
            state = files.state()  # it may have said why in its last breath
            if state is not None and state.generation >= wanted.generation and state.failure is not None:
                raise StackFailed(state.failure.message, state.failure.exit_code)
            log = files.log("supervisor")
            raise StackFailed(f"the supervisor ended (exit {process.returncode}); see {log}:\n{last_lines(log)}")
        if time.monotonic() > deadline:
            raise _late(state, waiting, timeout_s, files)
        time.sleep(POLL_S)


def _not_ready(files: StackFiles, state: State, wanted: Wanted) -> dict[str, str]:
    """Name to reason for what is not ready yet, programs that are still leaving included."""
    expected = {f"validation-{n}" for n in range(1, wanted.validation + 1)}
    expected |= {f"rules-{n}" for n in range(1, wanted.rules + 1)} | {"ingest"}
    expected = (expected if wanted.programs else set()) | {*SERVICES, "simulator"}
    extra = [p for p in state.programs if p.name not in expected]
    services = [p for p in state.programs if p.name in SERVICES]
    programs = [p for p in state.programs if p not in services and p not in extra]
    settings = connect(files)
    # A question to a service costs a connection: asked last, when there is nothing else to wait for.
    answers = _reasons(programs, settings) or _reasons(services, settings)
    return answers | {p.name: "is leaving" for p in extra}


def _reasons(programs: list[ProgramState], settings: Settings) -> dict[str, str]:
    return {name: why for name, why in probe.all_of(programs, settings).items() if why is not None}


def _fail_if_dying(state: State, waiting: dict[str, str]) -> None:
    for program in state.programs:
        if program.name in waiting and program.restarts >= DEATHS_BEFORE_READY:
            raise StackFailed(
                f"{program.name} does not come up (started {program.restarts + 1} times);"
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
    parts = [
        f"{name} is not ready: {why}; see {programs[name].log}:\n{last_lines_of(programs[name])}"
        for name, why in waiting.items()
    ]
    return StackFailed(f"not up after {timeout_s:.0f} s\n" + "\n".join(parts))


def running(files: StackFiles) -> State:
    """The state of a stack that has a supervisor. Raises DependencyDown that says how to start one."""
    state = files.state()
    if state is None or not files.supervised():
        raise DependencyDown(f"no stack is running in {files.root.parent}; start it with `offerflow up --detach`")
    return state


def describe(files: StackFiles, state: State) -> dict[str, Any]:
    """The one object that ``offerflow up --output json`` prints."""
    identity = files.identity()
    return {
        "kafka": state.kafka,
        "redis": state.redis,
        "ingest": state.ingest,
        "console": None,
        "registry": None,
        "metrics": [f"{program.url}/metrics" for program in state.programs if program.url],
        "topic_prefix": state.topic_prefix,
        "api_key": identity.api_key if identity else None,
        "logs": str(files.logs),
    }


def own_pid(program: ProgramState) -> int | None:
    """The program's pid if it runs at this moment; the supervisor may not have seen its death yet."""
    try:
        if program.pid is None or psutil.Process(program.pid).status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return program.pid


def stop(files: StackFiles) -> bool:
    """Stop everything, in order; returns whether anything ran. Raises TryAgain if something will not end."""
    state = files.state()
    if files.supervised() and state is not None:
        supervisor = _process(state.supervisor)
        if supervisor is not None:
            supervisor.send_signal(signal.SIGTERM)
            if not _ends(supervisor, STOP_WITHIN_S):
                supervisor.kill()
                _ends(supervisor, 10.0)
        if files.supervised():
            raise TryAgain(f"the supervisor of {files.root} does not end; see {files.log('supervisor')}")
        leftovers.end(files.root)
        return True
    if not files.root.is_dir():
        return False
    with files.lock():
        return bool(leftovers.end(files.root))


def purge(files: StackFiles) -> None:
    """Remove the stack's data. Only after ``stop``."""
    shutil.rmtree(files.root, ignore_errors=False)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _ends(process: psutil.Process, timeout_s: float) -> bool:
    """Whether it ends in time. A zombie has ended too: whoever started it has not looked yet."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(POLL_S / 2)
    return False
