"""The table a run ends with."""

from __future__ import annotations

from rich.table import Column, Table

from tests.chaos.result import COLUMNS, Result, Row


def table(result: Result) -> Table:
    found = Table(
        "fault", *(Column(name, justify="right") for name in ("injected", *COLUMNS, "longest stall")), title="chaos"
    )
    for kind, row in result.rows().items():
        found.add_row(kind, *_cells(row))
    found.add_section()
    found.add_row("all", *_cells(result.total()))
    return found


def _cells(row: Row) -> list[str]:
    return [f"{row.injected:,}", *(f"{row.found[name]:,}" for name in COLUMNS), f"{row.stall:.1f} s"]
