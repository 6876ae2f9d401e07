"""Broker and Valkey alone, for tests and experiments: ``python -m console.stack.services up|down --dir DIR``.

``up`` prints the addresses as JSON once both answer and returns; topics are created, no program is started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from console.stack import client, ready, stopping
from console.stack.cluster import MOST_BROKERS
from console.stack.files import StackFiles
from offerflow.runtime.errors import OfferflowError


@click.command()
@click.argument("action", type=click.Choice(["up", "down"]))
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True)
@click.option("--purge", is_flag=True, help="With down: remove the data too.")
@click.option("--brokers", type=click.IntRange(1, MOST_BROKERS), metavar="N", help="Default 1; fixed by the data.")
@click.option("--proxied", is_flag=True, help="A second listener per broker, for a proxy to stand before.")
def main(action: str, directory: Path, purge: bool, brokers: int | None, proxied: bool) -> None:
    files = StackFiles.find(directory)
    try:
        if action == "down":
            stopping.stop(files)
            if purge:
                stopping.purge(files)
            return
        wanted, process = client.start(files, brokers=brokers, programs=False, proxied=proxied)
        state = ready.wait_ready(files, wanted, process)
    except OfferflowError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(json.dumps(client.describe(files, state)))


if __name__ == "__main__":
    main()
