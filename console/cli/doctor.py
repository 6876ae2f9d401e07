"""``offerflow doctor``: a whole deployment looked at, for what will hurt it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import print_json, progress
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.errors import DependencyDown


@click.command()
@click.option("--all", "whole", is_flag=True, help="Show what is ok as well.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too, and for what is unknown.")
@output_option
@dir_option
def doctor(whole: bool, strict: bool, output: str, directory: Path | None) -> None:
    """Look at brokers, topics, stages, Redis, the store, keys, webhooks and this machine, for what will hurt.

    It changes nothing and is safe beside running workers. A check that cannot be made says why and counts as unknown.
    Exit code 0: nothing is bad; 1: something is; 69: neither Kafka nor Redis answers.
    """
    from console.cli.tables import visible
    from console.doctor.parts import examination, nothing_answers
    from console.doctor.telling import as_json, counts, lines, summary

    settings = connect(StackFiles.find(directory))
    with progress() as say:
        found = examination(settings, lambda done, total: say("looking", (done, total)))
    if output == "json":
        print_json(as_json(found))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for begin, text, colour in lines(found, whole=whole, width=width):
            click.echo((click.style(begin, fg=colour) if colour else begin) + visible(text))
        click.echo(summary(found))
    if nothing_answers(found):
        raise click.exceptions.Exit(DependencyDown.exit_code)
    number = counts(found)
    if number["bad"] or (strict and (number["warn"] or number["unknown"])):
        raise click.exceptions.Exit(1)
