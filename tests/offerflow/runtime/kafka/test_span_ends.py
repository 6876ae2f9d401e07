"""Where a bounded reading ends: at its own bound, whatever a broker says of the end of the partition."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from offerflow.runtime import outside
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.settings import Settings

PLACE = ("t.journal", 0)


def _said(offset: int, code: int | None = None) -> Any:
    """A message of the client: a record, or what it says of the partition."""
    error = None if code is None else KafkaError(code)
    return SimpleNamespace(
        error=lambda: error, topic=lambda: PLACE[0], partition=lambda: PLACE[1], offset=lambda: offset,
        headers=lambda: None,
    )  # fmt: skip


def _told(monkeypatch: pytest.MonkeyPatch, *batches: list[Any]) -> None:
    """A consumer that gives these, one batch after the other."""
    left = iter(batches)
    made = SimpleNamespace(
        assign=lambda _: None, pause=lambda _: None, close=lambda: None, consume=lambda *_: next(left)
    )
    monkeypatch.setattr(outside, "Consumer", lambda _: made)


def test_an_end_below_the_bound_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that does not know its end yet says it too early: what comes after it is read all the same."""
    _told(
        monkeypatch, [_said(0), _said(1, KafkaError._PARTITION_EOF)], [_said(1)], [_said(5, KafkaError._PARTITION_EOF)]
    )
    found = [record.offset() for record in read_spans(Settings(), {PLACE: (0, 5)}, "tests", whole=True)]
    assert found == [0, 1]


def test_nothing_below_the_first_offset_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that was thrown back gives no record twice."""
    _told(monkeypatch, [_said(1), _said(2), _said(3), _said(4)])
    assert [record.offset() for record in read_spans(Settings(), {PLACE: (3, 5)}, "tests")] == [3, 4]


def test_a_beginning_that_is_gone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever needs the whole of it is told, rather than given the rest."""
    _told(monkeypatch, [_said(0, KafkaError._AUTO_OFFSET_RESET)])
    with pytest.raises(Refused) as refused:
        list(read_spans(Settings(), {PLACE: (0, 5)}, "tests", whole=True))
    assert refused.value.reason == "journal_short"
