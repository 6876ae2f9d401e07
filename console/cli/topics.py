"""``offerflow topics``: the topics of a deployment and the first commits of its stages."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.topics import check_topics, create_topics


@click.group()
def topics() -> None:
    """Create and check the topics of a deployment."""


@topics.command(short_help="Create what is missing. Safe to repeat.")
@output_option
@dir_option
def create(output: str, directory: Path | None) -> None:
    """Create what is missing, and give both stages their first committed offsets. Safe to repeat."""
    settings = connect(StackFiles.find(directory))
    Admin(settings).ping()
    created = create_topics(settings)
    if output == "json":
        print_json({"created": created})
    else:
        click.echo("\n".join(f"created {name}" for name in created) or "all topics are there")


@topics.command()
@output_option
@dir_option
def check(output: str, directory: Path | None) -> None:
    """Look whether all topics and first commits are there; exit 1 if not. Changes nothing."""
    settings = connect(StackFiles.find(directory))
    Admin(settings).ping()
    problems = check_topics(settings)
    if output == "json":
        print_json({"problems": problems})
    else:
        click.echo("\n".join(problems) or "all topics are there")
    if problems:
        raise click.exceptions.Exit(1)
