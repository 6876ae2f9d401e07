"""The rows of a file: CSV, JSON lines or Parquet, read as a stream, plain or gzip. What a row has wrong is in the row,
so that one bad line does not end the reading."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from offerflow.runtime.errors import ConfigError, OfferflowError
from schemas.envelope import MAX_RAW_BYTES

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
_ENDINGS: dict[str, Format] = {
    ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_MOST = 2 * MAX_RAW_BYTES
"""Bytes of a line: more cannot be an event, and nobody wants a file without line ends in memory."""
_ROWS = 2000
_REJECT = {"file", "line", "reason", "message", "row"}


class Unreadable(OfferflowError):
    """The file as a whole cannot be read as what it should be."""


@dataclass(frozen=True, slots=True)
class Row:
    """``line`` counts from 1, the header of a CSV file included; of Parquet it is the number of the row. ``problem``
    says why there are no ``fields``. ``text``: all values are text, as in CSV; ``typed``: some may be of types that
    JSON does not have, as in Parquet. ``raw``: the line as it is, where it makes no fields."""

    line: int
    fields: dict[str, Any]
    problem: str = ""
    text: bool = False
    typed: bool = False
    raw: str = ""


Read = Callable[[int], None]
"""Told how many bytes of the file were read so far."""


def format_of(path: Path) -> Format | None:
    """What the name says, without a final ``.gz``."""
    named = path.with_suffix("") if path.suffix == ".gz" else path
    return _ENDINGS.get(named.suffix.lower())


def read_rows(path: Path, kind: Format, *, delimiter: str = ",", read: Read = lambda _: None) -> Iterator[Row]:
    """Every row. Raises Unreadable, ConfigError where Parquet has no reader, and OSError."""
    if kind == "parquet":
        return _parquet(path, read)
    return _csv(path, delimiter, read) if kind == "csv" else _json_lines(path, read)


def _csv(path: Path, delimiter: str, read: Read) -> Iterator[Row]:
    with path.open("rb") as raw, _inflated(raw, path) as binary:
        reader = csv.reader(_text_lines(binary, raw, read), delimiter=delimiter, strict=True)
        csv.field_size_limit(_MOST)
        try:
            header = next(reader, None)
        except csv.Error as error:
            raise Unreadable(f"{path}:1: the header is not CSV: {error}") from None
        if not header:
            raise Unreadable(f"{path}: there is no header; expected the names of the columns in the first line")
        if not _is_text("".join(header)):
            raise Unreadable(f"{path}:1: the header is not UTF-8; save the file as UTF-8")
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise Unreadable(f"{path}:1: the header names {', '.join(map(repr, repeated))} more than once")
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = reader.line_num
                yield Row(line, {}, f"not CSV: {error}" + (f" (lines {line} to {last})" if last > line else ""))
                continue
            if not cells:
                continue
            if len(cells) != len(header):
                yield Row(line, {}, f"{len(cells)} cells, the header has {len(header)}", raw=_joined(cells, delimiter))
            elif not _is_text("".join(cells)):
                yield Row(line, {}, "not UTF-8", raw=_joined(cells, delimiter))
            else:
                yield Row(line, dict(zip(header, cells, strict=True)), text=True)


def _joined(cells: list[str], delimiter: str) -> str:
    return delimiter.join(cells).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_lines(path: Path, read: Read) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with path.open("rb") as raw, _inflated(raw, path) as binary:
        for line, text in enumerate(_lines(binary, raw, read), start=1):
            if text is None:
                yield Row(line, {}, f"a line of more than {_MOST} bytes")
            elif text.strip():
                try:
                    fields = decode(text.decode("utf-8-sig" if line == 1 else "utf-8"))
                    yield _set_aside(line, fields) or Row(line, fields)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    kept = text.decode("utf-8", "backslashreplace").rstrip("\r\n")
                    yield Row(line, {}, f"expected a JSON object: {error}", raw=kept)


def _set_aside(line: int, fields: dict[str, Any]) -> Row | None:
    """The row that an earlier import set aside with a reason, mended by now."""
    inside = fields.get("row")
    if fields.keys() - {"text", "raw"} != _REJECT or not isinstance(inside, dict):
        return None
    return Row(line, inside, text=fields.get("text") is True and all(isinstance(one, str) for one in inside.values()))


def _parquet(path: Path, read: Read) -> Iterator[Row]:
    try:
        import pyarrow.lib  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError(
            "reading Parquet needs pyarrow, which is an extra: `pip install 'offerflow[parquet]'`, or"
            " `pip install pyarrow` into the environment of offerflow"
        ) from None
    size = path.stat().st_size
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            rows, line = max(1, file.metadata.num_rows), 0
            for batch in file.iter_batches(batch_size=_ROWS):
                for fields in batch.to_pylist():
                    line += 1
                    yield Row(line, fields, typed=True)
                read(size * line // rows)
    except pyarrow.lib.ArrowException as error:
        raise Unreadable(f"{path}: cannot be read as Parquet: {error}") from None


def _inflated(raw: IO[bytes], path: Path) -> IO[bytes]:
    return gzip.open(raw, "rb") if path.suffix == ".gz" else raw  # type: ignore[return-value]


def _text_lines(binary: IO[bytes], raw: IO[bytes], read: Read) -> Iterator[str]:
    for number, line in enumerate(_lines(binary, raw, read), start=1):
        if line is None:
            # No quoted cell goes on into it: a reader would take the rest of the file for one.
            raise Unreadable(f"line {number} is longer than {_MOST} bytes; is this CSV?")
        # What is not UTF-8 is told with its row, and the rows after it are read.
        yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def _lines(binary: IO[bytes], raw: IO[bytes], read: Read) -> Iterator[bytes | None]:
    """With their ends; None for one that is too long."""
    number = 0
    try:
        while line := binary.readline(_MOST + 1):
            number += 1
            if number % _ROWS == 0:
                read(raw.tell())
            if len(line) > _MOST:
                while line and not line.endswith(b"\n"):
                    line = binary.readline(_MOST)
                yield None
            else:
                yield line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(f"not whole gzip data: {error}") from None
    read(raw.tell())
