"""Ports are remembered while they can be kept."""

from __future__ import annotations

import socket

from console.stack import ports


def test_a_remembered_free_port_is_kept() -> None:
    """The same name gets the same port again, and other names other ports."""
    known: dict[str, int] = {}
    first = ports.keep_or_choose(known, "kafka", check=True)
    second = ports.keep_or_choose(known, "valkey", check=True)
    assert first != second
    assert ports.keep_or_choose(known, "kafka", check=True) == first
    assert known == {"kafka": first, "valkey": second}


def test_a_port_somebody_took_is_given_up_unless_it_is_our_own_program_that_has_it() -> None:
    """A stranger's server makes the stack move; its own running program does not."""
    with socket.socket() as server:
        server.bind((ports.HOST, 0))
        server.listen()
        taken = server.getsockname()[1]
        known = {"ingest": taken}
        assert ports.keep_or_choose(known, "ingest", check=False) == taken
        moved = ports.keep_or_choose(known, "ingest", check=True)
        assert moved != taken
        assert known == {"ingest": moved}


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    """No connection of anybody's can sit on the port of a program that is just being restarted."""
    chosen = {ports.choose(set()) for _ in range(20)}
    assert all(ports.LOWEST <= port <= ports.HIGHEST < 32_768 for port in chosen)
    assert len(chosen) > 1
