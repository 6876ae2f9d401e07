"""The folder that the pages go to. It may hold other files: whatever does not say that it is one of ours stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from offerflow.runtime.errors import OfferflowError

SAID = "Written by `offerflow plan docs`, which overwrites and deletes it."
_MARKS = {".md": f"[//]: # ({SAID})\n\n", ".html": f"<!-- {SAID} -->\n", ".yaml": f"# {SAID}\n"}
_LOOKED_AT = 512
_NAMED = 5


class NotOurs(OfferflowError):
    """Files that somebody else wrote are in the way; nothing was written."""


def marked(name: str, text: str) -> str:
    """``text`` with the line that says whose it is, which no reader of the page sees."""
    mark = _MARKS[Path(name).suffix]
    head, doctype, rest = text.partition("<!doctype html>\n")
    return f"{doctype}{mark}{rest}" if doctype and not head else mark + text


def write_folder(target: Path, texts: Mapping[str, str], force: bool = False) -> list[Path]:
    """Write ``texts`` by their paths below ``target``, and delete pages of ours of events that are no more. Returns
    the files in order. Raises NotOurs if that would overwrite anything else, unless ``force``; OSError."""
    others = [name for name in texts if (target / name).exists() and not _ours(target / name)]
    if others and not force:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise NotOurs(
            f"{target} holds files that `offerflow plan docs` did not write: {', '.join(others[:_NAMED])}{more};"
            " nothing was written. Give another directory, or --force to overwrite them"
        )
    events = target / "events"
    events.mkdir(parents=True, exist_ok=True)
    for old in sorted(events.glob("*.md")):
        if f"events/{old.name}" not in texts and _ours(old):
            old.unlink()
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8", newline="\n")
    return [target / name for name in texts]


def _ours(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return SAID.encode() in content.read(_LOOKED_AT)
