"""Rows of files: every form gives the same, and a bad line is told without ending the reading."""

from __future__ import annotations

import builtins
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from console.importing import rows
from console.importing.rows import Row, Unreadable, format_of, read_rows
from offerflow.runtime.errors import ConfigError


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("a.CSV.gz", "csv"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.json.gz", "jsonl"),
     ("a.parquet", "parquet"), ("a.txt", None), ("a", None), ("a.gz", None)],
)  # fmt: skip
def test_the_name_says_what_it_is(name: str, kind: str | None) -> None:
    """By the ending before .gz, in any case of letters."""
    assert format_of(Path(name)) == kind


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv(tmp_path: Path, name: str) -> None:
    """Quoted cells with line ends, a byte order mark, empty lines, and the line at which each row begins."""
    path = written(tmp_path / name, b'\xef\xbb\xbfevent,who\r\nPaid,"a\nb"\r\n\r\nPaid,"say ""hi"""\n')
    assert list(read_rows(path, "csv")) == [
        Row(2, {"event": "Paid", "who": "a\nb"}, text=True), Row(5, {"event": "Paid", "who": 'say "hi"'}, text=True),
    ]  # fmt: skip


def test_bad_lines_of_csv_are_told(tmp_path: Path) -> None:
    """Too many cells, too few, a quote out of place, and bytes that are not UTF-8; the rows after them are read."""
    path = written(tmp_path / "a.csv", b'event,who\nA,1,2\nA\n"A"x,1\nA,\xff\nA,ok\n')
    *bad, good = read_rows(path, "csv")
    assert [(row.line, row.problem[:7]) for row in bad] == [
        (2, "3 cells"), (3, "1 cells"), (4, "not CSV"), (5, "not UTF"),
    ]  # fmt: skip
    assert good == Row(6, {"event": "A", "who": "ok"}, text=True)


@pytest.mark.parametrize(("content", "what"), [
    (b"", "no header"), (b"a,b,a\n", "'a' more than once"),
    ("prénom,a\nA,1\n".encode("latin-1"), "header is not UTF-8"),
    ("event,a\nA,1\n".encode("utf-16"), "header is not UTF-8"),
])  # fmt: skip
def test_a_header_that_is_none(tmp_path: Path, content: bytes, what: str) -> None:
    """A file without a header, or with one that names a column twice, is refused whole."""
    with pytest.raises(Unreadable, match=what):
        list(read_rows(written(tmp_path / "a.csv", content), "csv"))


def test_another_delimiter(tmp_path: Path) -> None:
    """A tab between the cells."""
    path = written(tmp_path / "a.csv", b"event\twho\nPaid\tu,1\n")
    assert [row.fields for row in read_rows(path, "csv", delimiter="\t")] == [{"event": "Paid", "who": "u,1"}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    """Objects pass, empty lines are skipped, and everything else is told with its line."""
    path = written(tmp_path / name, b'{"a": 1}\n\n[1]\n{"a": \n{"a": "\xff"}\n{"b": {"c": [1.5, null]}}')
    first, *bad, last = read_rows(path, "jsonl")
    assert first == Row(1, {"a": 1})
    assert [(row.line, row.problem[:22]) for row in bad] == [(line, "expected a JSON object") for line in (3, 4, 5)]
    assert last == Row(6, {"b": {"c": [1.5, None]}})


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the next line is read."""
    monkeypatch.setattr(rows, "_MOST", 100)
    path = written(tmp_path / "a.jsonl", b'{"a": "' + b"x" * 1000 + b'"}\n{"a": 1}\n')
    long, good = read_rows(path, "jsonl")
    assert (long.line, long.problem) == (1, "a line of more than 100 bytes")
    assert good == Row(2, {"a": 1})


def test_gzip_that_ends_too_early(tmp_path: Path) -> None:
    """An interrupted download is no smaller file."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-20])
    with pytest.raises(Unreadable, match="not whole gzip"):
        list(read_rows(path, "jsonl"))


def test_parquet(tmp_path: Path) -> None:
    """Nested values, times and decimals come as they are in the file, and progress ends at its size."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
    table = pyarrow.table({
        "event": ["Paid", "Paid"], "at": [moment, None], "cost": [Decimal("1.50"), None], "deep": [{"a": [1]}, None],
    })  # fmt: skip
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(table, path)
    told: list[int] = []
    first, second = read_rows(path, "parquet", read=told.append)
    assert first == Row(1, {"event": "Paid", "at": moment, "cost": Decimal("1.50"), "deep": {"a": [1]}}, typed=True)
    assert (second.line, second.fields["at"]) == (2, None)
    assert told[-1] == path.stat().st_size


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    """It is named, with what the reader has to say."""
    with pytest.raises(Unreadable, match=r"a\.parquet: cannot be read as Parquet"):
        list(read_rows(written(tmp_path / "a.parquet", b"nothing"), "parquet"))


def test_without_pyarrow_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet is an extra: the error names it, and the other formats do without."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"offerflow\[parquet\]"):
        list(read_rows(written(tmp_path / "a.parquet", b""), "parquet"))
    assert list(read_rows(written(tmp_path / "a.jsonl", b'{"a":1}'), "jsonl")) == [Row(1, {"a": 1})]


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    """What it takes with it is told."""
    path = written(tmp_path / "a.csv", b'event,who\nA,1\nA,"2\nA,3\nA,4\n')
    good, bad = read_rows(path, "csv")
    assert good.fields == {"event": "A", "who": "1"}
    assert (bad.line, bad.problem.endswith("(lines 3 to 5)")) == (3, True)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_damaged_gzip(tmp_path: Path, name: str) -> None:
    """In the middle of the data, not only at its end."""
    whole = gzip.compress(b"".join(b"%d,%d\n" % (one, one * one) for one in range(20_000)), mtime=0)
    path = tmp_path / name
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(Unreadable, match="gzip"):
        list(read_rows(path, "csv" if "csv" in name else "jsonl"))


def test_rows_that_were_set_aside(tmp_path: Path) -> None:
    """A line of a file of rejects is its row; an event that looks a bit like one is not."""
    path = written(
        tmp_path / "a.rejects.jsonl",
        b'{"file":"a.csv","line":3,"reason":"row","message":"m","row":{"event":"A","amount":"5"},"text":true}\n'
        b'{"file":"a.jsonl","line":4,"reason":"row","message":"m","row":{"event":"A","amount":"5"}}\n'
        b'{"event":"A","row":{"event":"B"}}\n',
    )
    row = {"event": "A", "amount": "5"}
    assert list(read_rows(path, "jsonl")) == [
        Row(1, row, text=True), Row(2, row), Row(3, {"event": "A", "row": {"event": "B"}}),
    ]  # fmt: skip


def test_a_line_that_makes_no_row_is_kept(tmp_path: Path) -> None:
    """As it is, so that whoever mends it can see it."""
    (broken,) = read_rows(written(tmp_path / "a.jsonl", b'{"event": \xff\r\n'), "jsonl")
    assert broken.raw == '{"event": \\xff'
    (ragged,) = read_rows(written(tmp_path / "a.csv", b"a,b\n1,2,3\n"), "csv")
    assert ragged.raw == "1,2,3"
