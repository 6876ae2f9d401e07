"""``offerflow state``: where the stages stand, adopting what a person has judged, and folding states anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from console.cli.options import dir_option, follow_up, output_option
from console.cli.output import print_json, progress
from console.cli.state_table import print_adoptions, print_standings, print_tasks
from console.stack.client import connect
from console.stack.files import StackFiles
from console.state.adopting import Adoption, adopt, plan_adoption
from console.state.rebuilding import Task, plan_rebuild, rebuild
from console.state.standing import RULES, STAGES, Stage, Standing, look
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.settings import Settings

partition_option = click.option(
    "--partition", "partitions", type=click.IntRange(min=0), multiple=True, metavar="N",
    help="Only this one; may be given again.",
)  # fmt: skip
stage_option = click.option(
    "--stage", type=click.Choice(STAGES), default=RULES, show_default=True, help="Whose positions."
)
topic_option = click.option(
    "--topic", "topics", multiple=True, metavar="NAME", help="Only this input, such as raw.backend; may be given again."
)
yes_option = click.option("--yes", is_flag=True, help="Do it; without it only what would be done is shown.")


@click.group()
def state() -> None:
    """Show where every partition stands, adopt what workers refuse, fold states anew.

    Nothing changes without --yes, and nothing can while workers of the stage run.
    """


@state.command(short_help="What log, group and Redis say, and what a worker would do.")
@stage_option
@topic_option
@partition_option
@output_option
@dir_option
def show(stage: str, topics: tuple[str, ...], partitions: tuple[int, ...], output: str, directory: Path | None) -> None:
    """What the log, the group and Redis say of each partition, and what a worker would do that claimed it now.

    Safe beside workers: numbers then are of slightly different moments. Exit 1 if a claim would be refused.
    """
    found = look(connect(StackFiles.find(directory)), stage, topics, partitions)
    if output == "json":
        print_json({
            "stage": stage, "group": found.group, "members": found.members,
            "partitions": [_standing_json(one) for one in found.standings],
        })  # fmt: skip
    else:
        print_standings(found)
        click.echo(f"group {found.group} has {', '.join(found.members) or 'no members'}", err=True)
        if found.refused:
            click.echo(f"`{follow_up('state adopt')}` shows what going on all the same would mean", err=True)
    if found.refused:
        raise click.exceptions.Exit(1)


@state.command("adopt", short_help="Make workers go on where they refuse, once you know why.")
@stage_option
@topic_option
@partition_option
@click.option(
    "--position", metavar="WHERE",
    help="Up to where records count as worked off: an offset, or committed, redis, start, end.",
)  # fmt: skip
@click.option("--anew", is_flag=True, help="Drop what Redis has, so that states are folded from the beginning.")
@yes_option
@output_option
@dir_option
def adopt_refused(
    stage: str, topics: tuple[str, ...], partitions: tuple[int, ...], position: str | None, anew: bool, yes: bool,
    output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Make workers go on where they refuse, once a person knows what happened: the only override there is.

    Commits a position, and lets what Redis holds belong to the journal, cluster and group that are there now. Per
    partition it says what is wrong, and what going on takes for granted: read that before adding --yes. Where outputs
    could be lost or doubled by it, no tool can know; restoring what was lost comes first (docs/backups.md).
    """
    if anew and stage != RULES:
        raise click.UsageError(f"--anew is about states in Redis, and the stage {stage} keeps none")
    files = StackFiles.find(directory)
    settings = connect(files)
    found = look(settings, stage, topics, partitions)
    if position is not None and position.isdigit() and len(found.refused) > 1:
        raise click.UsageError(
            f"--position {position} would be that of {len(found.refused)} partitions; choose one with --partition"
            + (" and --topic" if stage != RULES else "")
        )
    planned = [plan_adoption(one, position, anew=anew) for one in found.standings]
    adoptions = [one for one in planned if one is not None]
    if yes:
        with _told_how_to_stop(files, settings, stage):
            adopt(settings, found, adoptions)
    if output == "json":
        print_json({"stage": stage, "adopted": yes, "partitions": [_adoption_json(one) for one in adoptions]})
        return
    print_adoptions(stage, adoptions)
    if not adoptions:
        click.echo("nothing to adopt: workers would go on with every partition")
    elif yes:
        started = f": `{_workers(files, stage, 1)}`" if _is_local(files, settings) else ""
        several = "s" if len(adoptions) != 1 else ""
        click.echo(f"adopted {len(adoptions)} partition{several}; start the workers{started}")
    else:
        with _told_how_to_stop(files, settings, stage):
            _not_done(found)


