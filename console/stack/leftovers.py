"""Programs that outlived their supervisor (it was killed, or the machine ran out of memory): found and ended."""

from __future__ import annotations

from pathlib import Path

import psutil

from console.stack.program import MARK

PATIENCE_S = 10.0


def find(root: Path) -> list[psutil.Process]:
    """Processes that carry the mark of the stack at ``root``. A process id alone would be no proof after a restart."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(root):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or not ours to look at
    return found


def end(root: Path) -> list[str]:
    """End them, politely first; returns their names. Only for who holds the stack's lock."""
    processes = find(root)
    names = []
    for process in processes:
        try:
            names.append(process.name())
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=PATIENCE_S)
    return names
