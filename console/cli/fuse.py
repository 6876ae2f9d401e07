"""``offerflow fuse``: whether validation holds because of a change of the event plan, and letting it go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json, print_table
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.change import Change
from console.workspace.commit import commit, current_author
from console.workspace.state import state_of
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.positions import raw_topics
from offerflow.runtime.settings import Settings
from schemas.announce import rfc3339
from schemas.seen import Share, Snapshot, load_snapshots

NOBODY = "(nobody)"
"""Stands where partitions hold whose worker left: whoever takes them over holds as well."""


@click.group()
def fuse() -> None:
    """Look at the fuse of validation, and release it.

    After a change of the event plan or of the sources, validation compares the share of events that become dead
    letters with the share before. If it jumped for every source that can be compared, the change is to blame:
    validation holds before it writes more of them.
    """


@fuse.command()
@output_option
@dir_option
def show(output: str, directory: Path | None) -> None:
    """Whether each worker holds or watches, and the shares it compares. Exits with 1 if one holds.

    This is what the workers of now wrote beside their counts of events seen: at most some seconds old.
    """
    settings = connect(StackFiles.find(directory))
    workers = _workers(settings)
    if output == "json":
        limits = {"enabled": settings.fuse.enabled, "jump": settings.fuse.jump, "min_events": settings.fuse.min_events}
        print_json({"workers": workers, "limits": limits})
    else:
        _print(workers)
    if _holding(workers):
        raise click.exceptions.Exit(1)


@fuse.command(short_help="Let validation go on under the present event plan.")
@click.option("--force", is_flag=True, help="Also while no worker holds: the fuse is off until the next change.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def release(force: bool, timeout: float, yes: bool, output: str, directory: Path | None) -> None:
    """Have validation go on under the present event plan, whatever becomes a dead letter under it.

    It is released until the plan or the sources change again. `offerflow rulesets rollback` goes back instead.
    """
    settings = connect(StackFiles.find(directory))
    holding = _holding(_workers(settings))
    for worker in holding:
        click.echo(f"{worker['worker'] or NOBODY}: {worker['why']}", err=True)
    with CatalogWriter(settings) as writer:
        head = writer.catalog.records.get("head")
        why_not = _why_not(head, bool(holding), force)
        if head is None or why_not is not None:
            click.echo(f"Nothing to release: {why_not}.", err=True)
            if output == "json":
                print_json({"released": False, "serial": writer.catalog.head.serial, "workers": {}})
            return
        confirm(yes, "Release the fuse?")
        serial = writer.catalog.head.serial + 1
        released = {**head, "serial": serial, "fuse_released": True}
        change = Change(records={"head": released}, state=state_of(writer.catalog), serial=serial)
        workers = commit(settings, writer, change, current_author("fuse release"), timeout)
    if output == "json":
        print_json({"released": True, "serial": serial, "workers": workers})
        return
    number = workers.get("validation", 0)
    on = f"{number} validation worker{'s go' if number != 1 else ' goes'} on" if number else "no worker is running"
    click.echo(f"Released with serial {serial}; {on}.")


def _why_not(head: Mapping[str, Any] | None, holds: bool, force: bool) -> str | None:
    """Why a release would change nothing that anybody wants changed."""
    if head is None:
        return "nothing was ever applied"
    if holds:
        return None
    if head.get("fuse_released"):
        return "the fuse is released already, until the plan or the sources change"
    return None if force else "no worker holds (--force switches the fuse off until the plan or the sources change)"


def _holding(workers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [worker for worker in workers if worker["state"] == "holding"]


def _workers(settings: Settings) -> list[dict[str, Any]]:
    """One entry per worker that is a member now, and one for nobody if what those who left wrote still holds."""
    members = set(Admin(settings).members(settings.group("validation")))
    return workers_of(members, load_snapshots(settings), raw_topics(settings))


def workers_of(
    members: Iterable[str], snapshots: Mapping[Place, Snapshot], topics: Iterable[str]
) -> list[dict[str, Any]]:
    """``topics``: those that are read. What lies in ``events-seen`` of others is of no worker any more."""
    by_worker: dict[str | None, list[Snapshot]] = {name: [] for name in sorted(members)}
    read = set(topics)
    left: list[Snapshot] = []
    for (topic, _), snapshot in snapshots.items():
        if topic in read:
            by_worker.get(snapshot.worker, left).append(snapshot)
    if any(snapshot.watch.held is not None for snapshot in left):
        by_worker[None] = left
    return [_worker(name, of) for name, of in by_worker.items()]


def _worker(name: str | None, snapshots: list[Snapshot]) -> dict[str, Any]:
    watches = [snapshot.watch for snapshot in snapshots]
    why = next((watch.held for watch in watches if watch.held is not None), None)
    watching = [watch for watch in watches if not watch.over]
    released = any(watch.released for watch in watches)
    sources = sorted({source for watch in watching for source in (*watch.before, *watch.since, *watch.pending)})
    return {
        "worker": name,
        "state": "holding" if why is not None else "watching" if watching else "released" if released else "quiet",
        "why": why,
        "partitions": len(snapshots),
        "changed_at": rfc3339(max(watch.changed_at for watch in watching)) if watching else None,
        "sources": [
            {
                "source": source,
                "before": _sum(watch.before.get(source) for watch in watching),
                "since": _sum(part.get(source) for watch in watching for part in (watch.since, watch.pending)),
            }
            for source in sources
        ],
    }


def _sum(shares: Iterable[Share | None]) -> dict[str, int]:
    known = [share for share in shares if share is not None]
    return {"events": sum(share.events for share in known), "bad": sum(share.bad for share in known)}


def _print(workers: list[dict[str, Any]]) -> None:
    if all(worker["worker"] is None for worker in workers):
        click.echo("No validation worker is running.")
    if not workers:
        return
    print_table(("worker", "fuse", "partitions", "changed (UTC)"), (
        (worker["worker"] or NOBODY, worker["state"], worker["partitions"],
         (worker["changed_at"] or "")[:16].replace("T", " "))
        for worker in workers
    ))  # fmt: skip
    rows = [
        (worker["worker"] or NOBODY, source["source"], _share(source["before"]), _share(source["since"]))
        for worker in workers
        for source in worker["sources"]
    ]
    if rows:
        click.echo()
        print_table(("worker", "source", "bad before", "bad since"), rows)
    for worker in _holding(workers):
        click.echo(f"\n{worker['worker'] or NOBODY}: {worker['why']}")


def _share(share: dict[str, int]) -> str:
    return f"{share['bad'] / share['events']:.1%} of {share['events']}" if share["events"] else "no events"