@state.command("rebuild", short_help="Drop the states in Redis and fold them anew from the journal.")
@partition_option
@click.option("--on", is_flag=True, help="Carry on from what Redis has, say a restored backup, instead of dropping it.")
@click.option("--processes", type=click.IntRange(min=1), help="How many partitions at once. Default: one per core.")
@yes_option
@output_option
@dir_option
def rebuild_states(
    partitions: tuple[int, ...], on: bool, processes: int | None, yes: bool, output: str, directory: Path | None
) -> None:
    """Drop the states in Redis and fold them anew from the journal, many partitions at once.

    Nothing is announced and no offset moves. It may be interrupted: what is folded stands, and workers, or --on, carry
    on from there. Workers do the same when they find Redis empty; this is for doing it faster, or after Redis holds
    what `offerflow verify --state` found wrong.
    """
    files = StackFiles.find(directory)
    settings = connect(files)
    found = look(settings, RULES, (), partitions)
    tasks = plan_rebuild(found, on=on)
    if yes:
        with _told_how_to_stop(files, settings, RULES), progress() as say:
            rebuild(settings, found, tasks, processes or os.cpu_count() or 1,
                    lambda done, total: say("folding the journal", (done, total)))  # fmt: skip
    if output == "json":
        print_json({"rebuilt": yes, "partitions": [_task_json(one) for one in tasks]})
        return
    print_tasks(tasks)
    if not tasks:
        click.echo("nothing to fold: Redis stands where the journal is committed")
    elif yes:
        click.echo(f"folded {len(tasks)} partition{'s' if len(tasks) != 1 else ''}")
    else:
        with _told_how_to_stop(files, settings, RULES):
            _not_done(found)


@contextmanager
def _told_how_to_stop(files: StackFiles, settings: Settings, stage: str) -> Iterator[None]:
    """Whatever waits for the workers to be gone says how those of a local stack go, and come back."""
    try:
        yield
    except TryAgain as error:
        if not _is_local(files, settings):
            raise
        raise TryAgain(
            f"{error}\nThe local stack's stop with `{_workers(files, stage, 0)}`, and start again with"
            f" `{_workers(files, stage, 1)}`"
        ) from None


def _is_local(files: StackFiles, settings: Settings) -> bool:
    """Whether the workers are those of a local stack."""
    found = files.state() if files.supervised() else None
    return found is not None and (found.kafka, found.topic_prefix) == (
        settings.kafka.bootstrap_servers, settings.topic_prefix,
    )  # fmt: skip


def _workers(files: StackFiles, stage: str, least: int) -> str:
    """The command that stops the workers of a stage (``least`` 0), or has as many as there are to be, one at least."""
    wanted = files.wanted()
    number = 0 if not least or wanted is None else wanted.rules if stage == RULES else wanted.validation
    return follow_up(f"up --detach --{stage}-workers {max(least, number)}")


def _not_done(stage: Stage) -> None:
    """Ends a look. Raises TryAgain where the deed would, so that a script sees it beforehand."""
    click.echo("nothing was done; add --yes to do it", err=True)
    if stage.members:
        raise TryAgain(
            f"--yes would refuse now: group {stage.group} has members ({', '.join(stage.members)}); stop the"
            f" {stage.name} workers first"
        )


def _refusal_json(one: Standing) -> dict[str, str] | None:
    return None if one.refusal is None else {"reason": one.refusal.reason, "why": str(one.refusal)}


def _standing_json(one: Standing) -> dict[str, Any]:
    meta = one.meta
    kept = None if meta is None else {
        "next": meta.next, "dirty": meta.dirty is not None, "layout": meta.layout, "topic_id": meta.topic_id,
        "cluster_id": meta.cluster_id, "group": meta.group, "partitions": meta.partitions,
    }  # fmt: skip
    known = one.committed
    return {
        "topic": one.place[0], "partition": one.place[1], "topic_id": one.topic.id, "start": one.start, "end": one.end,
        "committed": None if known is None else {"offset": known.offset, "metadata": known.metadata},
        "redis": kept, "claim": one.claim, "refusal": _refusal_json(one),
    }  # fmt: skip


def _adoption_json(one: Adoption) -> dict[str, Any]:
    return {
        "topic": one.standing.place[0], "partition": one.standing.place[1], "refusal": _refusal_json(one.standing),
        "commit": one.position, "redis": one.meta, "drop": one.drop, "means": list(one.means),
    }  # fmt: skip


def _task_json(one: Task) -> dict[str, Any]:
    return {"partition": one.standing.place[1], "from": one.start, "to": one.to, "dropped": one.anew}
