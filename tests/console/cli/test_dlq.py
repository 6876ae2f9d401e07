from __future__ import annotations

import shutil
import sys
from os import terminal_size
from typing import Any

import click
import pytest
from click.testing import CliRunner

from console.cli.dlq import dlq
from console.cli.dlq_options import Rate, selection_of
from console.cli.dlq_table import print_fitting, visible
from console.dead_letters.selection import Range
from offerflow.runtime.settings import Settings

NOTHING: dict[str, Any] = {
    "reason": (), "event": (), "source": (), "field": (), "component": (), "topic": (), "since": None, "until": None
}  # fmt: skip


@pytest.mark.parametrize(("text", "rate"), [("500", 500), ("500/s", 500), ("30/m", 0.5), ("3600/h", 1), ("0.5/s", 0.5)])
def test_rates(text: str, rate: float) -> None:
    """A number a second, a minute or an hour."""
    assert Rate().convert(text, None, None) == rate


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "1/d", "fast", "1e9", "9" * 400])
def test_what_is_no_rate(text: str) -> None:
    """Nothing, never, and words."""
    with pytest.raises(click.BadParameter, match="500/s"):
        Rate().convert(text, None, None)


def test_what_the_options_choose() -> None:
    """Topics may be named without the prefix, letters by coordinates or by id, but not by both."""
    settings = Settings(topic_prefix="of.")
    chosen = selection_of(settings, ("3/1..4", "5/"), **{**NOTHING, "topic": ("raw.sdk", "of.raw.app")})
    assert chosen.topics == {"of.raw.sdk", "of.raw.app"}
    assert chosen.ranges == (Range(3, 1, 4), Range(5))
    assert selection_of(settings, ("ab" * 16,), **NOTHING).ids == {"ab" * 16}
    with pytest.raises(click.BadParameter, match="not both"):
        selection_of(settings, ("ab" * 16, "3/1"), **NOTHING)
    with pytest.raises(click.BadParameter, match="before --since"):
        selection_of(settings, (), **{**NOTHING, "since": 5, "until": 4})


@pytest.mark.parametrize(
    "arguments",
    [["patch"], ["patch", "--patch", "[]", "--patch-file", __file__], ["show"], ["show", "nix"],
     ["replay", "--rate", "0"],
     ["list", "--since", "then"], ["list", "--reason", "bad"], ["stats", "--by", "mood"]],
)  # fmt: skip
def test_usage(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is misspelt is told before anything is read: exit code 2."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(dlq, arguments)
    assert done.exit_code == 2, done.output


def test_what_senders_chose_is_harmless() -> None:
    """Nothing reaches the terminal as a command, and every text stays on its line."""
    assert visible("a\x1b[2J\x9b\nb\tc\ud800ü") == "a\\x1b[2J\\x9b b c\\ud800ü"


def test_tables_fit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole where nobody looks; on a terminal columns give way and the last is cut, coordinates never are."""
    columns = ["at", "reason", "empty", "source", "detail"]
    rows = [["3/120", "unknown_event", None, "shop-backend", "x" * 100], ["3/4", "too_large", "", "日本", "y"]]
    print_fitting(columns, rows, ("source",))
    whole = capsys.readouterr().out.splitlines()
    assert whole[0] == "at     reason         source        detail"
    assert whole[1].endswith("x" * 100)
    assert whole[2] == "3/4    too_large      日本          y"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: terminal_size((50, 20)))
    print_fitting(columns, rows, ("source",))
    fitted = capsys.readouterr().out.splitlines()
    assert fitted[1] == "3/120  unknown_event  " + "x" * 27 + "…"
    assert "source" not in fitted[0]
