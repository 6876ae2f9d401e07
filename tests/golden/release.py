"""A recorded release: its files, the fold of its journal by the code as it is, and where the two differ."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from offerflow.catalog.view import Catalog
from offerflow.runtime.settings import Settings
from schemas.codec import RecordCodec, schema_id_of
from schemas.folding.announced import Announced, sources
from schemas.folding.offline import OfflineFold

HERE = Path(__file__).parent
SETTINGS = Settings(topic_prefix="golden.")
FAILED_AT = 1_790_000_000_000
UNSTABLE = ("version", "component", "detail", "__connect.errors.exception.message")
"""Fields and headers of dead letters that name the program, or tell an error in the words of a library."""
_OUTPUTS = {
    codec.id: codec
    for codec in (
        RecordCodec.shipped("outputs", name)
        for name in (
            "OfferEntered",
            "OfferExited",
            "RewardSatisfied",
            "RewardFulfilled",
            "RewardReversed",
            "DeadLetter",
        )
    )
}
Row = dict[str, Any]
Sizes = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal record, in the shape of the client's."""

    number: int
    at: int
    appended: int
    name: bytes | None
    body: bytes | None

    def topic(self) -> str:
        return SETTINGS.topic("journal")

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return []

    def timestamp(self) -> tuple[int, int]:
        return 2, self.appended


def releases() -> list[str]:
    """Every recorded release, the oldest first."""
    found = [path.parent.name for path in HERE.glob("*/release.json")]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def about(release: str) -> Row:
    """``layout`` of its packed states, ``engine`` of its rulesets, and what its journal ``reached``."""
    made: Row = json.loads((HERE / release / "release.json").read_text("utf-8"))
    return made


def catalog(release: str) -> Catalog:
    return Catalog({row["key"]: row["value"] for row in read(release, "catalog")})


def journal(release: str) -> list[Entry]:
    return [
        Entry(row["partition"], row["offset"], row["appended"], _bytes(row["key"]), _bytes(row["value"]))
        for row in read(release, "journal")
    ]


def read(release: str, name: str) -> list[Row]:
    lines = (HERE / release / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def write(folder: Path, name: str, rows: Iterable[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    (folder / f"{name}.jsonl").write_text(text, "utf-8")


def folded(known: Catalog, records: Sequence[Entry], sizes: Sizes | None = None) -> tuple[list[Row], list[Row]]:
    """Outputs in the order of the journal, and states: what the code as it is makes of it. ``sizes`` gives the size of
    each batch; without it a partition is one batch."""
    outputs: list[Row] = []
    states: list[Row] = []
    announced = Announced(SETTINGS)
    for number in sorted({record.number for record in records}):
        mine = [record for record in records if record.number == number]
        fold = OfflineFold(number, known)
        for batch in _cut(mine, sizes or mine.__len__):
            for work in fold.fold(batch, batch[-1].at + 1):
                outputs += (
                    _output(number, source.offset(), one.topic, one.key, one.value, one.headers or ())
                    for one, source in zip(announced(work, FAILED_AT), sources(work), strict=True)
                )
        kept = fold.kept
        states.append({"partition": number, "next": kept.next, "fold": text(kept.fold)})
        states += (
            {"partition": number, "entity": entity, "timer": kept.timers.get(entity), "open": entity in kept.opened,
             "state": text(packed)}
            for entity, packed in sorted(kept.states.items())
        )  # fmt: skip
    outputs.sort(key=lambda row: (row["partition"], row["offset"]))
    return outputs, states


def differences(recorded: Sequence[Row], now: Sequence[Row], most: int = 5) -> list[str]:
    """The first ``most`` rows that differ, in words; states are unpacked for it."""
    return [words for _, words in zip(range(most), _different(recorded, now), strict=False)]


def _different(recorded: Sequence[Row], now: Sequence[Row]) -> Iterator[str]:
    for before, after in zip_longest(recorded, now):
        if before == after:
            continue
        if before is None or after is None or _place(before) != _place(after):
            yield f"recorded {_shown(before)}\n       now {_shown(after)}"
            return  # whatever follows is shifted
        fields = ", ".join(_fields(_opened(before), _opened(after)))
        yield f"{_place(before)}: {fields or 'other bytes of the same content'}"


def _fields(before: Any, after: Any, path: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}, key=str):
            yield from _fields(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _fields(one, other, f"{path}[{at}]")
    elif before != after:
        yield f"{path} was {before!r}, is {after!r}"


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("partition", "offset", "topic", "entity"))


def _shown(row: Row | None) -> str:
    return "nothing" if row is None else json.dumps(_opened(row), ensure_ascii=False, default=repr)


def _opened(row: Row) -> Row:
    """With what is packed unpacked; bytes that say the same as other fields left out."""
    found = {name: value for name, value in row.items() if name != "value"}
    for name in ("state", "fold"):
        packed = _bytes(found.get(name))
        found |= {name: msgspec.msgpack.decode(packed)} if packed is not None else {}
    return found


def _output(
    partition: int, offset: int, topic: str, key: bytes | None, value: bytes | None,
    headers: Sequence[tuple[str, Any]],
) -> Row:  # fmt: skip
    """What is compared of an output; of a dead letter not what names the program that wrote it."""
    codec = _OUTPUTS[schema_id_of(value or b"")]
    fields = codec.decode(value or b"")
    row: Row = {
        "partition": partition, "offset": offset, "topic": topic, "key": text(key), "type": codec.name,
        "headers": {name: _plain(one) for name, one in headers},
    }  # fmt: skip
    if codec.name == "DeadLetter":
        row["headers"] = {name: one for name, one in row["headers"].items() if name not in UNSTABLE}
        fields = {name: one for name, one in fields.items() if name not in UNSTABLE}
    else:
        row["value"] = text(value)
    return {**row, "fields": _plain(fields)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _cut(records: list[Entry], sizes: Sizes) -> Iterator[list[Entry]]:
    at = 0
    while at < len(records):
        size = max(1, sizes())
        yield records[at : at + size]
        at += size


def text(value: bytes | None) -> str | None:
    """Bytes as the files have them."""
    return None if value is None else base64.b64encode(value).decode()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
