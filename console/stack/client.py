"""What commands do with a stack: reach its services, start or change it, look at it."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import msgspec
import psutil

from console.stack.files import CHECKOUT, ProgramState, StackFiles, State, Wanted
from console.stack.settings import local_store, own_services
from offerflow.runtime.addresses import public_address
from offerflow.runtime.errors import ConfigError, DependencyDown
from offerflow.runtime.settings import Settings, load_settings


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
            f" start a stack with `offerflow up --detach`{_demo(files)}"
        )
    if state is not None and supervised:
        if "bootstrap_servers" not in own.kafka.model_fields_set:
            found["kafka"] = {"bootstrap_servers": state.kafka}
        if "url" not in own.redis.model_fields_set:
            found["redis"] = {"url": state.redis}
        if "topic_prefix" not in own.model_fields_set:
            found["topic_prefix"] = state.topic_prefix
        if "partitions" not in own.model_fields_set:
            found["partitions"] = state.partitions
        found |= local_store(files, own)
        identity = files.identity()
        if identity is not None and own.local.server_key is None:
            found["local"] = {"server_key": identity.api_key}
    return load_settings(**{**found, **given})


def start(
    files: StackFiles,
    validation: int | None = None,
    rules: int | None = None,
    *,
    brokers: int | None = None,
    programs: bool = True,
    trickle: bool | None = None,
    proxied: bool = False,
    with_parent: bool = False,
) -> tuple[Wanted, subprocess.Popen[bytes] | None]:
    """Ask for the stack, starting its supervisor if there is none. None for a number keeps it (1 in a new stack).

    Raises ConfigError where the stack has, or is to have, another number of ``brokers`` already.
    """
    own_kafka, _ = own_services(load_settings())  # what is wrong in the environment is told here, not in a log
    supervised = files.supervised()
    last = files.wanted()
    before = last if supervised else None
    brokers = _brokers(files, brokers, before, own_kafka=own_kafka)
    files.make()
    wanted = Wanted(
        generation=max(time.time_ns(), last.generation + 1 if last else 0),
        validation=validation if validation is not None else before.validation if before else 1,
        rules=rules if rules is not None else before.rules if before else 1,
        programs=programs,
        trickle=trickle if trickle is not None else before.trickle if before else False,
        brokers=brokers,
        proxied=before.proxied if before else proxied,
    )
    files.write(wanted)
    return wanted, None if supervised else _spawn(files, with_parent=with_parent)


def _brokers(files: StackFiles, asked: int | None, running: Wanted | None, *, own_kafka: bool) -> int:
    identity = files.identity()
    if asked is not None and own_kafka:
        raise ConfigError(
            f"--brokers {asked} is of no use with OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS, which names a Kafka of your own;"
            " leave out one of them"
        )
    there = running.brokers if running else identity.brokers if identity and files.has_topics() else None
    if there is not None and asked not in (None, there):
        raise ConfigError(
            f"the stack in {files.root.parent} has {there} broker{'s' if there > 1 else ''}, which its data fixes;"
            f" --brokers {asked} needs a stack of its own (--dir DIR), or a new start"
            " (`offerflow down --purge` forgets this one's data)"
        )
    return there or asked or 1


def _spawn(files: StackFiles, *, with_parent: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "console.stack", "--dir", str(files.root.parent)]
    with files.log("supervisor").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--with-parent"] if with_parent else command,
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def running(files: StackFiles) -> State:
    """The state of a stack that has a supervisor. Raises DependencyDown that says how to start one."""
    state = files.state()
    if state is None or not files.supervised():
        raise DependencyDown(
            f"no stack is running in {files.root.parent}; start it with `offerflow up --detach`{_demo(files)}"
        )
    return state


def _demo(files: StackFiles) -> str:
    """How to address the stack of the demo, if that runs where another was looked for; empty if not."""
    demo = StackFiles.find(files.demo)
    return f". That of the demo does: give `--dir {demo.root.parent}`" if demo.supervised() else ""


def describe(files: StackFiles, state: State) -> dict[str, Any]:
    """The one object that ``offerflow up --output json`` prints."""
    identity = files.identity()
    proxied = {"proxied": [msgspec.to_builtins(one) for one in state.proxied]} if state.proxied else {}
    return {
        "kafka": state.kafka,
        "redis": public_address(state.redis),
        "ingest": state.ingest,
        "console": state.console,
        "registry": state.registry,
        "metrics": [f"{program.url}/metrics" for program in state.programs if program.url],
        "topic_prefix": state.topic_prefix,
        "api_key": identity.api_key if identity else None,
        "logs": str(files.logs),
        **proxied,
    }


def own_pid(program: ProgramState) -> int | None:
    """The program's pid if it runs at this moment; the supervisor may not have seen its death yet."""
    try:
        if program.pid is None or psutil.Process(program.pid).status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return program.pid
