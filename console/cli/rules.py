"""``offerflow rules``: what can be written in conditions, offers and settings."""

from __future__ import annotations

import click


@click.group()
def rules() -> None:
    """What can be written in conditions, offers and settings."""


@rules.command(short_help="Print the JSON Schema of definition files, for editors.")
def schema() -> None:
    """Print the JSON Schema of definition files, by which editors complete them and underline mistakes.

    Save it beside the files and let their first line name it:

    # yaml-language-server: $schema=../offerflow.schema.json
    """
    from offerflow.rules.definitions.editors import schema_text

    click.echo(schema_text(), nl=False)
