"""``offerflow offers``: the offers in force, with who is in them, and the commands that act on one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from console.cli.options import dir_option, output_option

_ACTIONS = {
    "pause": ("console.cli.offers_act:pause", "Let nobody enter an offer; who is inside stays."),
    "resume": ("console.cli.offers_act:resume", "Let people enter a paused offer again."),
    "hold": ("console.cli.offers_act:hold", "Stop an offer's webhooks and its rewards in the pull list, at once."),
    "release": ("console.cli.offers_act:release", "End a hold; what was held back goes out."),
    "enter": ("console.cli.offers_enter:enter", "Enter users from a file into an offer."),
    "results": ("console.cli.offers_results:results", "What came of each arm, at what cost, against the holdout."),
    "spend": ("console.cli.offers_results:spend", "Show or import what an offer cost besides its rewards."),
}
"""Commands in rooms of their own, imported to be run, and what help says of them."""


class Offers(click.Group):
    """Imports an action only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ACTIONS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ACTIONS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = _ACTIONS[cmd_name][0].partition(":")
        loaded = getattr(importlib.import_module(module), attribute)
        assert isinstance(loaded, click.Command)  # noqa: S101 - the table is ours
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [(name, command.get_short_help_str(100)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*own, *((name, text) for name, (_, text) in _ACTIONS.items())])


@click.group(cls=Offers)
def offers() -> None:
    """Look at offers, stop them, enter users, see what came of them."""


@offers.command("list")
@output_option
@dir_option
def list_command(output: str, directory: Path | None) -> None:
    """The offers in force, and those that still have somebody inside."""
    from console.cli.output import print_json
    from console.cli.tables import print_fitting

    found = _offers(directory)
    if output == "json":
        print_json(found)
        return
    columns = ("offer", "status", "entered", "inside", "completed", "hold", "entry", "starts", "ends", "variants")
    print_fitting(columns, [
        (one["id"], one["status"], one["entered"], one["inside"], one["completed"], "on hold" if one["on_hold"] else "",
         ", ".join(one["entry"]), one["starts"], one["ends"], ", ".join(one["variants"]))
        for one in found
    ], droppable=("variants", "ends", "starts", "entry"))  # fmt: skip


@offers.command()
@click.argument("offer")
@output_option
@dir_option
def show(offer: str, output: str, directory: Path | None) -> None:
    """One offer: its definition, if it is on hold, and how many entered."""
    from console.cli.output import print_json
    from console.cli.tables import visible
    from console.workspace.rendering import definition_tree, documents_text
    from offerflow.rules.nearest import did_you_mean
    from offerflow.runtime.errors import OfferflowError

    found = {one["id"]: one for one in _offers(directory)}
    if offer not in found:
        raise OfferflowError(f"there is no offer {visible(offer)}{did_you_mean(offer, found)}")
    one = found[offer]
    if output == "json":
        print_json(one)
        return
    hold = f"on hold since {one['on_hold']['at']} by {visible(one['on_hold']['by'])}; " if one["on_hold"] else ""
    click.echo(f"# {hold}{one['entered']} entered, {one['inside']} inside now, {one['completed']} completed")
    if one["definition"] is None:
        click.echo("# no longer defined")
    else:
        text = documents_text([definition_tree(one["definition"])])
        click.echo("\n".join(visible_indented(line) for line in text.splitlines()))


def visible_indented(line: str) -> str:
    """A line of YAML, harmless to a terminal; its indentation stays."""
    from console.cli.tables import visible

    text = line.lstrip(" ")
    return line[: len(line) - len(text)] + visible(text)


def _offers(directory: Path | None) -> list[dict[str, Any]]:
    """Every offer that is defined or has somebody inside or on hold, by id."""
    from console.stack.client import connect
    from console.stack.files import StackFiles
    from console.workspace.reading import read_catalog
    from console.workspace.state import state_of
    from offerflow.runtime.store.engine import open_store
    from offerflow.runtime.store.entry_list import Numbers, entry_numbers
    from offerflow.runtime.store.holds import holds_now
    from offerflow.runtime.store.transactions import reading
    from schemas.announce import rfc3339

    settings = connect(StackFiles.find(directory))
    catalog, _ = read_catalog(settings)
    state = state_of(catalog)
    defined = {name.partition("/")[2]: content for name, content in state.items() if name.startswith("offer/")}
    with reading(open_store(settings)) as connection:
        numbers, held = entry_numbers(connection), holds_now(connection)
    inside = (offer for offer, counted in numbers.items() if counted.inside)
    found = []
    for name in sorted({*defined, *inside, *held}):
        counted = numbers.get(name, Numbers(0, 0, 0))
        hold = held.get(name)
        found.append({
            **_summary(name, defined.get(name)), **counted._asdict(),
            "on_hold": None if hold is None else {"at": rfc3339(hold[0]), "by": hold[1]},
            "definition": defined.get(name),
        })  # fmt: skip
    return found


def _summary(name: str, definition: Mapping[str, Any] | None) -> dict[str, Any]:
    if definition is None:
        return {"id": name, "status": "gone", "entry": [], "starts": None, "ends": None, "variants": []}
    entry = definition["entry"]
    ways = {"event": any(key not in ("code", "api") for key in entry), "code": "code" in entry, "api": entry.get("api")}
    variants = [variant["id"] for variant in definition.get("variants") or ()]
    status = "withdrawn" if definition.get("withdraw") else definition.get("status", "live")
    return {
        "id": name, "status": status, "entry": [way for way, there in ways.items() if there],
        "starts": definition.get("starts"), "ends": definition.get("ends"), "variants": variants,
    }  # fmt: skip
