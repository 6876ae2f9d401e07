"""Killing the only broker of a stack, without falling into a hole of Kafka's own."""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path

from console.stack.files import StackFiles
from tests.oracle import topics
from tests.waiting import until

_STATE = struct.Struct(">hqhib")
"""How a value of ``__transaction_state`` begins: version, producer id and epoch, time-out in ms, status
(TransactionLogValue.json of Apache Kafka)."""
SERVICES = ("kafka", "valkey")
ENDING = {2: "PrepareCommit", 3: "PrepareAbort"}


def kill_between_commits(directory: Path) -> None:
    """SIGKILL the broker of the stack in ``directory`` while no transaction is about to end; all that use it are
    stopped until it is dead, where they are, be it in the middle of a batch.

    A broker that is alone and dies between the decision to end a transaction and the markers that say so may never
    write them (KAFKA-20734; docs/runbook.md, "An offset that never becomes stable"). No client can do anything about
    it, so a test of ours that met it would tell nothing about us.
    """
    state = StackFiles.find(directory).state()
    assert state is not None, f"no stack in {directory}"
    pids = {program.name: program.pid for program in state.programs if program.pid}
    stopped = [pid for name, pid in pids.items() if name not in SERVICES]
    try:
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        until(lambda: not ending(state.kafka), "transactions to end", state=lambda: ending(state.kafka))
        os.kill(pids["kafka"], signal.SIGKILL)
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def ending(bootstrap: str) -> dict[bytes | None, str]:
    """The transactional ids whose last transaction is decided and not yet ended, with its status."""
    name = "__transaction_state"
    last = {record.key: record.value for record in topics.read(bootstrap, [name], committed=False)[name]}
    found = {key: _STATE.unpack_from(value)[-1] for key, value in last.items() if value}
    return {key: ENDING[status] for key, status in found.items() if status in ENDING}
