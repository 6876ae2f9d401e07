"""Ports for a stack's programs, chosen once and kept, so that a restarted broker is found where it was."""

from __future__ import annotations

import random
import socket

# Below what Linux and macOS give to outgoing connections: a port of ours that is free for a moment (its program is
# being restarted) must not become the local end of somebody's connection.
LOWEST, HIGHEST = 20_000, 32_000
HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(taken: set[int]) -> int:
    """A free port not in ``taken``, at random so that stacks started at the same moment differ."""
    for _ in range(1000):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311 - nothing secret about a port
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port on {HOST} between {LOWEST} and {HIGHEST}")


def keep_or_choose(ports: dict[str, int], name: str, *, check: bool) -> int:
    """The port remembered for ``name`` in ``ports``, else a new one, which is remembered there.

    ``check`` gives up a remembered port that somebody else uses now; only right while our own program is not running.
    """
    port = ports.get(name)
    if port is None or (check and not is_free(port)):
        port = ports[name] = choose(set(ports.values()))
    return port
