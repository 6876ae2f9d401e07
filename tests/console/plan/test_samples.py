"""Where samples come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.plan.drafting import Choices, draft
from console.plan.samples import LetterPiles, Pile, Piles, Room, from_file
from offerflow.runtime.errors import OfferflowError
from schemas.dead_letter import StoredLetter

EVENT = {"event": "Lesson Paused", "user_id": "u-1", "source": "app", "properties": {"lesson": "l-1"}}
CLOUD_EVENT = {"specversion": "1.0", "id": "e", "source": "app", "type": "Lesson Paused", "data": {"lesson": "l-2"}}
BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"e"), ("ce_source", b"app"), ("ce_type", b"Lesson Paused")]


def letter(value: bytes | None, headers: list[tuple[str, bytes | None]] = []) -> StoredLetter:  # noqa: B006
    return StoredLetter(
        at=(0, 1), appended_ms=1, id="i", topic="t", partition=0, offset=1, timestamp=1, key=None, value=value,
        headers=headers, reason="unknown_event", detail="", field=None, expected=None, got=None, event="Lesson Paused",
        source="app", schema_id=None, attempts=1, component="validation", version="1", failed_at=1,
    )  # fmt: skip


def test_every_form_of_a_dead_letter_is_a_sample() -> None:
    """Native envelopes and CloudEvents of both kinds give their properties; what cannot be read is counted."""
    piles = LetterPiles()
    for one in (
        letter(json.dumps(EVENT).encode()),
        letter(json.dumps(CLOUD_EVENT).encode()),
        letter(b'{"lesson": "l-3"}', BINARY),
        letter(b"\xff"),
    ):
        piles.take(one)
    pile = piles["Lesson Paused"]
    assert pile.samples() == [{"lesson": "l-1"}, {"lesson": "l-2"}, {"lesson": "l-3"}]
    assert (pile.total, pile.bad, pile.sources) == (4, 1, {"app"})


def test_the_newest_samples_are_kept_within_bounds() -> None:
    """A pile holds its limit of samples and its share of memory, whatever comes; the newest survive."""
    pile = Pile(lambda raw: {"at": raw}, limit=3)
    for at in range(10):
        pile.add(at, 1, (at,))
    assert [one["at"] for one in pile.samples()] == [7, 8, 9]
    pile.add(0, 1, (0,))
    assert [one["at"] for one in pile.samples()] == [7, 8, 9], "late is not new"
    assert pile.total == 11
    for at in range(10, 14):
        pile.add(at, pile.room.share // 2 + 1, (at,))
    assert [one["at"] for one in pile.samples()] == [13]


def test_all_names_together_are_bounded() -> None:
    """One budget holds over all piles, whatever the names and sizes: many names have smaller piles, what is larger
    than a share goes first, and what is discarded makes room."""
    room = Room(8000)
    piles = Piles(lambda raw: {"at": raw}, room=room, names=100)
    for at in range(3000):
        piles.add(f"n{at % 10}", at, 20, (at,))
        assert room.used <= room.most
    assert {len(pile.samples()) for pile in piles.values()} == {40}
    for at in range(90):
        piles.add(f"m{at}", at, 900, (at,))
        assert room.used <= room.most
    assert {len(piles[f"n{at}"].samples()) for at in range(10)} == {4}, "small ones keep their share"
    assert sum(bool(piles[f"m{at}"].samples()) for at in range(90)) == 8
    piles.add("too many", 1, 1, (1,))
    assert "too many" not in piles
    piles.discard(*piles)
    assert (room.used, len(piles)) == (0, 0)


def test_headers_count_too() -> None:
    """A letter weighs what its headers weigh."""
    piles = LetterPiles()
    piles.take(letter(b"{}", [("h", b"x" * 1000)]))
    assert piles["Lesson Paused"].bytes == 1003


def test_a_file_of_events(tmp_path: Path) -> None:
    """Lines are events in any JSON form, by name; blank lines are none, and --source chooses."""
    other = {"type": "identify", "user_id": "u", "properties": {"plan": "plus"}}
    file = tmp_path / "samples.jsonl"
    file.write_text("\n\n".join(map(json.dumps, [EVENT, CLOUD_EVENT, other])))
    piles = from_file(file, None)
    assert {name: pile.samples() for name, pile in piles.items()} == {
        "Lesson Paused": [{"lesson": "l-1"}, {"lesson": "l-2"}], "Identified": [{"plan": "plus"}],
    }  # fmt: skip
    assert list(from_file(file, None, sources=frozenset({"app"}))) == ["Lesson Paused"]
    assert list(from_file(file, None, names=frozenset({"Identified"}))) == ["Identified"]


def test_a_file_of_properties(tmp_path: Path) -> None:
    """With a name each line is the properties of that event, whatever they look like."""
    file = tmp_path / "samples.jsonl"
    file.write_text('{"event": "x", "properties": {}}\n{"lesson": 2}\n')
    assert from_file(file, "Lesson Paused")["Lesson Paused"].samples() == [
        {"event": "x", "properties": {}}, {"lesson": 2},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "name", "why"),
    [("{", None, "not JSON"), ('{"lesson": 1}', None, "need --name"), ("[1]", "X", "object"),
     ("[" * 9999, "X", "object"), ('{"a":' + "[" * 20 + "]" * 20 + "}", "X", "16 levels"), ("\ud800", "X", "utf-8")],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: str, name: str | None, why: str) -> None:
    """A line that is no sample is an error with the file, the line and the reason."""
    file = tmp_path / "samples.jsonl"
    file.write_bytes(b'{"event": "A", "user_id": "u"}\n' + line.encode("utf-8", "surrogatepass") + b"\n")
    with pytest.raises(OfferflowError, match=f"samples.jsonl:2: .*{why}"):
        from_file(file, name)


def test_a_million_names_in_a_sample_are_bounded() -> None:
    """However many property names the samples have, a draft looks at so many and says what it leaves out."""
    made = draft("X", ({f"p{at}_{one}": 1 for one in range(100)} for at in range(100)), lambda _: True, Choices())
    assert len(made.properties) == 1000
    assert "more than 1000 names" in made.notes[-1]
