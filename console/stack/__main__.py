"""The supervisor of one stack: ``python -m console.stack --dir DIR``. Started by ``offerflow up``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import click

from console.stack import leftovers
from console.stack.files import Identity, StackFiles
from console.stack.supervisor import Supervisor
from offerflow.runtime.keys import new_key
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.settings import load_settings

LOCK_WITHIN_S = 3.0


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True, help="Holds .offerflow.")
@click.option("--with-parent", is_flag=True, help="Stop when the process that started this one is gone.")
def main(directory: Path, with_parent: bool) -> None:
    """Keep the local stack of DIRECTORY running until SIGTERM."""
    configure_logs(load_settings().log, "supervisor")
    files = StackFiles.find(directory)
    files.make()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        threading.Thread(target=_watch_parent, args=(os.getppid(), stop), daemon=True).start()
    deadline = time.monotonic() + LOCK_WITHIN_S
    while True:
        with files.lock(to_supervise=True) as mine:
            if mine:
                sys.exit(_supervise(files, stop))
        # Somebody may only be looking whether the lock is held; a supervisor would still hold it after a while.
        if time.monotonic() > deadline:
            sys.exit(f"{files.root} has a supervisor already")
        time.sleep(0.05)


def _supervise(files: StackFiles, stop: threading.Event) -> int:
    ended = leftovers.end(files.root)
    if ended:
        get_logger().warning("ended programs left by an earlier supervisor", programs=ended)
    identity = files.identity() or Identity(api_key=new_key())
    wanted = files.wanted()
    if wanted is not None and not files.has_topics():
        identity.brokers = wanted.brokers
    files.write(identity)
    return Supervisor(files, identity, stop).run()


def _watch_parent(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:
        if stop.wait(0.5):
            return
    stop.set()


if __name__ == "__main__":
    main()
