"""The first pass: what is good is sorted, what is bad is counted by kind, told with its lines and set aside."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from console.importing import checking
from console.importing.checking import Checked, File, Reading, check, told_problems
from console.importing.judging import Judge
from console.importing.mapping import read_mapping
from console.importing.rows import Unreadable
from console.importing.sorting import Sorter
from console.importing.times import Times
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import load_settings
from tests.console.importing.plans import RECEIVED, catalog

CSV = """event,user_id,time,amount,email
Paid,u-2,2025-03-02,5,a@b.example
Paid,u-1,2025-03-01,7.5,
Piad,u-1,2025-03-01,1,
Paid,u-1,2025-03-03,free,
Paid,u-1,2025-03-03,-1,
Paid,u-1,,1,
Paid,,2025-03-03,1,
Paid,u-1,2031-03-03,1,
Opened,u-1,2025-03-03,,
Piad,u-3,2025-03-05,1,
"""


def checked(
    judge: Judge, tmp_path: Path, content: str = CSV, *columns: str, name: str = "orders.csv"
) -> tuple[Checked, list[bytes], list[dict[str, object]]]:
    """What the pass says, the values in order, and the rejected rows."""
    path = tmp_path / name
    path.write_text(content)
    rejects = io.BytesIO()
    reading = Reading(judge, "orders", read_mapping(columns, []), Times(), rejects=lambda: rejects)
    with Sorter() as sorter:
        found = check([File(path, "csv")], reading, sorter, lambda _: None)
        values = [one.value for one in sorter]
    return found, values, [json.loads(line) for line in rejects.getvalue().splitlines()]


def test_every_row_is_judged_as_validation_would(judge: Judge, tmp_path: Path) -> None:
    """Good ones in the order of their times, bad ones by reason, event and field with their lines, switched-off ones
    apart."""
    found, values, rejected = checked(judge, tmp_path)
    assert (found.rows, found.good, found.bad, found.dropped) == (10, 2, 7, 1)
    assert [json.loads(value)["user_id"] for value in values] == ["u-1", "u-2"]
    assert found.events == {"Paid": 2}
    problems = {(one["reason"], one["event"], one["field"]): one["lines"] for one in told_problems(found)}
    assert problems == {
        ("unknown_event", "Piad", ""): ["orders.csv:4", "orders.csv:11"],
        ("schema_violation", "Paid", "amount"): ["orders.csv:5"],
        ("rule_of_plan_violation", "Paid", "amount"): ["orders.csv:6"],
        ("row", "", "time"): ["orders.csv:7"],
        ("missing_user", "Paid", ""): ["orders.csv:8"],
        ("clock_skew", "Paid", "time"): ["orders.csv:9"],
    }
    assert told_problems(found)[0]["count"] == 2
    assert [row["line"] for row in rejected] == [4, 5, 6, 7, 8, 9, 11]
    assert rejected[0]["row"] == {"event": "Piad", "user_id": "u-1", "time": "2025-03-01", "amount": "1", "email": ""}


def test_the_same_file_gives_the_same_bytes(judge: Judge, tmp_path: Path) -> None:
    """Ids and digest are those of the first time: that is what a resumed import stands on."""
    first, second = checked(judge, tmp_path), checked(judge, tmp_path)
    assert first[1] == second[1]
    assert first[0].digest == second[0].digest != checked(judge, tmp_path, CSV.replace("7.5", "7.6"))[0].digest


def test_a_column_that_no_row_has_is_a_slip(judge: Judge, tmp_path: Path) -> None:
    """It is told with the nearest name before anything is sent."""
    with pytest.raises(Unreadable, match=r"no row has the column 'usr_id'; did you mean 'user_id'"):
        checked(judge, tmp_path, CSV, "usr_id=user_id")


def test_kinds_of_problems_are_bounded(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of garbage with a million names does not fill the memory, and every row is counted."""
    monkeypatch.setattr(checking, "MOST_PROBLEMS", 3)
    rows = "".join(f"E{number},u,2025-03-01\n" for number in range(20))
    found, _, rejected = checked(judge, tmp_path, "event,user_id,time\n" + rows)
    assert len(found.problems) <= 4
    assert found.bad == len(rejected) == 20


def test_what_is_left_out_is_counted(judge: Judge, tmp_path: Path) -> None:
    """Columns that the plan does not have are told, since they might be a slip."""
    checked(judge, tmp_path, "event,user_id,time,amount,extra\nPaid,u,2025-03-01,1,x\n")
    assert judge.stripped == {"Paid": {"extra": 1}}


def test_personal_data_stays_out_of_the_report(judge: Judge, tmp_path: Path) -> None:
    """The message of a pii field does not show the value; the file of rejects is the sender's own and does."""
    row = json.dumps({"event": "Paid", "user_id": "u", "time": 1, "properties": {"amount": 1, "email": 12345}})
    path = tmp_path / "a.jsonl"
    path.write_text(row)
    found = check([File(path, "jsonl")], Reading(judge, "a", read_mapping([], []), Times()), None, lambda _: None)
    assert "12345" not in json.dumps(told_problems(found))
    assert found.bad == 1


@pytest.mark.parametrize(("source", "what"), [("shopp", "did you mean 'shop'"), ("x", "there are app, shop")])
def test_a_source_that_is_not_there(judge: Judge, source: str, what: str) -> None:
    """It is told with the nearest, or with all there are."""
    with pytest.raises(OfferflowError, match=what):
        Judge(load_settings(), catalog(), source, RECEIVED)


def test_mended_rejects_are_imported_as_they_are(judge: Judge, tmp_path: Path) -> None:
    """Once the cause is gone, each line is the row it was, cells of CSV with it."""
    rejected = checked(judge, tmp_path)[2][0]
    row = rejected["row"]
    assert isinstance(row, dict)
    row["event"] = "Paid"
    path = tmp_path / "orders.rejects.jsonl"
    path.write_text(json.dumps(rejected))
    found = check([File(path, "jsonl")], Reading(judge, "mended", read_mapping([], []), Times()), None, lambda _: None)
    assert (found.good, found.bad) == (1, 0)
