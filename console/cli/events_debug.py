"""``offerflow events debug``: who is watched closely."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.events_options import settings_of, store_of
from console.cli.options import Duration, dir_option, follow_up, output_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.workspace.commit import current_author
from offerflow.runtime.store.debugging import DEVICE, SOURCE, USER, Flag, current_flags, end_flag, set_flag
from schemas.announce import rfc3339

HOUR_S = 3600.0
_WHOM = (
    click.option("--user", metavar="ID", help="A user."),
    click.option("--device", metavar="ID", help="A device: an anonymous id, or an id that its SDK gives the device."),
    click.option("--source", metavar="ID", help="A source."),
)


def whom(command: click.decorators.FC) -> click.decorators.FC:
    """Passes ``user``, ``device`` and ``source``."""
    for option in reversed(_WHOM):
        command = option(command)
    return command


@click.group()
def debug() -> None:
    """Watch single users, devices and sources closely: `events tail --debug` shows them and nobody else.

    Nothing changes about how their events are taken in and judged. Clients that say in their requests that they are in
    debug mode are shown as well.
    """


@debug.command()
@whom
@click.option("--for", "seconds", type=Duration(), default=HOUR_S, show_default="1h", help="How long, such as 30m.")
@output_option
@dir_option
def on(
    user: str | None, device: str | None, source: str | None, seconds: float, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Begin to watch a user, a device or a source."""
    kind, one = _chosen(user, device, source)
    if seconds <= 0:
        raise click.BadParameter("expected more than 0s", param_hint="--for")
    settings = settings_of(directory)
    with store_of(settings) as engine:
        flag = set_flag(engine, kind, one, seconds, current_author("debug").name)
    if output == "json":
        print_json(_row(flag))
    else:
        click.echo(f"{kind} {one} is in debug mode until {rfc3339(flag.until)}")
        click.echo(f"see its events: {follow_up('events tail --debug --verdicts')}", err=True)


@debug.command()
@whom
@output_option
@dir_option
def off(user: str | None, device: str | None, source: str | None, output: str, directory: Path | None) -> None:
    """End watching a user, a device or a source."""
    kind, one = _chosen(user, device, source)
    with store_of(settings_of(directory)) as engine:
        ended = end_flag(engine, kind, one)
    if output == "json":
        print_json({"kind": kind, "id": one, "ended": ended})
    else:
        click.echo(f"{kind} {one} is no longer in debug mode" if ended else f"{kind} {one} was not in debug mode")


@debug.command("list")
@output_option
@dir_option
def list_flags(output: str, directory: Path | None) -> None:
    """Who is watched, until when, and by whom."""
    with store_of(settings_of(directory)) as engine:
        flags = current_flags(engine)
    if output == "json":
        print_json([_row(flag) for flag in flags])
        return
    cells = [[flag.kind, flag.id, rfc3339(flag.until)[:19].replace("T", " "), flag.by] for flag in flags]
    print_fitting(("kind", "id", "until (UTC)", "by"), cells)
    if not flags:
        click.echo("nobody is in debug mode", err=True)


def _chosen(user: str | None, device: str | None, source: str | None) -> tuple[str, str]:
    given = [(kind, one) for kind, one in ((USER, user), (DEVICE, device), (SOURCE, source)) if one]
    if len(given) != 1:
        raise click.UsageError("say whom: one of --user, --device and --source")
    return given[0]


def _row(flag: Flag) -> dict[str, str]:
    return {"kind": flag.kind, "id": flag.id, "until": rfc3339(flag.until), "at": rfc3339(flag.at), "by": flag.by}
