"""The root command: instant help, lazy commands, errors in one place."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from console.cli.main import COMMANDS, main
from console.cli.options import Duration
from offerflow.runtime.errors import ConfigError, KafkaDown, OfferflowError, TryAgain


def test_help_lists_every_command_and_imports_none() -> None:
    """``--help`` shows the table and loads neither a command nor any heavy library."""
    code = (
        "import sys; from console.cli.main import main; main(['--help'], standalone_mode=False);"
        " print(sorted(m for m in sys.modules if m.startswith(('console.', 'pydantic', 'rich', 'confluent_kafka'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "['console.cli', 'console.cli.lazy', 'console.cli.main']"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_exists_and_has_help(name: str) -> None:
    """The lazy table names real commands, each with a help text of its own."""
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage:" in done.output


def test_lists_of_commands_are_not_cut() -> None:
    """What each command does can be read on a terminal of 80 columns, in one line each."""

    def lists(command: click.Command, *path: str) -> Iterator[str]:
        if isinstance(command, click.Group):
            told = CliRunner().invoke(main, [*path, "--help"], terminal_width=80).stdout
            yield told.partition("Commands:\n")[2].rstrip("\n")
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from lists(below, *path, name)

    lines = [line for listed in lists(main) for line in listed.splitlines()]
    assert len(lines) > 90
    assert [line for line in lines if "..." in line or len(line) > 80 or not re.match(r"  [a-z]", line)] == []


def test_a_misspelt_command_is_told_its_neighbour() -> None:
    """Usage errors exit with 2 and say what was probably meant."""
    done = CliRunner().invoke(main, ["aply"])
    assert done.exit_code == 2
    assert "Did you mean 'apply'?" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(OfferflowError("a"), 1), (KafkaDown("b"), 69), (TryAgain("c"), 75), (ConfigError("d"), 78)],
)
def test_errors_become_one_line_and_their_exit_code(
    error: OfferflowError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a command raises of our tree is told on stderr without a traceback; stdout stays empty."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr("console.cli.stack.status", failing)
    done = CliRunner().invoke(main, ["status"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"error: {error}\n")


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("0s", 0), ("1d", 86_400), ("1d12h", 129_600), ("2w", 1_209_600)]
)
def test_durations(text: str, seconds: float) -> None:
    """As in definitions."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-3s", "90", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything else is a usage error that shows how to write one; a number says no unit."""
    with pytest.raises(click.BadParameter, match="expected a duration such as 45s, 90m"):
        Duration().convert(text, None, None)
