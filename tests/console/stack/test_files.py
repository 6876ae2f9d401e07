"""What a stack keeps on disk and how it is found."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from console.stack.files import Identity, StackFiles, Wanted


def test_the_nearest_directory_upward_is_used(tmp_path: Path) -> None:
    """A stack made beside the README is found from anywhere below it, and a nearer one wins."""
    (tmp_path / ".offerflow").mkdir()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert StackFiles.find(start=below).root == tmp_path / ".offerflow"
    (tmp_path / "a" / ".offerflow").mkdir()
    assert StackFiles.find(start=below).root == tmp_path / "a" / ".offerflow"


def test_a_given_directory_wins_over_the_search(tmp_path: Path) -> None:
    """``--dir`` names the place even if there is a stack above it and none in it."""
    (tmp_path / ".offerflow").mkdir()
    (tmp_path / "mine").mkdir()
    assert StackFiles.find(tmp_path / "mine", start=tmp_path).root == tmp_path / "mine" / ".offerflow"


def test_written_values_come_back_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    """The server key survives the round trip in a file of mode 0600 below a directory of mode 0700."""
    files = StackFiles.find(tmp_path)
    files.make()
    files.write(Identity(api_key="sk_x", ports={"kafka": 20000}))
    files.write(Wanted(generation=7, rules=3))
    assert files.identity() == Identity(api_key="sk_x", ports={"kafka": 20000})
    assert files.wanted() == Wanted(generation=7, rules=3)
    assert stat.S_IMODE((files.root / "stack.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(files.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"{", b'{"api_key": 1}', b"\x00\xff"])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    """What a failing disk left of a file does not keep the stack from starting."""
    files = StackFiles.find(tmp_path)
    files.make()
    (files.root / "stack.json").write_bytes(content)
    assert files.identity() is None


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    """The lock is refused while somebody holds it and free again afterwards."""
    files = StackFiles.find(tmp_path)
    assert not files.supervised()
    files.make()
    with files.lock() as mine:
        assert mine
        with files.lock() as second:
            assert not second
        assert files.supervised()
    assert not files.supervised()
