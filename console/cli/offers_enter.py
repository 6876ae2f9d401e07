"""``offers enter``: users from a file, or one, into an offer that takes entries by systems."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import dir_option, follow_up, output_option, yes_option
from console.cli.output import print_json, progress
from console.cli.paths import told_paths
from console.cli.rewards import source_option
from console.cli.tables import visible
from console.requests.sending import send, source_for
from console.requests.users import User, Wrong, read_users
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.reading import read_catalog
from console.workspace.state import state_of
from offerflow.rules.ids import make_id
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from schemas import asking

_SHOWN = 20


@click.command()
@click.argument("offer")
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
              help="CSV with a header user_id[,key], or a JSON object a line; - is stdin.")  # fmt: skip
@click.option("--user", help="One user.")
@click.option("--key", help="With --user, where the offer tells entries apart by a key.")
@click.option("--name", help="Name of the list (default: that of the file); a user enters once by a list of one name.")
@click.option("--from-line", type=click.IntRange(min=1), default=1, help="Leave out the lines before.")
@click.option("--dry-run", is_flag=True, help="Read and check everything, and send nothing.")
@source_option
@yes_option
@output_option
@dir_option
def enter(
    offer: str, path: Path | None, user: str | None, key: str | None, name: str | None, from_line: int, dry_run: bool,
    source: str | None, yes: bool, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Ask to enter users into OFFER, which needs `entry: {api: true}`.

    The file is checked whole before anything is sent. Each user is asked for under an id made of the offer, the list's
    name, the user and the key: so the same file may be sent again, after an interruption or with more lines, and nobody
    enters twice. To enter the same users once more, give the list another --name. Whether a user gets in is for the
    rules to say: `offerflow offers list`, `offerflow user explain`.
    """
    if (path is None) is (user is None):
        raise click.UsageError("give the users as --file FILE or --user USER")
    settings = connect(StackFiles.find(directory))
    catalog, _ = read_catalog(settings)
    keyed = _keyed(state_of(catalog), offer)
    sender = source_for(settings, catalog, source)
    if path is None:
        data = f"{asking_line(user or '', key)}\n".encode()
        label, title = name or str(uuid.uuid4()), "--user"
    else:
        with told_paths():
            data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        label, title = name or path.stem, str(path)
    users, wrong, repeated = read_users(data, keyed=keyed)
    if wrong:
        raise _Wrong(title, wrong)
    left = [one for one in users if one.line >= from_line]
    counted = {"offer": offer, "list": label, "users": len(users), "repeated": repeated, "asked": 0}
    if output == "table":
        _tell(counted, len(left))
    if not dry_run and left:
        confirm(yes, f"Enter {len(left)} user{'s' if len(left) != 1 else ''} into {visible(offer)}?")
        with progress() as say:
            send(settings, _requests(left, offer, label, sender), lambda at, of: say("asking", (at, of)))
        counted["asked"] = len(left)
    if output == "json":
        print_json(counted)
    elif counted["asked"]:
        click.echo(f"asked for {len(left)}; `{follow_up('offers list')}` counts who got in")


def asking_line(user: str, key: str | None) -> str:
    """One user as a file would have it."""
    import msgspec

    return msgspec.json.encode({"user_id": user, **({} if key is None else {"key": key})}).decode()


def _keyed(state: Mapping[str, Mapping[str, Any]], offer: str) -> bool:
    """Whether the offer tells entries apart by a key. Raises OfferflowError if nobody can enter it so."""
    definition = state.get(f"offer/{offer}")
    if definition is None:
        known = [name.partition("/")[2] for name in state if name.startswith("offer/")]
        raise OfferflowError(f"there is no offer {visible(offer)}{did_you_mean(offer, known)}")
    if not definition["entry"].get("api"):
        raise OfferflowError(f"{offer} is not entered by systems; its definition needs entry: {{api: true}}")
    status = definition.get("status", "live")
    if status != "live" or definition.get("withdraw"):
        raise OfferflowError(f"{offer} is {'withdrawn' if definition.get('withdraw') else status}: nobody would get in")
    return isinstance(definition.get("reentry"), dict)


def _requests(users: Sequence[User], offer: str, label: str, sender: str) -> list[asking.Request]:
    return [
        asking.enter_offer(
            one.user_id, make_id(asking.ENTER_OFFER, offer, label, one.user_id, one.key or ""), sender, offer=offer,
            key=one.key,
        )
        for one in users
    ]  # fmt: skip


def _tell(counted: Mapping[str, Any], left: int) -> None:
    repeated = f", {counted['repeated']} lines repeat others" if counted["repeated"] else ""
    before = f", {counted['users'] - left} before --from-line" if counted["users"] != left else ""
    click.echo(f"{counted['users']} users in list {visible(counted['list'])}{repeated}{before}", err=True)


class _Wrong(OfferflowError):
    def __init__(self, title: str, wrong: Sequence[Wrong]) -> None:
        lines = [f"{title}:{one.line}: {visible(one.message)}" for one in wrong[:_SHOWN]]
        more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        super().__init__("\n".join(["nobody was entered", *lines, *more]))
