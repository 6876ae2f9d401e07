"""What ``offerflow fuse`` makes of what workers wrote."""

from __future__ import annotations

import pytest

from console.cli import fuse
from schemas.seen import Share, Snapshot, Watch

TOPICS = {"raw.backend", "raw.sdk"}


def _watch(why: str) -> Watch:
    return Watch(plan="two", over=False, held=why)


def test_the_workers_of_now() -> None:
    """Who left is not shown, nor topics that nobody reads any more; who came is, before it has counted anything."""
    snapshots = {
        ("raw.backend", 0): Snapshot("id", 1, worker="validation-1"),
        ("raw.backend", 1): Snapshot("id", 1, worker="validation-9"),
        ("raw.gone", 0): Snapshot("id", 1, worker="validation-1", watch=_watch("why")),
    }
    shown = fuse.workers_of(["validation-2", "validation-1"], snapshots, TOPICS)
    assert [(one["worker"], one["state"], one["partitions"]) for one in shown] == [
        ("validation-1", "quiet", 1), ("validation-2", "quiet", 0),
    ]  # fmt: skip


def test_what_is_held_is_shown_without_a_worker(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the worker that held has left, whoever comes next holds as well."""
    snapshots = {("raw.backend", 0): Snapshot("id", 1, worker="validation-9", watch=_watch("why it holds"))}
    (shown,) = fuse.workers_of([], snapshots, TOPICS)
    assert (shown["worker"], shown["state"], shown["why"]) == (None, "holding", "why it holds")
    fuse._print([shown])
    said = capsys.readouterr().out
    assert "No validation worker is running." in said
    assert "(nobody): why it holds" in said


def test_the_figures_that_it_holds_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the batch that is not written, over all partitions; and no name is broken on a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    first, second = _watch("why"), _watch("why")
    first.before, first.pending = {"dock-backend": Share(300, 3)}, {"dock-backend": Share(100, 100)}
    second.since = {"dock-backend": Share(109, 90)}
    snapshots = {
        ("raw.backend", partition): Snapshot("id", 1, worker="validation-1", watch=watch)
        for partition, watch in enumerate((first, second))
    }
    (shown,) = fuse.workers_of(["validation-1"], snapshots, TOPICS)
    assert shown["sources"] == [
        {"source": "dock-backend", "before": {"events": 300, "bad": 3}, "since": {"events": 209, "bad": 190}}
    ]
    fuse._print([shown])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["validation-1", "dock-backend", "1.0%", "of", "300", "90.9%", "of", "209"] in rows
