"""Broker and Valkey alone, for tests and experiments: ``python -m console.stack.services up|down --dir DIR``.

``up`` prints the addresses as JSON once both answer and returns; topics are created, no program is started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from console.stack import client, ready, stopping
from console.stack.files import StackFiles
from offerflow.runtime.errors import OfferflowError


@click.command()
@click.argument("action", type=click.Choice(["up", "down"]))
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True)
@click.option("--purge", is_flag=True, help="With down: remove the data too.")
def main(action: str, directory: Path, purge: bool) -> None:
    files = StackFiles.find(directory)
    try:
        if action == "down":
            stopping.stop(files)
            if purge:
                stopping.purge(files)
            return
        wanted, process = client.start(files, programs=False)
        state = ready.wait_ready(files, wanted, process)
    except OfferflowError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(json.dumps(client.describe(files, state)))


if __name__ == "__main__":
    main()
