"""``offerflow rewards``: what was earned and what became of it, as the history has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import dir_option, follow_up, output_option, yes_option
from console.cli.output import print_json
from console.cli.tables import print_fitting, visible
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.outcomes import FULFILLED, SATISFIED, STATES
from offerflow.runtime.store.reward_list import Incomplete, Reward, Wanted, find_reward, list_rewards, unrewarded
from offerflow.runtime.store.transactions import reading
from schemas import asking
from schemas.announce import rfc3339

_COLUMNS = ("id", "state", "satisfied (UTC)", "hold", "user", "value", "reward", "offer", "variant")
_BELOW = 5
"""Columns from the user on: an id leaves them no room on a line of 80."""
_TIMES = ("satisfied_at", "fulfilled_at", "reversed_at")
source_option = click.option("--source", help="The declared source of origin backend that asks.")


@click.group()
def rewards() -> None:
    """Look at rewards, and say what became of them."""


@rewards.command("list", short_help="The rewards that were announced, newest last.")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state; those that are still "
              "pending are nowhere here: see `offerflow user show`.")  # fmt: skip
@click.option("--user", help="Only this user's.")
@click.option("--offer", help="Only those of this offer.")
@click.option("--after", type=click.IntRange(min=0), help="The first ones after this seq, rather than the newest.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many.")
@output_option
@dir_option
def list_command(
    state: str | None, user: str | None, offer: str | None, after: int | None, limit: int, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """The rewards that were announced, newest last; a reward that changes is new again.

    Those of offers on hold are shown too, and marked; the list that systems pull leaves them out. A reward with
    `pending` is announced, and listed, when that time is over; until then `offerflow user show USER` shows it.
    """
    settings = connect(StackFiles.find(directory))
    wanted = Wanted(state, user, offer, after or 0, limit, held=True, newest=after is None)
    with reading(open_store(settings)) as connection:
        try:
            found = list_rewards(connection, wanted).rewards
            waiting = 0 if found or state not in (None, SATISFIED) else unrewarded(connection, wanted)
        except Incomplete:
            raise TryAgain(
                "the history does not hold everything yet, so a reward could look as if it were still to be paid; is"
                " its program running (`offerflow status`, python -m consumers.history)?"
            ) from None
    if output == "json":
        print_json(found)
        return
    if not found:
        _tell_none(waiting)
        return
    print_fitting(_COLUMNS, [_row(one) for one in found], droppable=("hold", "satisfied (UTC)"), below=_BELOW)


@rewards.command(short_help="One reward: its worth, what became of it, and why.")
@click.argument("reward_id", metavar="ID")
@output_option
@dir_option
def show(reward_id: str, output: str, directory: Path | None) -> None:
    """One reward: what it is worth, what became of it, and the events that decided it."""
    found = _find(connect(StackFiles.find(directory)), reward_id)
    if output == "json":
        print_json(found)
        return
    told: dict[str, object] = {
        name: value for name, value in found.items()
        if value not in (None, {}, False) and name not in ("evidence", "evidence_count", "currency", "seq")
    }  # fmt: skip
    told |= {name: rfc3339(found[name]) for name in _TIMES if found[name] is not None}
    if found["value"] is not None:
        told["value"] = _value(found)
    if found["attributes"]:
        told["attributes"] = ", ".join(f"{name}={value}" for name, value in found["attributes"].items())
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' '):14} {visible(str(value))}")
    click.echo(f"{'evidence':14} {found['evidence_count']} event{'s' if found['evidence_count'] != 1 else ''}")
    for item in found["evidence"]:
        click.echo(f"  {rfc3339(item['time'])}  {visible(item['event'])}  {visible(item['event_id'])}")


@rewards.command()
@click.argument("reward_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--by", help="Who paid it out (default: you).")
@source_option
@yes_option
@output_option
@dir_option
def fulfil(
    reward_ids: tuple[str, ...], by: str | None, source: str | None, yes: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Say that rewards were paid out. Only what is satisfied can be."""
    from console.workspace.commit import current_author
    from offerflow.rules.ids import make_id

    who = by or current_author("rewards fulfil").name

    def request(reward: Reward, sender: str) -> asking.Request:
        event_id = make_id(asking.FULFIL_REWARD, reward["id"], who)
        return asking.fulfil_reward(reward["user_id"], event_id, sender, reward["id"], who)

    _ask(directory, reward_ids, (SATISFIED,), request, "say of", "that it was paid out", source, yes, output)


