"""``offerflow user``: what the rules know of one user, and why they did or did not get an offer."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.cli.tables import visible
from console.explained.text import offer_lines, when
from console.explained.user import user_json, user_lines
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.reading import read_catalog
from offerflow.rules.nearest import did_you_mean
from schemas.envelope import MAX_ID
from schemas.user_state import UserReader, UserState, entity_of


@click.group()
def user() -> None:
    """Look a user up: what is known, and why they did or did not get an offer.

    USER is a user's id; a:ID is an anonymous visitor, and u:ID a user whose id itself begins with a: or u:.
    """


@user.command(short_help="What the rules know of USER: offers, rewards, traits, timers.")
@click.argument("who", metavar="USER")
@output_option
@dir_option
def show(who: str, output: str, directory: Path | None) -> None:
    """Show what the rules know of USER: offers, rewards, traits, and when the next timer fires."""
    with _read(who, directory) as (found, behind):
        if output == "json":
            print_json(user_json(found, behind))
            return
        for line in user_lines(found):
            click.echo(line)
        told = user_json(found, behind)
        _refer(found, bool(told["forgotten"]))


@user.command("explain", short_help="Explain where USER stands with OFFER, or with every offer.")
@click.argument("who", metavar="USER")
@click.argument("offer", required=False)
@output_option
@dir_option
def explain_user(who: str, offer: str | None, output: str, directory: Path | None) -> None:
    """Explain where USER stands with OFFER, or with every offer: what counts so far and what is missing."""
    with _read(who, directory) as (found, behind):
        explained = found.explain(offer, int(time.time() * 1000))
        if not explained and offer is not None:
            known = sorted(found.rules.ruleset.offers)
            near = did_you_mean(offer, known) or f"; there are {', '.join(known) or 'none'}"
            raise click.UsageError(f"there is no offer {offer!r}{near}")
        if output == "json":
            print_json({"user": found.entity, "behind": behind, "ruleset": found.ruleset, "offers": explained})
            return
        if found.state is None:
            click.echo(f"The rules know nothing of {found.entity!r} yet.", err=True)
        for one in explained:
            for line in offer_lines(one, found.entity[2:], when, recorded=True):
                click.echo(line)
        _refer(found, any(one.forgotten for one in explained))


def _refer(found: UserState, forgotten: bool) -> None:
    """To whoever still knows what the rules have forgotten; visitors are given no rewards."""
    if forgotten and found.entity.startswith("u:"):
        user_id = visible(shlex.quote(found.entity[2:]))
        click.echo(f"Rewards of runs no longer kept here: offerflow rewards list --user {user_id}", err=True)


def _check(who: str) -> None:
    """Whether somebody could be called that. Raises UsageError."""
    name = entity_of(who)[2:]
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise click.UsageError(f"USER: {visible(ascii(who))} is not UTF-8")
    if not 1 <= len(name) <= MAX_ID:
        got = f"{len(name)} characters" if name else "none"
        raise click.UsageError(f"USER: expected an id of 1 to {MAX_ID} characters, got {got}")


@contextmanager
def _read(who: str, directory: Path | None) -> Iterator[tuple[UserState, int]]:
    """The user, and how far behind the partition is, which is told where it is."""
    _check(who)
    settings = connect(StackFiles.find(directory))
    catalog, _ = read_catalog(settings)
    reader = UserReader(settings)
    try:
        found = reader.read(catalog, who)
        behind = reader.behind(found)
        if behind:
            click.echo(
                f"The rules are {behind} offsets behind in partition {found.partition}; newer events do not show yet.",
                err=True,
            )
        yield found, behind
    finally:
        reader.close()
