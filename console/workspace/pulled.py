"""What a folder had from the catalog when they last agreed: the common ancestor by which conflicts are told.

Kept in ``DIR/.pulled``, one file per catalog (a folder may be applied to several deployments), ignored by Git: it
belongs to this copy of the files and to nobody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from console.workspace.definitions import Definition
from console.workspace.state import State
from offerflow.rules.ids import content_hash

FOLDER = ".pulled"


@dataclass(slots=True)
class Base:
    """``serial`` of the release that was pulled or applied last; ``definitions``: name to the hash of its content."""

    serial: int
    definitions: dict[str, str] = field(default_factory=dict)

    def take(self, serial: int, state: State, names: Iterable[str]) -> None:
        """From now on the folder agrees with ``state`` on ``names``."""
        self.serial = serial
        for name in names:
            if name in state:
                self.definitions[name] = content_hash(state[name])
            else:
                self.definitions.pop(name, None)


class Bases:
    """The bases of the folders that are applied together. A folder inside a pulled one counts as it."""

    def __init__(self, roots: Sequence[Path], catalog_id: str) -> None:
        self._catalog_id = catalog_id
        self._bases: dict[Path, Base] = {}
        for root in roots:
            for folder in (root.resolve(), *root.resolve().parents):
                base = read_base(folder, catalog_id)
                if base is not None:
                    self._bases[folder] = base
                    break

    def of(self, name: str, definition: Definition | None) -> Base | None:
        """What to compare ``name`` with: the base of the folder of its file, or of what ``--prune`` removes that of any
        folder that knew it. None if there is none."""
        if definition is not None:
            file = Path(definition.document.file).resolve()
            return next((base for folder, base in self._bases.items() if file.is_relative_to(folder)), None)
        knowing = [base for base in self._bases.values() if name in base.definitions]
        return next(iter([*knowing, *self._bases.values()]), None)

    def agree(self, serial: int, state: State, defined: Mapping[str, Definition], removed: Iterable[str]) -> None:
        """Remember that the catalog's ``state`` is what the folders define, and that ``removed`` is gone."""
        gone = list(removed)
        for folder, base in self._bases.items():
            mine = [name for name, definition in defined.items() if self.of(name, definition) is base]
            base.take(serial, state, [*mine, *gone])
            write_base(folder, self._catalog_id, base)


def read_base(folder: Path, catalog_id: str) -> Base | None:
    """None if the folder was never pulled from this catalog; also, and told, if what it remembers cannot be read."""
    path = _file(folder, catalog_id)
    try:
        value = json.loads(path.read_text("utf-8"))
        return Base(int(value["serial"]), dict(value["definitions"]))
    except (FileNotFoundError, NotADirectoryError):  # a single file has no folder of its own
        return None
    except (ValueError, KeyError, TypeError):
        told = "it cannot be read, so this is treated as a folder that was never pulled; pull it again"
        click.echo(f"warning: {path}: {told}", err=True)
        return None


def write_base(folder: Path, catalog_id: str, base: Base) -> None:
    """Whole or not at all, as it may be read by another command at the same time."""
    path = _file(folder, catalog_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n", "utf-8")
    text = json.dumps({"serial": base.serial, "definitions": dict(sorted(base.definitions.items()))}, indent=1)
    new = path.with_suffix(".new")
    new.write_text(text + "\n", "utf-8")
    new.replace(path)


def _file(folder: Path, catalog_id: str) -> Path:
    # Kafka writes ids in base 64, of which a file name cannot hold every digit.
    return folder / FOLDER / f"catalog-{catalog_id.replace('/', '_')}.json"
