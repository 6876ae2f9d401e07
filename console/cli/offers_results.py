"""``offerflow offers results|spend``: what came of an offer's arms, and what they cost besides rewards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.changes import confirm
from console.cli.options import dir_option, output_option, yes_option
from console.cli.output import print_json, print_table
from offerflow.runtime.errors import OfferflowError

if TYPE_CHECKING:
    from console.results.spend import Wrong
    from offerflow.runtime.settings import Settings
    from offerflow.runtime.store.spend import Spent

Definition = dict[str, Any]


@click.command()
@click.argument("offer")
@click.option("--confidence", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of intervals.")
@output_option
@dir_option
def results(offer: str, confidence: float, output: str, directory: Path | None) -> None:
    """Who entered, completed and was rewarded in each arm of OFFER, at what cost, and against the holdout.

    CAC is what one user who completed cost: rewards, less those reversed, and imported spend. Brackets hold confidence
    intervals; docs/results.md says how they are made.
    """
    from console.results import shown
    from console.results.figures import figures
    from console.results.reading import read_results
    from offerflow.runtime.store.engine import open_store
    from offerflow.runtime.store.transactions import reading

    settings = _connected(directory)
    definition, known = _definition(settings, offer)
    with reading(open_store(settings)) as connection:
        read = read_results(connection, offer, definition)
    _must_be_known(offer, read.arms, known)
    found = figures(read.arms, confidence)
    if output == "json":
        arms = [shown.as_json(one) for one in found]
        print_json({"offer": offer, "confidence": confidence, "arms": arms, "notes": read.notes})
        return
    print_table(*shown.table(found))
    click.echo("\n" + "\n".join(shown.conclusions(found)))
    for note in read.notes:
        click.echo(f"note: {note}", err=True)


@click.command()
@click.argument("offer")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@yes_option
@output_option
@dir_option
def spend(offer: str, file: Path | None, yes: bool, output: str, directory: Path | None) -> None:
    """Show what was spent on the arms of OFFER, or replace it with FILE.

    FILE is CSV with the columns arm, amount and currency; others are ignored, rows of an arm are added. It is the whole
    spend of the offer: what was imported before is replaced, and importing it again changes nothing.
    """
    from console.results import shown
    from console.results.reading import arms_of
    from console.workspace.commit import current_author
    from offerflow.runtime.store.engine import open_store
    from offerflow.runtime.store.spend import replace_spend, spent_on
    from offerflow.runtime.store.transactions import reading, writing

    settings = _connected(directory)
    definition, known = _definition(settings, offer)
    engine = open_store(settings)
    with reading(engine) as connection:
        arms = arms_of(connection, offer, definition)
        before = spent_on(connection, offer)
    _must_be_known(offer, arms, known)
    now = before if file is None else _read(file, list(arms))
    if now != before:
        if before:
            print_table(("arm", "spend", ""), shown.spend_rows(before, now)) if output == "table" else None
            confirm(yes, "Replace what was imported before?")
        with writing(engine) as connection:
            replace_spend(connection, offer, now, current_author("offers spend").name)
    if output == "json":
        print_json({"offer": offer, "before": shown.spend_json(before), "spend": shown.spend_json(now)})
    elif now == before or not before:
        print_table(("arm", "spend", ""), shown.spend_rows(before, now))


def _read(file: Path, arms: Collection[str]) -> Sequence[Spent]:
    from console.results.spend import read_spend

    rows, wrong = read_spend(file, arms)
    if wrong:
        raise _NotImported(file, wrong)
    return sorted((row.arm, row.currency, row.amount) for row in rows)


class _NotImported(OfferflowError):
    def __init__(self, file: Path, wrong: Sequence[Wrong]) -> None:
        lines = "\n".join(f"{file}:{one.line}: {one.message}" for one in wrong)
        super().__init__(f"nothing was imported\n{lines}")


def _connected(directory: Path | None) -> Settings:
    from console.stack.client import connect
    from console.stack.files import StackFiles

    return connect(StackFiles.find(directory))


def _definition(settings: Settings, offer: str) -> tuple[Definition | None, list[str]]:
    """What is in force under the offer's id, and the ids of all offers."""
    from console.workspace.reading import read_catalog
    from console.workspace.state import state_of

    catalog, _ = read_catalog(settings)
    state = state_of(catalog)
    offers = [name.partition("/")[2] for name in state if name.startswith("offer/")]
    return state.get(f"offer/{offer}"), offers


def _must_be_known(offer: str, arms: Collection[str], known: Collection[str]) -> None:
    if not arms:
        from offerflow.rules.nearest import did_you_mean

        raise OfferflowError(f"no offer {offer!r} is defined and nobody was ever in one{did_you_mean(offer, known)}")
