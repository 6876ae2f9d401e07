from __future__ import annotations

import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from console.cli import changes, dlq_mend, dlq_show
from console.cli.dlq import dlq
from console.cli.dlq_options import Rate, selection_of
from console.cli.output import print_table
from console.cli.tables import print_fitting, visible
from console.dead_letters import masking
from console.dead_letters.replay import Report
from console.dead_letters.selection import Range
from offerflow.runtime.settings import Settings
from tests.console.dead_letters.letters import PLAN, letter, same

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
    """Nothing reaches the terminal as a command, every text stays on its line, and none looks like another."""
    assert visible("a\x1b[2J\x9b\nb\tc\ud800ü") == "a\\x1b[2J\\x9b\\nb\\tc\\ud800ü"
    assert len({visible(f"anna{space}b") for space in " \n\t\u00a0\u2028\u3000"}) == 6


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
    monkeypatch.setenv("COLUMNS", "50")
    print_fitting(columns, rows, ("source",))
    fitted = capsys.readouterr().out.splitlines()
    assert fitted[1] == "3/120  unknown_event  " + "x" * 27 + "…"
    assert "source" not in fitted[0]


def test_what_may_not_be_cut_goes_on_below(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The other kind of table looks the same, numbers to the right and no blanks at the end; where it does not fit,
    wide cells are folded within their columns."""
    rows = [["kafka-1", 7, None, "refuses since no two of the brokers agree"], ["日本", 12, "", "x" * 40]]
    print_table(("name", "restarts", "empty", "why"), rows)
    assert capsys.readouterr().out.splitlines() == [
        "name     restarts  why",
        "kafka-1         7  refuses since no two of the brokers agree",
        "日本           12  " + "x" * 40,
    ]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "45")
    print_table(("name", "restarts", "empty", "why"), rows)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "kafka-1         7  refuses since no two of",
        "                   the brokers agree",
        "日本           12  " + "x" * 26,
        " " * 19 + "x" * 14,
    ]


@pytest.mark.parametrize(
    ("arguments", "terminal", "valid", "code", "sent"),
    [
        ([], None, 2, 2, 0), (["--output", "json"], None, 2, 2, 0), (["--output", "json"], "y", 2, 2, 0),
        (["--dry-run"], None, 2, 0, 0), (["--dry-run", "--yes"], None, 2, 0, 0), (["--yes"], None, 2, 1, 2),
        ([], "y", 2, 1, 2), ([], "n", 2, 1, 0), ([], "y", 0, 1, 0), ([], None, 0, 1, 0),
    ],
)  # fmt: skip
def test_no_script_takes_a_look_for_a_replay(
    arguments: list[str], terminal: str | None, valid: int, code: int, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can be asked nothing is sent and the code is 2, but for a look that was asked for; letters that are
    left over make it 1, on a terminal too."""
    done: list[int] = []

    def send(*_: object, dry_run: bool, **__: object) -> Report:
        if not dry_run:
            done.append(valid)
        return Report(outcomes=Counter(valid=valid, unknown_event=1), sent=0 if dry_run else valid)

    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(dlq_mend, "send", send)
    monkeypatch.setattr(changes, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: terminal is not None)))
    told = CliRunner().invoke(dlq, ["replay", "--no-wait", *arguments], input=terminal)
    assert (told.exit_code, sum(done)) == (code, sent), told.output
    assert ("add --yes to do it, or --dry-run to look" in told.stderr) is (code == 2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [([], 2, "2 unhandled dead letters would be set aside"), (["--dry-run"], 0, "would be set aside"),
     (["--yes", "--dry-run"], 0, "would be set aside"), (["--yes"], 0, "nothing to set aside"),
     (["--undo", "--yes"], 0, "none of these is purged")],
)  # fmt: skip
def test_purge_asks_like_the_others(
    arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --yes it counts and ends with 2, with --dry-run with 0; what was handled before is told as such."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(dlq_mend.purging, "count", lambda *_, **__: 2)
    monkeypatch.setattr(dlq_mend.purging, "purge", lambda *_, **__: 0)
    told = CliRunner().invoke(dlq, ["purge", *arguments])
    assert told.exit_code == code, told.output
    assert said in told.stdout


def test_what_cannot_be_read_is_not_shown() -> None:
    """No byte of a value that no plan can be laid upon, however short it is, unless it is asked for, and then as the
    text it may be; a reason is given for each, and no value is no text."""
    judge: Any = SimpleNamespace(plan=PLAN, schema_ids=lambda letter: same)

    def told(value: bytes | None, *, show_pii: bool = False) -> tuple[str, Any]:
        return dlq_show._value(judge, letter(value=value), masking.NOTHING, show_pii)

    assert told(b"u-1 secret")[1] == "(10 bytes, hidden; --show-pii shows what cannot be read)"
    assert told(b"u-1 secret", show_pii=True)[1] == "u-1 secret"
    assert told(b"\x00\x00\x00\x03\xe8") == (
        "it does not decode as Bought version 1: its bytes end too early",
        "(5 bytes, hidden; --show-pii shows what cannot be read)",
    )
    assert told(None) == ("it has no value", None)


def test_what_is_to_be_read_is_never_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On 80 columns a detail that does not fit goes below its row, whole, and then no other column has to go."""
    columns = ["at", "since", "reason", "event", "source", "field", "detail"]
    detail = "amount: expected a number that Avro type double holds without loss, got string '59.90 and much more'"
    rows = [["3/120", "11-22 07:29:10", "schema_violation", "Bought", "shop-backend", "amount", detail]]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_fitting(columns, rows, ("field", "source"), prose=True)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1] == "3/120  11-22 07:29:10  schema_violation  Bought  shop-backend  amount"
    assert all(line.startswith("    ") for line in lines[2:])
    assert " ".join(" ".join(lines[2:]).split()) == detail
    monkeypatch.setenv("COLUMNS", "200")
    print_fitting(columns, rows, ("field", "source"), prose=True)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_rows_go_on_below_rather_than_be_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last columns share a second line, joined by more of them where the first is still too long; each has a line
    with its name where they do not fit on one; no line is blank."""
    columns = ["id", "reason", "event", "oldest", "only"]
    rows = [["cb15867b917e", "schema_violation", "Account Created", "2026-11-22 21:21", ""],
            ["d3f88feb0ec4", "late", "Bought", "", None]]  # fmt: skip
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    print_fitting(columns, rows, below=2)
    assert click.unstyle(capsys.readouterr().out).splitlines() == [
        "id            reason            event",
        "    oldest",
        "cb15867b917e  schema_violation  Account Created",
        "    2026-11-22 21:21",
        "d3f88feb0ec4  late              Bought",
    ]
    monkeypatch.setenv("COLUMNS", "40")
    print_fitting(columns, rows, below=2)
    assert click.unstyle(capsys.readouterr().out).splitlines()[:4] == [
        "id            reason",
        "    event            oldest",
        "cb15867b917e  schema_violation",
        "    Account Created  2026-11-22 21:21",
    ]
    rows[0][-1] = "send Account Created; from https://shop.example"
    print_fitting(columns, rows, below=2)
    assert click.unstyle(capsys.readouterr().out).splitlines() == [
        "id            reason",
        "cb15867b917e  schema_violation",
        "    event: Account Created",
        "    oldest: 2026-11-22 21:21",
        "    only: send Account Created; from",
        "    https://shop.example",
        "d3f88feb0ec4  late",
        "    event: Bought",
    ]


def test_one_letter_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On 80 columns a long fact of `dlq show` goes on under itself; elsewhere each is one line."""
    judge = SimpleNamespace(plan=PLAN, schema_ids=lambda letter: same)
    monkeypatch.setattr(dlq_show, "Judge", lambda _: judge)
    detail = "amount: expected a number that Avro type double holds without loss, got string '59.90 and much more'"
    one = letter(value=None, detail=detail)
    dlq_show.print_letter(Settings(), one, [], [], show_pii=False, output="table")
    assert f"detail         {detail}\n" in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    dlq_show.print_letter(Settings(), one, [], [], show_pii=False, output="table")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    at = next(at for at, line in enumerate(lines) if line.startswith("detail"))
    assert " ".join((lines[at][15:], lines[at + 1].removeprefix(" " * 15))) == detail