@rewards.command()
@click.argument("reward_ids", metavar="ID...", nargs=-1, required=True)
@source_option
@yes_option
@output_option
@dir_option
def reverse(
    reward_ids: tuple[str, ...], source: str | None, yes: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Take rewards back, satisfied or paid out. There is no way to give them again."""
    from offerflow.rules.ids import make_id

    def request(reward: Reward, sender: str) -> asking.Request:
        event_id = make_id(asking.REVERSE_REWARD, reward["id"])
        return asking.reverse_reward(reward["user_id"], event_id, sender, reward["id"])

    _ask(directory, reward_ids, (SATISFIED, FULFILLED), request, "take back", "", source, yes, output)


def _ask(
    directory: Path | None, reward_ids: tuple[str, ...], states: tuple[str, ...], request: Any, verb: str, end: str,
    source: str | None, yes: bool, output: str,
) -> None:  # fmt: skip
    """All of them or none: what cannot be is told first."""
    from console.requests.sending import send, source_for
    from console.workspace.reading import read_catalog

    settings = connect(StackFiles.find(directory))
    found = [_find(settings, reward_id) for reward_id in dict.fromkeys(reward_ids)]
    wrong = [one for one in found if one["state"] not in states]
    if wrong:
        said = "; ".join(f"{one['id']} is {one['state']}" for one in wrong)
        raise OfferflowError(f"{said}; expected {' or '.join(states)}. Nothing was asked for")
    catalog, _ = read_catalog(settings)
    sender = source_for(settings, catalog, source)
    what = f"{len(found)} reward{'s' if len(found) != 1 else ''}"
    if output == "table" and not yes:
        print_fitting(_COLUMNS, [_row(one) for one in found], droppable=("hold", "satisfied (UTC)"), below=_BELOW)
    confirm(yes, " ".join(part for part in (verb.capitalize(), what, end) if part) + "?")
    requests = [request(one, sender) for one in found]
    send(settings, requests)
    if output == "json":
        print_json([{"id": one["id"], "event_id": asked.event_id} for one, asked in zip(found, requests, strict=True)])
    else:
        click.echo(f"asked for {what}; `{follow_up('rewards show ID')}` tells when it is done")


def _tell_none(waiting: int) -> None:
    """``waiting``: completions that no reward was announced for."""
    pending = f"one that is still pending is not announced yet: `{follow_up('user show USER')}` shows it"
    said = f"{waiting} completion{'s have' if waiting != 1 else ' has'} none announced" if waiting else ""
    why = " (pending, refunded while it was, or of an offer that gives none)" if waiting else ""
    click.echo("; ".join(part for part in ("no rewards match", said + why, pending) if part), err=True)


def _find(settings: Settings, reward_id: str) -> Reward:
    with reading(open_store(settings)) as connection:
        found = find_reward(connection, reward_id)
    if found is None:
        newest = follow_up("rewards list")
        raise OfferflowError(f"there is no reward {visible(reward_id)}; `{newest}` shows the newest")
    return found


def _row(reward: Reward) -> tuple[object, ...]:
    return (
        reward["id"], reward["state"], rfc3339(reward["satisfied_at"])[:16].replace("T", " "),
        "on hold" if reward["on_hold"] else "", reward["user_id"], _value(reward), reward["reward"], reward["offer"],
        reward["variant"],
    )  # fmt: skip


def _value(reward: Reward) -> str:
    return f"{reward['value']} {reward['currency']}" if reward["value"] is not None else ""
