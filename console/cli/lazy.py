"""Groups of commands that are listed from a table and imported only to run, so that help and completion are instant."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Command(NamedTuple):
    place: str
    """``module:attribute`` of a click command."""
    help: str


class LazyGroup(click.Group):
    """A group of the commands in ``table``."""

    def __init__(self, *args: Any, table: Mapping[str, Command], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = self._table.get(cmd_name)
        if command is None:
            return None
        module, _, attribute = command.place.partition(":")
        loaded = getattr(importlib.import_module(module), attribute)
        assert isinstance(loaded, click.Command)  # noqa: S101 - the table is ours
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from offerflow.rules.nearest import Nearest  # only for somebody who misspelt it

            near = Nearest(self._table).name(args[0])
            hint = f" Did you mean {near!r}?" if near else f" See `{ctx.command_path} --help`."
            ctx.fail(f"no such command {args[0]!r}.{hint}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self._table.items()])
