"""``offerflow events``: what arrived and what became of it. Each command is a module of its own."""

from __future__ import annotations

import click

from console.cli.lazy import Command, LazyGroup

_COMMANDS = {
    "import": Command("console.cli.events_import:import_", "Import past events from CSV, JSON lines or Parquet."),
    "send": Command("console.cli.events_send:send", "Send one event and show its verdict."),
    "tail": Command("console.cli.events_tail:tail", "Show events as they arrive, each with its verdict."),
    "list": Command("console.cli.events_list:list_events", "List past events, newest last."),
    "show": Command("console.cli.events_show:show", "Show one event: what was sent beside what was stored."),
    "stats": Command("console.cli.events_stats:stats", "Count events by name and source, good and bad."),
    "funnel": Command("console.cli.events_funnel:funnel", "Count who went from one event to the next, and how fast."),
    "debug": Command("console.cli.events_debug:debug", "Watch single users, devices and sources closely."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def events() -> None:
    """Watch events as they come, look at past ones, import and send.

    An event is shown with its verdict: valid (it is in the journal), a dead letter with its reason, or dropped.
    """
