"""Events in the order of their times, however many there are and however little memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.importing.sorting import Sorter


@given(st.lists(st.integers(-(10**12), 10**13), max_size=60), st.integers(1, 900), st.integers(2, 5))
def test_any_events_in_any_memory(times: list[int], memory: int, runs: int) -> None:
    """By time, of one time in the order in which they came, each exactly once, and the same when read again."""
    with Sorter(memory, runs) as sorter:
        for number, time in enumerate(times):
            sorter.add(time, f"u{number}", b"%d" % number, number)
        expected = sorted((time, number) for number, time in enumerate(times))
        for _ in range(2):
            assert [(one.time, int(one.value)) for one in sorter] == expected
        assert [one.line for one in sorter] == [number for _, number in expected]
        assert sorter.count == len(times)


def test_its_files_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs lie in the directory for temporary files while they are needed, and few at a time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sorter(1, 3) as sorter:
        for time in range(20):
            sorter.add(-time, "u", b"x", time)
        assert 0 < len(list(tmp_path.rglob("[0-9]*"))) <= 3
        assert [one.line for one in sorter] == list(range(19, -1, -1))
    assert list(tmp_path.iterdir()) == []


def test_what_fits_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is written for a few events."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sorter() as sorter:
        sorter.add(1, "u", b"x", 1)
        assert [one.line for one in sorter] == [1]
        assert list(tmp_path.iterdir()) == []
