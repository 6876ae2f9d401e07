"""``up``, ``down``, ``status`` and ``wait``: the local stack as commands."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import Progress, print_json, progress
from console.cli.tables import print_facts, print_fitting
from console.plan.catalog import read_catalog
from console.stack import client, ready, stopping
from console.stack.cluster import MOST_BROKERS
from console.stack.failure import StackFailed
from console.stack.files import StackFiles, State, Wanted
from offerflow.runtime.errors import DependencyDown, OfferflowError, TryAgain
from offerflow.runtime.settings import Settings

WORKERS = click.IntRange(0, 64)
LOOK_S = 1.0
HIDDEN_KEY = "(not shown here; --show-key or --output json prints it)"


@click.command()
@click.option("--detach", is_flag=True, help="Return once everything is ready; it goes on in the background.")
@click.option("--brokers", type=click.IntRange(1, MOST_BROKERS), metavar="N", help="Default 1; fixed by the data.")
@click.option("--workers", type=WORKERS, metavar="N", help="Of each stage. Default 1; on a running stack: no change.")
@click.option("--validation-workers", type=WORKERS, metavar="N", help="Of validation, whatever --workers says.")
@click.option("--rules-workers", type=WORKERS, metavar="N", help="Of rules, whatever --workers says.")
@click.option("--show-key", is_flag=True, help="Print api_key also where a log may keep it: no terminal, no JSON.")
@dir_option
@output_option
def up(
    detach: bool,
    brokers: int | None,
    workers: int | None,
    validation_workers: int | None,
    rules_workers: int | None,
    show_key: bool,
    directory: Path | None,
    output: str,
) -> None:
    """Start Kafka, Valkey and every program, or what is not running of them.

    Run again with other numbers, workers join or leave; nothing else is touched. With three brokers one may die at any
    time; their number is fixed by the stack's data. OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS
    and OFFERFLOW_REDIS__URL name services of your own to use instead. Without --detach it stays and Ctrl-C stops the
    stack.
    """
    files = StackFiles.find(directory)
    if not detach:
        _stop_on_signals()
    try:
        validation = workers if validation_workers is None else validation_workers
        rules = workers if rules_workers is None else rules_workers
        wanted, process = client.start(files, validation, rules, brokers=brokers, with_parent=not detach)
        with progress() as say:
            state = ready.wait_ready(files, wanted, process, Holding(files, say))
        described = client.describe(files, state)
        if output == "json":
            print_json(described)
        else:
            print_facts(_where(described, state, show_key=show_key or sys.stdout.isatty()))
        if not read_catalog(client.connect(files)).head.serial:
            click.echo(
                "The event plan is empty: `offerflow apply schemas/events` puts the standard one in force.", err=True
            )
        if detach:
            return
        _stay(files, wanted, process)
    except KeyboardInterrupt:
        if detach:
            raise
        click.echo("stopping", err=True)
        stopping.stop(files)
    except OfferflowError:
        if not detach:
            stopping.stop(files)
        raise


def _where(described: dict[str, Any], state: State, *, show_key: bool) -> list[tuple[str, str]]:
    told = described if show_key else {**described, "api_key": described["api_key"] and HIDDEN_KEY}
    rows = [(name, str(value)) for name, value in told.items() if value and name != "metrics"]
    return [*rows, *((f"metrics of {one.name}", f"{one.url}/metrics") for one in state.programs if one.url)]


def _stop_on_signals() -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def _stay(files: StackFiles, wanted: Wanted, process: subprocess.Popen[bytes] | None) -> None:
    """Say what changes until interrupted or until somebody else stops the stack."""
    click.echo("running; Ctrl-C stops the stack", err=True)
    before: dict[str, str] = {}
    while files.supervised() and (process is None or process.poll() is None):
        now = {
            program["name"]: "ready" if program["ready"] else "running" if program["pid"] else "not running"
            for program in _programs(files)[0]
        }
        for name in sorted(now.keys() | before.keys()):
            if before and now.get(name) != before.get(name):
                click.echo(f"{name}: {now.get(name, 'left')}", err=True)
        before = now
        time.sleep(LOOK_S)
    state = files.state()
    if state is not None and state.failure is not None and state.generation >= wanted.generation:
        raise OfferflowError(state.failure.message)
    click.echo("the stack was stopped", err=True)


@click.command()
@click.option("--purge", is_flag=True, help="Remove the stack's data too: topics, state, logs and the server key.")
@yes_option
@dir_option
def down(purge: bool, yes: bool, directory: Path | None) -> None:
    """Stop everything, the demo included. Data stays and is there at the next `up`, unless --purge says otherwise."""
    files = StackFiles.find(directory)
    if purge and not yes and files.root.is_dir():
        from console.cli.changes import confirm

        confirm(yes, f"Remove all data of the stack in {files.root}?")
    demo = StackFiles.find(files.demo)
    ran = stopping.stop(demo)
    ran = stopping.stop(files) or ran
    if purge and files.root.is_dir():
        stopping.purge(files)
    click.echo("stopped" if ran else f"no stack was running in {files.root.parent}", err=True)


@click.command()
@dir_option
@output_option
def status(directory: Path | None, output: str) -> None:
    """Programs with their pids, readiness and restarts, and how many offsets each stage is behind.

    Of history and webhooks it is what the rules decided that they have not read yet; `offerflow history show` tells of
    the index of events.
    """
    files = StackFiles.find(directory)
    client.running(files)
    from offerflow.runtime.positions import lag

    programs, reasons = _programs(files)
    away = [reasons[p["name"]] for p in programs if p["name"].startswith("kafka")]
    down = DependencyDown(f"Kafka is not ready: {away[0]}") if away and None not in away else None
    readers = _readers(files)
    behind: dict[str, int | None] = dict.fromkeys(("validation", "rules", *readers))
    if down is None:
        try:
            behind |= lag(client.connect(files), readers)
        except DependencyDown as error:
            down = error
    if output == "json":
        print_json({"programs": programs, "lag": behind})
    else:
        rows = [
            (p["name"], p["pid"], "yes" if p["ready"] else "no", p["restarts"], " ".join((p["why"] or "").split()))
            for p in programs
        ]
        print_fitting(("name", "pid", "ready", "restarts", "why"), rows, prose=True)
        click.echo()
        print_fitting(("stage", "behind"), [(name, "?" if n is None else n) for name, n in behind.items()])
    if down is not None:
        raise down


def _readers(files: StackFiles) -> list[str]:
    """The programs of the stack that read what the rules decided."""
    from offerflow.runtime.positions import READERS

    state = files.state()
    return [program.name for program in (state.programs if state else ()) if program.name in READERS]


def _programs(files: StackFiles) -> tuple[list[dict[str, Any]], dict[str, str | None]]:
    """What ``status`` tells of each program, and by name why one is not ready (None if it is)."""
    from console.stack import probe

    state = client.running(files)
    for program in state.programs:
        program.pid = client.own_pid(program)
    reasons = probe.all_of(state.programs, client.connect(files))
    programs = [
        {"name": p.name, "pid": p.pid, "ready": (why := reasons[p.name]) is None, "restarts": p.restarts, "why": why}
        for p in state.programs
    ]
    return programs, reasons


@click.command()
@click.option("--idle", is_flag=True, help="Until there is nothing left to do.")
@click.option("--timeout", type=Duration(), default="5m", show_default=True, help="Give up after so long (exit 75).")
@dir_option
def wait(idle: bool, timeout: float, directory: Path | None) -> None:
    """Wait until every program of the stack is ready, or with --idle until there is nothing left to do."""
    files = StackFiles.find(directory)
    client.running(files)
    wanted = files.wanted() or Wanted(generation=0)
    with progress() as say:
        if not idle:
            _wait_ready(files, wanted, timeout, Holding(files, say))
            return
        if wanted.trickle:
            click.echo("the simulator keeps sending events, so there may always be something left to do", err=True)
        follow_lag(client.connect(files), timeout, say, files)


def _wait_ready(files: StackFiles, wanted: Wanted, timeout_s: float, say: Holding) -> None:
    deadline = time.monotonic() + timeout_s
    try:
        ready.wait_ready(files, wanted, None, say, timeout_s)
    except StackFailed:
        if time.monotonic() < deadline:
            raise
        reasons = {name: why for name, why in _programs(files)[1].items() if why is not None}
        late = [f"{name} is not ready: {why}" for name, why in reasons.items()]
        raise TryAgain("\n".join((f"not ready after {timeout_s:.0f} s", *late))) from None


class Holding:
    """Passes on what is being done, and tells once of each program that holds: it needs a person to go on."""

    def __init__(self, files: StackFiles, say: Progress) -> None:
        self._files, self._say = files, say
        self._told: dict[str, str] = {}
        self._next = time.monotonic() + LOOK_S

    def __call__(self, text: str, counted: tuple[int, int] | None = None) -> None:
        self._say(text, counted)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_S
        for name, why in holding(self._files).items():
            if self._told.get(name) != why:
                click.echo(f"{name} is {why}", err=True)
                self._told[name] = why


def holding(files: StackFiles) -> dict[str, str]:
    """By name the programs that run and refuse to work, and why."""
    from console.stack import probe

    state = files.state()
    asked = {p.name: probe.program(p.url) for p in (state.programs if state else ()) if p.url is not None and p.pid}
    return {name: why for name, why in asked.items() if why is not None and why.startswith(("holding", "refusing"))}


def follow_lag(settings: Settings, timeout_s: float, say: Progress, files: StackFiles) -> None:
    """Wait until the stages and what reads their decisions are idle, telling how far behind they are meanwhile."""
    from offerflow.runtime.positions import wait_idle

    told = Holding(files, say)

    def tell(behind: dict[str, int]) -> None:
        late = ", ".join(f"{stage} {number}" for stage, number in behind.items() if number)
        told(f"waiting for the stages: {late} behind" if late else "waiting for the stages")

    def refusals() -> dict[str, str]:
        return {name: why for name, why in _programs(files)[1].items() if why is not None}

    wait_idle(settings, timeout_s, tell, patient=True, refusals=refusals, readers=_readers(files))
