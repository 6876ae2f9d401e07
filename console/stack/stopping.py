"""Ending a stack, whatever state its supervisor is in, and removing its data."""

from __future__ import annotations

import shutil
import time

import psutil

from console.stack import leftovers
from console.stack.files import StackFiles
from offerflow.runtime.errors import TryAgain

POLL_S = 0.1
STOP_WITHIN_S = 150.0


def stop(files: StackFiles) -> bool:
    """Stop everything, in order; returns whether anything ran. Raises TryAgain if something will not end."""
    if not files.root.is_dir():
        return False
    ran = False
    deadline = time.monotonic() + STOP_WITHIN_S
    while files.supervised():
        ran = True
        supervisor = _supervisor(files)
        if supervisor is not None:
            supervisor.terminate()
            if not _ends(supervisor, deadline - time.monotonic()):
                supervisor.kill()
                _ends(supervisor, 10.0)
        if time.monotonic() > deadline + 10.0:
            raise TryAgain(f"the supervisor of {files.root} does not end; see {files.log('supervisor')}")
        time.sleep(POLL_S)
    return bool(leftovers.end(files.root)) or ran


def purge(files: StackFiles) -> None:
    """Remove the stack's data. Only after ``stop``."""
    shutil.rmtree(files.root, ignore_errors=False)


def _supervisor(files: StackFiles) -> psutil.Process | None:
    """The supervisor, if the pid in the lock file is one: right after a start it may still be another's old one."""
    try:
        process = psutil.Process(files.supervisor() or 0)
        return process if "console.stack" in process.cmdline() else None
    except psutil.Error:
        return None


def _ends(process: psutil.Process, timeout_s: float) -> bool:
    """Whether it ends in time. A zombie has ended too: whoever started it has not looked yet."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(POLL_S / 2)
    return False
