"""``offerflow fuse``: whether validation holds because of a change of the event plan, and letting it go on."""

from __future__ import annotations

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
from offerflow.runtime.settings import Settings
from schemas.announce import rfc3339
from schemas.seen import Share, Snapshot, load_snapshots


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

    This is what workers last wrote beside their counts of events seen: at most some seconds old.
    """
    settings = connect(StackFiles.find(directory))
    workers = _workers(settings)
    if output == "json":
        limits = {"enabled": settings.fuse.enabled, "jump": settings.fuse.jump, "min_events": settings.fuse.min_events}
        print_json({"workers": workers, "limits": limits})
    else:
        _print(workers)
    if any(worker["state"] == "holding" for worker in workers):
        raise click.exceptions.Exit(1)


@fuse.command()
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def release(timeout: float, yes: bool, output: str, directory: Path | None) -> None:
    """Have validation go on under the present event plan, whatever becomes a dead letter under it.

    It is released until the plan or the sources change again. `offerflow rulesets rollback` goes back instead.
    """
    settings = connect(StackFiles.find(directory))
    holding = [worker for worker in _workers(settings) if worker["state"] == "holding"]
    for worker in holding:
        click.echo(f"{worker['worker']}: {worker['why']}", err=True)
    if not holding:
        click.echo("No worker holds at the moment; this would keep the fuse off until the plan changes.", err=True)
    with CatalogWriter(settings) as writer:
        head = writer.catalog.records.get("head")
        if head is None:
            click.echo("Nothing was ever applied, so there is nothing to release.", err=True)
            raise click.exceptions.Exit(1)
        confirm(yes, "Release the fuse?")
        serial = writer.catalog.head.serial + 1
        released = {**head, "serial": serial, "fuse_released": True}
        change = Change(records={"head": released}, state=state_of(writer.catalog), serial=serial)
        workers = commit(settings, writer, change, current_author("fuse release"), timeout)
    if output == "json":
        print_json({"released": True, "serial": serial, "workers": workers})
    else:
        click.echo(f"Released with serial {serial}; {workers.get('validation', 0)} validation workers go on.")


def _workers(settings: Settings) -> list[dict[str, Any]]:
    """One entry per worker: what it wrote of the partitions that it counted last."""
    by_worker: dict[str, list[Snapshot]] = {}
    for snapshot in load_snapshots(settings).values():
        by_worker.setdefault(snapshot.worker, []).append(snapshot)
    return [_worker(name, by_worker[name]) for name in sorted(by_worker)]


def _worker(name: str, snapshots: list[Snapshot]) -> dict[str, Any]:
    watches = [snapshot.watch for snapshot in snapshots]
    why = next((watch.held for watch in watches if watch.held is not None), None)
    watching = [watch for watch in watches if not watch.over]
    released = any(watch.released for watch in watches)
    sources = sorted({source for watch in watching for source in (*watch.before, *watch.since)})
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
                "since": _sum(watch.since.get(source) for watch in watching),
            }
            for source in sources
        ],
    }


def _sum(shares: Any) -> dict[str, int]:
    known: list[Share] = [share for share in shares if share is not None]
    return {"events": sum(share.events for share in known), "bad": sum(share.bad for share in known)}


def _print(workers: list[dict[str, Any]]) -> None:
    if not workers:
        click.echo("No worker has counted anything yet.")
        return
    rows = []
    for worker in workers:
        first = (
            worker["worker"],
            worker["state"],
            worker["partitions"],
            (worker["changed_at"] or "")[:16].replace("T", " "),
        )
        sources = worker["sources"] or [None]
        for at, source in enumerate(sources):
            shares = (source["source"], _share(source["before"]), _share(source["since"])) if source else ("", "", "")
            rows.append((*(first if not at else ("",) * len(first)), *shares))
    print_table(("worker", "fuse", "partitions", "changed (UTC)", "source", "bad before", "bad since"), rows)
    for worker in workers:
        if worker["why"]:
            click.echo(f"{worker['worker']}: {worker['why']}")


def _share(share: dict[str, int]) -> str:
    return f"{share['bad'] / share['events']:.1%} of {share['events']}" if share["events"] else "no events"
