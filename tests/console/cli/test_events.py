"""The events commands: what is misspelt, and how events look on a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from console.cli.events import _COMMANDS, events
from console.cli.events_funnel import _span
from console.cli.events_list import meant
from console.cli.events_table import comparison, header, line
from console.events.arrivals import Arrivals
from console.events.comparing import compare
from console.events.verdicts import VALID, Verdict
from tests.console.dead_letters.letters import letter
from tests.console.events.events import Raw, envelope, judged, world


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_exists_and_has_help(name: str) -> None:
    """The lazy table names real commands."""
    done = CliRunner().invoke(events, [name, "--help"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tail", "--no-follow"], "say --since when"), (["tail", "--since", "then"], "is no time"),
        (["funnel", "Bought"], "two events or more"), (["funnel"], "Missing argument"),
        (["debug", "on"], "say whom"), (["debug", "on", "--user", "u", "--device", "d"], "say whom"),
        (["debug", "on", "--user", "u", "--for", "0s"], "more than 0s"), (["debug", "off"], "say whom"),
        (["show"], "Missing argument"), (["list", "--limit", "0"], "0 is not in the range"),
        (["send", "Bought"], "say whose event it is"), (["send"], "say which EVENT"),
        (["tial"], "Did you mean 'tail'?"),
    ],
)  # fmt: skip
def test_usage(arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is misspelt is told before anything is read: exit code 2."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(events, arguments)
    assert done.exit_code == 2, done.output
    assert said in done.output


def event(**properties: Any) -> Verdict:
    """A valid purchase by somebody with a long id."""
    arrival, stored = judged(Raw(envelope(user_id="u" * 30, event_id="e", properties={"amount": 1, **properties})))
    return Verdict(VALID, arrival, stored, note="an odd\nnote " * 12)


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_line_is_whole_where_nobody_looks() -> None:
    """Scripts get everything on one line."""
    text = line(event())
    assert text.startswith("10:00:00.000  ")
    assert "u" * 30 in text
    assert "\n" not in text
    assert "odd\\nnote" in text


def test_a_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ids nor reasons are cut: what does not fit goes on below, by its name, and then the detail."""
    narrow(monkeypatch)
    bad = event()
    bad.verdict = "rule_of_plan_violation"
    for first, *below in (line(event()).splitlines(), line(bad).splitlines()):
        assert "u" * 30 in first
        assert len(click.unstyle(first)) <= 80
        assert below
        assert all(len(text) <= 80 for text in below)
    assert "rule_of_plan_violation" in line(bad)
    assert header().startswith("time (UTC)")
    assert len(header()) <= 80
    long = event()
    assert long.stored is not None
    long.stored.meta["source"] = "s" * 39
    first, second, *_ = line(long).splitlines()
    assert "u" * 30 in first
    assert second == "    source " + "s" * 39
    monkeypatch.setenv("COLUMNS", "50")
    assert line(long).splitlines()[1:3] == [f"    who {'u' * 30}", f"    source {'s' * 39}"]
    monkeypatch.setenv("COLUMNS", "120")
    assert "u" * 30 in line(event())
    assert header().endswith("detail")


def test_a_long_change_goes_on_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was expected is told to its end on a narrow terminal too."""
    narrow(monkeypatch)
    expected = "a number that Avro type double holds without loss"
    dead = letter(topic="offerflow.raw.backend", value=envelope(properties={"amount": "12" * 9}), expected=expected)
    known = world()
    shown = list(comparison(compare(known, Verdict(dead.reason, Arrivals(known).of_letter(dead), None, dead))))
    plain = [click.unstyle(text) for text in shown]
    assert all(len(text) <= 80 for text in plain)
    assert f"expected {expected}, got {dead.got}" in " ".join(" ".join(plain).split())


def test_both_sides_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side with the change behind; nothing reaches the terminal as a command."""
    narrow(monkeypatch)
    known = world()
    shown = list(comparison(compare(known, event(note="\x1b[2J" + "x" * 200))))
    assert all(len(text) <= 80 + len("\x1b[33m\x1b[0m") for text in shown)
    assert any("stripped" in text for text in shown)
    assert not any("\x1b[2J" in text for text in shown)
    assert "sent" in shown[0]
    assert "stored" in shown[0]
    assert all(text.strip() for text in shown)


def test_ids_and_times_are_whole_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 80 columns they are folded within their columns, and none is cut."""
    narrow(monkeypatch)
    known, note = world(), "0192a3b4-c5d6-7e8f-9a0b-c1d2e3f4a5b6 2026-11-22T20:55:00.123456Z"
    shown = "".join(part[:45] for part in comparison(compare(known, event(note=note))))
    assert "…" not in shown
    assert "".join(filter(str.isalnum, note)) in "".join(filter(str.isalnum, shown))


def test_a_dead_letter_has_one_side() -> None:
    """What was sent, and what was expected where."""
    dead = letter(topic="offerflow.raw.backend", value=envelope(properties={"amount": "12"}))
    known = world()
    shown = list(comparison(compare(known, Verdict(dead.reason, Arrivals(known).of_letter(dead), None, dead))))
    assert "stored" not in shown[0]
    assert any(text.split()[:2] == ["amount", "12"] and "expected a number" in text for text in shown)


@pytest.mark.parametrize(("ms", "text"), [(None, ""), (0, "0ms"), (314, "314ms"), (61_500, "1m1s"), (86_400_000, "1d")])
def test_spans(ms: int | None, text: str) -> None:
    """As definitions write durations."""
    assert _span(ms) == text


def test_a_name_that_no_plan_has_is_told_its_neighbour() -> None:
    """Where no event matches; a name of the plan, or one that is like none, is told nothing."""
    assert meant(world(), ["Bougth"]) == "; did you mean 'Bought'?"
    assert meant(world(), ["Bought", "zzz"]) == ""
