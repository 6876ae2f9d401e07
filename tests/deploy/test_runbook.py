"""The runbook: a section for everything a worker can refuse or hold for, and every command it names exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from console.cli.main import main
from consumers.validation import hold
from offerflow.runtime.claims import _STRANGERS
from offerflow.runtime.guards import IDENTITY
from offerflow.runtime.redis.faults import _ADVICE

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
COMPILING = ROOT / "offerflow" / "rules"
"""Refuses what people write, with an error of its own that has the same name."""


def _refused() -> Iterator[tuple[Path, ast.expr]]:
    """The first argument of every ``Refused(…)`` of the programs, with its file."""
    for package in ("offerflow", "schemas", "consumers"):
        for path in (ROOT / package).rglob("*.py"):
            if COMPILING in path.parents:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                    yield path, node.args[0]


def reasons() -> set[str]:
    """Every reason that a worker can give. Those of a foreign state stand in a table of offerflow.runtime.claims."""
    assert set(_STRANGERS) == set(IDENTITY)
    given = {reason.value for _, reason in _refused() if isinstance(reason, ast.Constant)}
    named = [path.name for path, reason in _refused() if not isinstance(reason, ast.Constant)]
    assert named == ["claims.py"], named
    return {*map(str, given), *(reason for reason, _ in _STRANGERS.values()), *hold._REASONS.values(), "fuse"}


def test_every_reason_has_a_section() -> None:
    """Whoever is woken by a reason finds it, and no section is left of a reason that is gone."""
    assert set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)) == reasons()


def test_every_fault_of_redis_has_a_row() -> None:
    """The table has the labels of ``offerflow_redis_errors_total``, all of them."""
    table = RUNBOOK[RUNBOOK.index("## Redis") :]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(_ADVICE)


def test_commands_exist() -> None:
    """Nobody is told in the night to run what is not there."""
    named = set(re.findall(r"`offerflow ([a-z -]+?)(?: --[^`]*)?`", RUNBOOK))
    assert {"state show", "state adopt", "state rebuild", "topics create"} <= named
    context = click.Context(main)
    for words in named:
        command: click.Command | None = main
        for word in words.split():
            assert isinstance(command, click.Group), words
            command = command.get_command(context, word)
        assert command is not None, words


def test_links_lead_somewhere() -> None:
    """Files and sections that the runbook and the alerts point to are there."""
    for page in ("runbook.md", "alerts.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for file, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text):
            target = ROOT / "docs" / (file or page)
            assert target.exists(), (page, file)
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, (page, anchor)
