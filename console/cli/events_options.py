"""Which events a command is about, and what it needs to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from console.cli.options import Moment

if TYPE_CHECKING:  # what reaches the deployment is imported by whoever does: a command says at once what it is about
    from sqlalchemy import Engine

    from console.events.filters import Wanted
    from console.events.index import Past
    from console.events.live import Live
    from console.events.world import World
    from offerflow.runtime.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
_MANY = "; any number of them."
_OPTIONS = (
    click.option("--user", "users", multiple=True, metavar="ID", help="Only of these users" + _MANY),
    click.option("--anonymous", "visitors", multiple=True, metavar="ID", help="Only of these anonymous ids" + _MANY),
    click.option("--source", "sources", multiple=True, metavar="ID", help="Only from these sources" + _MANY),
    click.option("--event", "events", multiple=True, metavar="NAME", help="Only these events, by any of their names."),
    click.option("--bad", is_flag=True, help="Only what did not get into the journal."),
)

pii_option = click.option("--show-pii", is_flag=True, help="Show the values of pii fields.")
since_option = click.option("--since", type=Moment(), help="Received since then: 2h, 3d, 2026-03-05T10:00:00Z.")
until_option = click.option("--until", type=Moment(), help="Received until then.")


def event_options(command: F) -> F:
    """Passes ``users``, ``visitors``, ``sources``, ``events`` and ``bad``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wanted_of(
    world: World, users: tuple[str, ...], visitors: tuple[str, ...], sources: tuple[str, ...], events: tuple[str, ...],
    *, bad: bool, debug: bool = False,
) -> Wanted:  # fmt: skip
    """What the options describe, for events as they come."""
    from console.events.filters import Wanted

    names = frozenset(name for event in events for name in world.names_of(event))
    return Wanted(frozenset(users), frozenset(visitors), frozenset(sources), names, bad=bad, debug=debug)


def past_of(
    world: World, users: tuple[str, ...], visitors: tuple[str, ...], sources: tuple[str, ...], events: tuple[str, ...],
    since_ms: int | None, until_ms: int | None, *, bad: bool,
) -> Past:  # fmt: skip
    """What the options describe, for events of the past."""
    if since_ms is not None and until_ms is not None and until_ms < since_ms:
        raise click.BadParameter("lies before --since", param_hint="--until")
    from console.events.index import Past

    names = sorted({name for event in events for name in world.names_of(event)})
    return Past(users, visitors, sources, names, since_ms, until_ms, bad)


def settings_of(directory: Path | None) -> Settings:
    """Settings that reach the stack. Raises DependencyDown where there is none."""
    from console.stack.client import connect
    from console.stack.files import StackFiles

    return connect(StackFiles.find(directory))


@contextmanager
def live_of(settings: Settings, *, show_pii: bool = False) -> Iterator[Live]:
    """The deployment, as long as it is looked at."""
    from console.events.live import Live

    live = Live(settings, show_pii=show_pii)
    try:
        yield live
    finally:
        live.close()


@contextmanager
def store_of(settings: Settings) -> Iterator[Engine]:
    """The store, which has the index and the flags."""
    from offerflow.runtime.store.engine import open_store

    engine = open_store(settings)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def store_if_there(settings: Settings) -> Iterator[Engine | None]:
    """The store where the deployment says which it is (the default would make an empty one where one stands) and where
    it answers: for commands to which it only adds."""
    if "url" not in settings.store.model_fields_set:
        yield None
        return
    from offerflow.runtime.errors import StoreDown
    from offerflow.runtime.store.engine import open_store

    try:
        engine = open_store(settings)
    except StoreDown as error:
        click.echo(f"note: {error}", err=True)
        yield None
        return
    try:
        yield engine
    finally:
        engine.dispose()
