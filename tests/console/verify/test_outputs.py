"""Outputs of a fold against what topics hold, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from console.verify import collecting
from console.verify.bounds import OUTPUT_TOPICS
from console.verify.collecting import Collecting, Name, Spot, collect, collected, name_and_fingerprint, plain_headers
from console.verify.findings import OUTPUTS, Findings
from console.verify.outputs import SKEW_MS, Earlier, OutputCheck, Retention
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.partitions import partition_of
from offerflow.runtime.settings import Settings
from schemas import dead_letter
from schemas.dead_letter import DeadLetter, unstamped, write_dead_letter
from schemas.folding.announced import Announced
from schemas.folding.book import CatalogBook
from schemas.folding.offline import OfflineFold
from schemas.folding.partition import Work
from tests.consumers.rules.world import (
    MINUTE,
    NOON,
    NUMBER,
    Journalled,
    activation,
    catalog_of,
    happened,
    offer,
    tick,
)

SETTINGS = Settings(topic_prefix="t.", partitions=4)
OFFERS = [
    offer("brief", {"event": "A"}, expires_after="1h", reentry="after_expiry"),
    offer("paid", {"event": "A"}, {"event": "B"}, reward={"id": "r", "value": "5 EUR"}),
]
CATALOG = catalog_of([OFFERS])
KEEPS_ALL = Retention({}, {})
CERTAIN = 12


@dataclass
class Topics:
    """What a fold wrote, as the topics have it: to be tampered with."""

    works: list[Work]
    written: list[Output]

    def found(self) -> list[tuple[Name, Spot]]:
        return [_spot(at, output) for at, output in enumerate(self.written)]

    def judged(self, retention: Retention = KEEPS_ALL, certain: int = CERTAIN) -> tuple[dict[str, int], OutputCheck]:
        findings = Findings()
        check = OutputCheck(SETTINGS, NUMBER, certain, self.found(), retention, findings)
        for work in self.works:
            check.work(work)
        check.rest()
        return {kind: count for (_, kind), count in findings.counts.items()}, check


def _spot(at: int, output: Output, appended: int = 0) -> tuple[Name, Spot]:
    topic = output.topic.removeprefix("t.")
    number = OUTPUT_TOPICS.index(topic)
    name, fingerprint = name_and_fingerprint(topic, output.key, output.value, plain_headers(output.headers))
    return (number, name), Spot(fingerprint, number, 0, at, appended)


def _named(output: Output) -> tuple[Name, Spot]:
    return _spot(0, output)


@pytest.fixture
def topics() -> Topics:
    """Entries, a reward, exits by time, a conflict and a tick that cannot be read; the last entry is not certain."""
    book = CatalogBook(CATALOG)
    journal = [
        activation(0, 0), happened(2, book, "u:ann", {"name": "A", "event_id": "one"}),
        happened(3, book, "a:bob", {"name": "A"}),
        happened(5, book, "u:ann", {"name": "A", "event_id": "one", "properties": {"n": 3}}),
        happened(6, book, "u:ann", {"name": "B"}), Journalled(7, b"\0\0\0\0\1", None),
        tick(9, NOON + 120 * MINUTE), happened(12, book, "u:dee", {"name": "A"}),
    ]  # fmt: skip
    fold = OfflineFold(NUMBER, CATALOG)
    # As a verification stops where certainty ends.
    works = [*fold.fold(journal[:7], 12), *fold.fold(journal[7:], 14)]
    announced = Announced(SETTINGS)
    return Topics(works, [output for work in works for output in announced(work, 1_700_000_000_000)])


def test_what_was_written_is_identical(topics: Topics) -> None:
    """Outputs and dead letters of workers are those of the fold, although dead letters bear another time."""
    counts, check = topics.judged()
    assert counts == {}
    assert (check.compared, check.running, check.expired) == (len(topics.written) - 2, 2, 0)
    assert {output.topic for output in topics.written} == {
        "t.offer-entry", "t.offer-exit", "t.reward-satisfied", "t.dead-letter",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("at", "appended", "applied", "twice", "expected"),
    [
        (0, 5, 10, False, {}), (0, 5, None, False, {}), (-1, 5, 10, False, {"unexpected": 1}),
        (0, 20 + SKEW_MS, 10, False, {"unexpected": 1}), (0, 200 + SKEW_MS, None, False, {"unexpected": 1}),
        (0, 5, 10, True, {"duplicated": 1}), (-1, 5, 10, True, {"unexpected": 2}),
    ],
    ids=["in front", "in front, of an old copy", "behind", "after the copy", "after what was decided since",
         "twice in front", "twice behind"],
)  # fmt: skip
def test_what_may_have_been_decided_before_the_copy(
    topics: Topics, at: int, appended: int, applied: int | None, twice: bool, expected: dict[str, int]
) -> None:
    """Of a fold on from a copy: what nobody decided since counts as decided before if it lies in front of the first
    output that was, and was appended before the copy's position was moved and before that output. And once only."""
    late = [work for work in topics.works if work.outputs or work.dead_letters][1:]
    due = [output for work in late for output in Announced(SETTINGS)(work, 0)]
    entry = next(output for output in due if output.topic == "t.offer-entry")
    headers = [(name, b"0" * 32 if name == "ce_id" else value) for name, value in entry.headers]
    stranger = Output(entry.topic, entry.key, entry.value, headers)
    written = [_spot(place, output, 100) for place, output in enumerate(topics.written)]
    strangers = [_spot(at if at < 0 else len(written) + at, stranger, appended) for at in [at, at][: 1 + twice]]
    findings = Findings()
    begin = [(name, spot._replace(offset=spot.offset - 1000 if at == 0 else 1000)) for name, spot in strangers]
    check = OutputCheck(SETTINGS, NUMBER, CERTAIN, [*begin, *written], KEEPS_ALL, findings, Earlier(applied))
    for work in late:
        check.work(work)
    check.rest()
    assert {kind: count for (_, kind), count in findings.counts.items()} == expected
    known = 1 + twice - sum(expected.values())
    earlier = sum(name not in [one[0] for one in map(_named, due)] for name, _ in written)
    assert check.earlier == known + earlier


