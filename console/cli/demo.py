"""``offerflow demo``: one journey of made-up users through the whole system, on a stack of its own."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec

from console.cli.options import dir_option, output_option
from console.cli.output import print_json, print_table, progress
from console.cli.stack import follow_lag
from console.stack import client, ready, stopping
from console.stack.failure import StackFailed
from console.stack.files import CHECKOUT, StackFiles
from console.stack.settings import own_services
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings, environment, load_settings

WORKSPACES = ("schemas/events", "deploy/demo")
USERS = 400
JOURNEY = ("--users", str(USERS), "--seed", "1", "--broken", "2%", "--repeated", "3%", "--settle")
IDLE_WITHIN_S = 300.0


@click.command()
@click.option(
    "--exit", "leave", is_flag=True, help="Stop the demo stack at the end; its data stays until the next run."
)
@dir_option
@output_option
def demo(leave: bool, directory: Path | None, output: str) -> None:
    """Start a stack, apply the demo workspace, play the journeys of a few hundred users and count what came of them.

    The stack is its own, below .offerflow/demo, and starts empty each time. Without --exit it stays up in the
    background with a trickle of traffic; `offerflow down` stops it.
    """
    files = StackFiles.find(StackFiles.find(directory).demo)
    _remove(files)
    try:
        described, totals = _run(files)
    except BaseException:  # Ctrl-C too: nobody would look for this stack
        stopping.stop(files)
        raise
    if leave:
        stopping.stop(files)
    if output == "json":
        print_json(totals)
    else:
        _show(totals)
    if not leave:
        _trickle(files)
        _tell(files, described)


def _run(files: StackFiles) -> tuple[dict[str, Any], dict[str, Any]]:
    with progress() as say:
        wanted, process = client.start(files, validation=1, rules=1)
        described = client.describe(files, ready.wait_ready(files, wanted, process, say))
        settings = client.connect(files)
        _refuse_used_topics(settings)
    applied = _command("console.cli.main", "apply", *WORKSPACES, "--yes", "--dir", str(files.root.parent))
    click.echo(f"applied {len(applied['changes'])} definitions from {' and '.join(WORKSPACES)}", err=True)
    sent = _command("producers.simulator", *JOURNEY, settings=settings)
    click.echo(
        f"played the journeys of {USERS} users, some of it broken on purpose: {sent['records']} records", err=True
    )
    with progress() as say:
        follow_lag(settings, IDLE_WITHIN_S, say, files)
        say("counting what came of it")
        return described, count(settings)


def _refuse_used_topics(settings: Settings) -> None:
    """A Kafka of the user's own may hold real events, which the demo must neither mix with nor count."""
    if own_services(load_settings())[0] and count(settings)["events"]:
        raise OfferflowError(
            f"the topics {settings.topic('raw.*')} on {settings.kafka.bootstrap_servers} hold records already;"
            " give the demo topics of its own: OFFERFLOW_TOPIC_PREFIX=demo."
        )


def _command(module: str, *arguments: str, settings: Settings | None = None) -> dict[str, Any]:
    """Run one of our programs as anybody would; returns the JSON it prints."""
    own = {}
    if settings is not None:
        own = {
            "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "OFFERFLOW_TOPIC_PREFIX": settings.topic_prefix,
        }
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments, "--output", "json"],
        cwd=CHECKOUT, env={**environment(), **own}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        command = f"python -m {module} {' '.join(arguments)}"
        raise StackFailed(f"the demo ends here because `{command}` failed, as it says above", done.returncode)
    answer = msgspec.json.decode(done.stdout)
    assert isinstance(answer, dict)  # noqa: S101 - ours
    return answer


def count(settings: Settings) -> dict[str, Any]:
    """Totals of the deployment's topics: raw records of every kind, dead letters by reason, entries and rewards."""
    from offerflow.runtime.kafka.scan import scan
    from offerflow.runtime.topics import RAW
    from schemas.codec import RecordCodec

    letters = RecordCodec.shipped("outputs", "DeadLetter")
    dead, entered, satisfied = map(settings.topic, ("dead-letter", "offer-entry", "reward-satisfied"))
    records: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for record in scan(settings, [*map(settings.topic, RAW), dead, entered, satisfied], "offerflow-demo"):
        topic, value = record.topic(), record.value()
        records[topic] += 1
        if topic == dead and value is not None:
            reasons[letters.decode(value)["reason"]] += 1
    return {
        "events": sum(records[settings.topic(name)] for name in RAW),
        "dead_letters": dict(sorted(reasons.items())),
        "entries": records[entered],
        "rewards": records[satisfied],
    }


def _show(totals: dict[str, Any]) -> None:
    letters = totals["dead_letters"]
    rows: list[tuple[str, int]] = [("events", totals["events"]), ("dead letters", sum(letters.values()))]
    rows += [(f"  {reason}", number) for reason, number in letters.items()]
    rows += [("offer entries", totals["entries"]), ("rewards", totals["rewards"])]
    print_table(("what came of it", "number"), rows)


def _trickle(files: StackFiles) -> None:
    with progress() as say:
        wanted, process = client.start(files, trickle=True)
        ready.wait_ready(files, wanted, process, say)


def _tell(files: StackFiles, described: dict[str, Any]) -> None:
    offerflow = sys.argv[0] if "/" in sys.argv[0] else "offerflow"  # as this command was called
    directory, here = files.root.parent, Path.cwd()
    where = f"--dir {directory.relative_to(here) if directory.is_relative_to(here) else directory}"
    key = described["api_key"]
    if not sys.stderr.isatty():  # a log is no place for it
        key = f"$({offerflow} up --detach --show-key {where} 2>/dev/null | sed -n 's/^api_key *//p')"
    click.echo(f"""
The stack stays up with a trickle of traffic. What to do next:

  export INGEST={described["ingest"]} KEY={key} KAFKA={described["kafka"]}
  curl "$INGEST/v1/events" -H "Authorization: Bearer $KEY" \\
    -d '{{"event": "Account Created", "user_id": "me", "properties": {{"method": "email"}}}}'

  {offerflow} status {where}
  {offerflow} rewards list {where}
  {offerflow} offers results activation-test {where}
  edit deploy/demo/offers/shop.yaml, then: {offerflow} test schemas/events deploy/demo
                                      and: {offerflow} apply deploy/demo {where}
  {offerflow} down {where}

Five minutes from now, as long as the demo waits for what may be late, carts count as abandoned, offers expire, and the
cashback of orders that were not sent back is announced.

Console's API: {described["console"]}, with the schema registry at {described["registry"]}
Logs: {described["logs"]}
Metrics:""", err=True)  # fmt: skip
    for program in client.running(files).programs:
        if program.url:
            click.echo(f"  {program.name:<14}{program.url}/metrics", err=True)


def _remove(files: StackFiles) -> None:
    if stopping.stop(files):
        click.echo("stopped the demo stack", err=True)
    if files.root.is_dir():
        stopping.purge(files)
