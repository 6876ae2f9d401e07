"""``offerflow verify``: proof that Redis and the output topics are what the journal says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import Progress, print_json, progress
from console.cli.tables import visible
from console.stack.client import connect
from console.stack.files import StackFiles


@click.command()
@click.option("--state", "states", is_flag=True, help="Compare the states in Redis.")
@click.option("--outputs", is_flag=True, help="Compare the output topics and the rules' dead letters.")
@click.option("--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only this journal "
              "partition; can be given several times.")  # fmt: skip
@click.option("--from-copy", "copy", metavar="REDIS_URL", help="Fold on from the states of this Redis, on which a copy "
              "was loaded that is known to be right, instead of from the first record.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1), help="How many fold at once (default: one for each core); "
              "each holds the states of a partition.")  # fmt: skip
@click.option("--show", type=click.IntRange(min=0), default=5, show_default=True, help="Differences to show in full.")
@click.option("--textfile", type=click.Path(dir_okay=False, path_type=Path), help="Also write the figures as metrics "
              "to this file, for Prometheus' textfile collector (NAME.prom).")  # fmt: skip
@output_option
@dir_option
def verify(
    states: bool, outputs: bool, partitions: tuple[int, ...], copy: str | None, processes: int | None, show: int,
    textfile: Path | None, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Fold the journal once more, away from the workers, and compare with what they did.

    With neither --state nor --outputs both are compared. It only looks, and is safe beside running workers. Exit code
    0: identical; 1: there are differences, and the first are shown, or nothing can be proved; 69: Kafka or Redis is
    away; 75: it cannot be told now.
    """
    from console.verify.explaining import Explainer
    from console.verify.telling import as_json, counts, lines, write_textfile
    from console.verify.verifying import OUTPUTS, STATES, first_differences, verify
    from console.workspace.reading import read_catalog
    from offerflow.runtime.errors import ConfigError

    settings = connect(StackFiles.find(directory))
    if textfile is not None and partitions:
        raise click.UsageError("--textfile tells of the whole journal; leave out --partition")
    if textfile is not None and not textfile.parent.is_dir():
        raise ConfigError(f"--textfile: there is no directory {textfile.parent}")
    both = states == outputs
    checks = [name for name, chosen in ((STATES, states), (OUTPUTS, outputs)) if chosen or both]
    cores = processes or os.cpu_count() or 1
    with progress() as say:
        report = verify(settings, checks, partitions, cores, _Rated(say), copy)
        chosen = first_differences(report, show)
        if chosen:
            say("looking at the differences")
        catalog, _ = read_catalog(settings) if chosen else (None, None)
        explained = [] if catalog is None else list(map(Explainer(settings, catalog), chosen))
    if textfile is not None:
        write_textfile(textfile, report, time.time())
    if output == "json":
        print_json(as_json(report, explained))
    else:
        for line in lines(report, explained):
            click.echo(visible(line))
    if any(any(kinds.values()) for kinds in counts(report).values()):
        click.get_current_context().exit(1)


class _Rated:
    """Adds the rate and the time left to what is counted."""

    def __init__(self, say: Progress) -> None:
        self._say = say
        self._what = ""
        self._began = 0.0

    def __call__(self, what: str, counted: tuple[int, int]) -> None:
        now, (done, whole) = time.monotonic(), counted
        if what != self._what:
            self._what, self._began = what, now
        seconds = now - self._began
        text = what
        if done and seconds > 1:
            rate = done / seconds
            text += f", {rate:,.0f}/s, {_duration((whole - done) / rate)} left"
        self._say(text, counted)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
