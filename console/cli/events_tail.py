"""``offerflow events tail``: events as they arrive, each with its verdict.

What watches is in ``events_follow`` and imported last: what arrives while it starts is to be seen, and is announced.
"""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.events_options import event_options, pii_option, settings_of, since_option
from console.cli.options import dir_option, output_option


@click.command()
@event_options
@click.option("--verdicts", is_flag=True, help="Show what was sent beside what was stored.")
@click.option("--debug", is_flag=True, help="Only users, devices and sources in debug mode, and clients that say so.")
@since_option
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
@click.option("--no-follow", is_flag=True, help="End with what is there now; with --since.")
@pii_option
@output_option
@dir_option
def tail(
    users: tuple[str, ...], visitors: tuple[str, ...], sources: tuple[str, ...], events: tuple[str, ...], bad: bool,
    verdicts: bool, debug: bool, since: int | None, limit: int | None, no_follow: bool, show_pii: bool, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Show events as they arrive, each with its verdict.

    One line an event: when it was received, what validation made of it, its name, its user, its source. --output json
    prints an object a line. It goes on until Ctrl-C.
    """
    if no_follow and since is None:
        raise click.UsageError("--no-follow shows what is there already: say --since when")
    if not no_follow:
        click.echo(f"starting: what arrives from {'now' if since is None else 'then'} on will show", err=True)
    from console.cli.events_follow import Asked, follow

    asked = Asked(users, visitors, sources, events, bad, debug)
    began = _began() if since is None else since
    follow(
        settings_of(directory), asked, began, limit, verdicts=verdicts, on=not no_follow, show_pii=show_pii,
        output=output,
    )  # fmt: skip


def _began() -> int:
    """When this command was typed: what is sent while it starts is to be seen too."""
    import psutil

    return int(psutil.Process().create_time() * 1000)
