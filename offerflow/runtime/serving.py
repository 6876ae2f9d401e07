"""What every program that serves HTTP does the same way: a listening socket that fails by name, and a server that ends
with 0 when it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import HttpSettings


class Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process by the signal instead of with 0."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(settings: HttpSettings, purpose: str, variable: str) -> socket.socket:
    """A listening socket. Raises ConfigError that names ``variable``, which would choose another port."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise _taken(settings, purpose, variable, error) from None


def listen_together(settings: HttpSettings, purpose: str, variable: str, count: int) -> list[socket.socket]:
    """As many listening sockets on one port, among which the kernel spreads connections. Raises as ``listen`` does."""
    listeners: list[socket.socket] = []
    port = settings.port
    # A port that somebody else shares with himself could be joined, so see first that nobody has it.
    listen(settings, purpose, variable).close()
    try:
        for _ in range(count):
            listeners.append(socket.create_server((settings.host, port), backlog=2048, reuse_port=True))
            port = listeners[0].getsockname()[1]
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise _taken(settings, purpose, variable, error) from None
    return listeners


def _taken(settings: HttpSettings, purpose: str, variable: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot listen on {settings.host}:{settings.port} for {purpose}: {error.strerror};"
        f" set {variable} to a free port"
    )


def url_of(listener: socket.socket) -> str:
    """``http://host:port`` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