def _drop(topics: Topics) -> None:
    del topics.written[1]


def _double(topics: Topics) -> None:
    topics.written += [topics.written[1]] * 2


def _swap(topics: Topics) -> None:
    topics.written[0].key = b"eve"


def _rewrite(topics: Topics) -> None:
    topics.written[0].headers = list(reversed(topics.written[0].headers or []))


def _invent(topics: Topics) -> None:
    one = topics.written[0]
    headers = [(name, b"ab" * 16 if name == "ce_id" else value) for name, value in one.headers or []]
    topics.written.append(Output(one.topic, one.key, one.value, headers))


def _another_topic(topics: Topics) -> None:
    topics.written[0].topic = "t.offer-exit"


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (_drop, {"missing": 1}), (_double, {"duplicated": 2}), (_swap, {"wrong": 1}), (_rewrite, {"wrong": 1}),
        (_invent, {"unexpected": 1}), (_another_topic, {"missing": 1, "unexpected": 1}),
    ],
)  # fmt: skip
def test_what_was_tampered_with_is_found(
    topics: Topics, tamper: Callable[[Topics], None], expected: dict[str, int]
) -> None:
    """Each kind of difference is counted as what it is, once for each record."""
    tamper(topics)
    counts, _ = topics.judged()
    assert counts == expected


def test_what_is_on_its_way_may_be_there_or_not(topics: Topics) -> None:
    """Of records at or above the certain position outputs may be missing; they may not be there twice."""
    late = [one for one in topics.written if one.key == b"dee"]
    assert len(late) == 2
    topics.written = [one for one in topics.written if one.key != b"dee"]
    assert topics.judged()[0] == {}
    assert topics.judged(certain=13)[0] == {"missing": 2}
    topics.written += [late[0], late[0]]
    assert topics.judged()[0] == {"duplicated": 1}


def test_only_what_retention_can_have_taken_is_expired(topics: Topics) -> None:
    """What is missing is expired if its place lost its beginning and still has nothing older than the journal record;
    younger ones are missing all the same."""
    everything, topics.written = topics.written, []
    partitions = range(4)
    gone = {(f"t.{name}", partition): 5 for name in OUTPUT_TOPICS for partition in partitions}
    certain = len(everything) - 2
    for retention, missing in (
        (Retention(gone, {}), 0),
        (Retention(gone, dict.fromkeys(gone, NOON + 500 * MINUTE)), 0),
        (Retention(gone, dict.fromkeys(gone, NOON - SKEW_MS - 1)), certain),
        (Retention(dict.fromkeys(gone, 0), {}), certain),
    ):
        counts, check = topics.judged(retention)
        assert counts.get("missing", 0) == missing
        assert (check.expired, check.compared) == (certain - missing, missing)


