"""A report in words, as JSON and as metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli.main import main
from console.verify.explaining import Explained, Field
from console.verify.findings import OUTPUTS, STATES, Bytes, Cause, Difference, PartitionReport
from console.verify.telling import as_json, counts, lines, write_textfile
from console.verify.verifying import Report, first_differences

CAUSE = Cause(3, 1182, 1_772_704_800_250, b"u:u-42", b"")


def difference(kind: str, at: int, **more: object) -> Difference:
    cause = Cause(3, at, at, b"u:ann", b"")
    return Difference(check=OUTPUTS, kind=kind, partition=3, subject="offer-entry", id=f"{at:032x}", cause=cause,
                      **more)  # type: ignore[arg-type]  # fmt: skip


def report(**more: object) -> Report:
    parts = [
        PartitionReport(partition=0, position=900, records=900, states=20, outputs=7, behind=3, expired=2, running=1),
        PartitionReport(partition=3, position=100, records=100, states=4, outputs=1, **more),  # type: ignore[arg-type]
    ]
    return Report((STATES, OUTPUTS), parts, [], 2.0, 2)


def test_what_is_identical_is_told_with_what_was_compared() -> None:
    """People see how much was compared, what retention took and what was under way."""
    assert list(lines(report(), [])) == [
        "folded 1,000 offsets of 2 partitions in 2.0 s (500/s), 2 processes",
        "states   identical; 24 states compared; Redis is 3 offsets behind the journal",
        "outputs  identical; 8 outputs compared, 2 expired with their topics' retention, 1 decided in the meantime",
    ]
    told = as_json(report(), [])
    assert told["identical"]
    assert told["checks"]["outputs"] == {
        "compared": 8, "expired": 2, "running": 1, "earlier": 0, "missing": 0, "duplicated": 0, "wrong": 0,
        "unexpected": 0,
    }  # fmt: skip


def test_what_was_folded_on_from_a_copy_says_so() -> None:
    """What lies before the copy is counted and named; where nothing came since, nothing was compared."""
    parts = [PartitionReport(partition=0, since=800, position=900, records=100, states=20, outputs=7, earlier=3)]
    since = Report((STATES, OUTPUTS), parts, [], 2.0, 1)
    assert list(lines(since, [])) == [
        "folded 100 offsets of 1 partition in 2.0 s (50/s), 1 process, on from a copy",
        "states   identical; 20 states compared",
        "outputs  identical; 7 outputs compared, 3 decided before the copy",
    ]
    assert as_json(since, [])["partitions"][0]["since"] == 800
    quiet = Report((OUTPUTS,), [PartitionReport(partition=0, since=900, position=900)], [], 2.0, 1)
    assert list(lines(quiet, []))[1] == "outputs  nothing to compare; 0 outputs compared"


def test_nothing_to_compare_is_no_proof() -> None:
    """Where no event has met a rule, nobody is told that all is identical."""
    empty = Report((STATES, OUTPUTS), [PartitionReport(partition=0, position=9, records=9)], [], 2.0, 1)
    assert list(lines(empty, []))[1:] == [
        "states   nothing to compare: no event has met a rule yet; 0 states compared",
        "outputs  nothing to compare: no event has met a rule yet; 0 outputs compared",
    ]
    assert as_json(empty, [])["identical"]


def test_a_difference_names_record_user_and_field() -> None:
    """The first differences are told in full, the others counted."""
    wrong = report(counts=[(OUTPUTS, "wrong", 3)])
    one = Explained(
        check=OUTPUTS, kind="wrong", partition=3, subject="offer-entry", id="5a0e", user="u-42", record="3/1182",
        event="Purchase Completed", appended="2026-03-05T10:00:00.250Z", places=["offerflow.offer-entry 5/88"],
        fields=[Field("variant", "bold", "plain")],
    )  # fmt: skip
    assert list(lines(wrong, [one]))[2:] == [
        "outputs  3 wrong; 8 outputs compared, 2 expired with their topics' retention, 1 decided in the meantime",
        "",
        "outputs: wrong offer-entry of u-42, partition 3",
        "  id 5a0e",
        "  decided on journal record 3/1182, Purchase Completed, appended 2026-03-05T10:00:00.250Z",
        "  found at offerflow.offer-entry 5/88",
        "  variant: expected bold, found plain",
        "",
        "and 2 more differences (--show N shows more)",
    ]
    assert not as_json(wrong, [one])["identical"]


def test_foreign_records_are_unexpected() -> None:
    """Although they belong to no partition."""
    found = report()
    found.foreign.append(
        Difference(check=OUTPUTS, kind="unexpected", partition=-1, subject="offer-exit", id="", found=Bytes(None, b""))
    )
    assert counts(found)[OUTPUTS]["unexpected"] == 1
    assert not found.identical


def test_the_oldest_of_each_kind_come_first() -> None:
    """However many there are of one kind, another is shown too."""
    wrong = [difference("wrong", at) for at in (9, 5, 7)]
    missing = [difference("missing", at) for at in (8, 6)]
    found = report(counts=[(OUTPUTS, "wrong", 3), (OUTPUTS, "missing", 2)], differences=[*wrong, *missing])
    shown = [(one.kind, one.cause.offset) for one in first_differences(found, 3) if one.cause]
    assert sorted(shown) == [("missing", 6), ("wrong", 5), ("wrong", 7)]
    assert first_differences(found, 0) == []


def test_metrics_are_written_in_one_piece(tmp_path: Path) -> None:
    """The file holds every kind, zeros included, and replaces what was there."""
    path = tmp_path / "offerflow.prom"
    path.write_text("old")
    write_textfile(path, report(counts=[(STATES, "wrong", 2)]), 1_772_704_800.4)
    told = path.read_text().splitlines()
    assert 'offerflow_consistency_mismatches_total{check="states",kind="wrong"} 2' in told
    assert 'offerflow_consistency_mismatches_total{check="outputs",kind="missing"} 0' in told
    assert 'offerflow_consistency_verified_timestamp_seconds{check="outputs"} 1772704800' in told
    assert sum(line.startswith("offerflow_") for line in told) == 7 + 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--textfile", "x.prom", "--partition", "1"], "leave out --partition"),
        (["--textfile", "nowhere/x.prom"], "there is no directory nowhere"),
    ],
)
def test_it_refuses_before_it_works(arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is told at once, not after an hour."""
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(main, ["verify", *arguments])
    assert done.exit_code in (2, 78)
    assert words in done.output