def test_the_place_of_an_output_is_that_of_its_key() -> None:
    """Only the partition that the key chooses can have lost it; a dead letter without key may have been anywhere."""
    source = Journalled(3, b"", b"u:ann")
    mine = partition_of(b"ann", 4)
    topic = "t.offer-entry"
    for lost in range(4):
        starts = {(topic, partition): 9 * (partition == lost) for partition in range(4)}
        found = Retention(starts, {}).may_have_taken(Output(topic, b"ann", b""), source)
        assert found == (lost == mine)
    letters = {("t.dead-letter", partition): 9 * (partition == 2) for partition in range(4)}
    assert Retention(letters, {}).may_have_taken(Output("t.dead-letter", None, b""), source)


def test_dead_letters_are_equal_but_for_who_judged_and_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version and another moment change no fingerprint; another detail does."""
    record = Journalled(3, b"\0\0\0\0\x07", b"u:ann")

    def letter(detail: str, at: int) -> bytes:
        dead_letter._judged.cache_clear()
        return write_dead_letter("t.dead-letter", record, DeadLetter("rule_error", detail), "rules", at).value or b""

    first = letter("why", 5)
    monkeypatch.setattr(dead_letter, "_VERSION", b"\x0aother")
    assert unstamped(first) == unstamped(letter("why", 1 << 40))
    assert unstamped(first) != unstamped(letter("how", 5))
    dead_letter._judged.cache_clear()
    for broken in (b"", b"\0\0\0\0\x19garbage", first + b"x"):
        with pytest.raises(ValueError):
            unstamped(broken)


def test_topics_are_sorted_by_journal_partition(
    topics: Topics, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every output goes to the journal partition of its entity, visitors and users who are called like visitors
    included; dead letters of others are left out; what is no output is foreign."""
    folder = str(tmp_path)
    letter = next(output for output in topics.written if output.topic == "t.dead-letter")
    validated = [(n, b"validation" if n.endswith("stage") else v) for n, v in plain_headers(letter.headers)]
    written = [*topics.written, Output(letter.topic, letter.key, letter.value, validated)]  # type: ignore[arg-type]
    written += [Output("t.offer-entry", b"eve", b"?", []), Output("t.offer-entry", None, b"?", [])]
    records = [_Lying(at, one) for at, one in enumerate(written)]
    monkeypatch.setattr(collecting, "read_spans", lambda *_: iter(records))
    told: list[int] = []
    wanted = frozenset(range(4))
    found = collect(Collecting(SETTINGS, {}, wanted, 4, folder, 0), told.append)
    assert [one.places for one in found.foreign] == [
        (("offer-entry", 0, len(written) - 2),),
        (("offer-entry", 0, len(written) - 1),),
    ]
    assert sum(told) == len(written)
    assert found.first_ms[letter.topic, 0] == NOON
    sorted_out = {partition: dict(collected(folder, partition)) for partition in wanted}
    assert sum(map(len, sorted_out.values())) == len(topics.written)
    for partition, entries in sorted_out.items():
        for spot in entries.values():
            one = written[spot.offset]
            if one.topic == letter.topic:
                assert partition == NUMBER
            else:
                key = one.key or b""
                assert partition == partition_of(key if key == b"a:fake" else b"u:" + key, 4) or key.startswith(b"a:")


class _Lying(Journalled):
    """An output as it lies in its topic."""

    def __init__(self, at: int, output: Output) -> None:
        super().__init__(at, output.value, output.key)
        object.__setattr__(self, "_output", output)

    def topic(self) -> str:
        return self._output.topic  # type: ignore[attr-defined, no-any-return]

    def partition(self) -> int:
        return 0

    def headers(self) -> Sequence[tuple[str, bytes | None]]:  # type: ignore[override]
        return list(plain_headers(self._output.headers))  # type: ignore[attr-defined]


def test_findings_keep_the_first_and_count_the_rest(topics: Topics) -> None:
    """However much is wrong, a handful of each kind travels, and all of it is counted."""
    works = topics.works * 20
    findings = Findings()
    check = OutputCheck(SETTINGS, NUMBER, 100, [], KEEPS_ALL, findings)
    for work in works:
        check.work(work)
    assert findings.counts == {(OUTPUTS, "missing"): 20 * len(topics.written)}
    assert len(findings.first) == 5
