"""Sets of millions of coordinates in little memory: a bit each, in blocks that exist only where something is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.dead_letter_state import Coordinates

_BITS = 10
_MASK = (1 << _BITS) - 1


@dataclass(slots=True)
class OffsetSet:
    """Coordinates, by partition. Adding and removing are idempotent; ``len`` is exact."""

    _blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    _size: int = 0

    def add(self, at: Coordinates) -> bool:
        """Whether it was not there before."""
        block, bit = (at[0], at[1] >> _BITS), 1 << (at[1] & _MASK)
        bits = self._blocks.get(block, 0)
        if bits & bit:
            return False
        self._blocks[block] = bits | bit
        self._size += 1
        return True

    def discard(self, at: Coordinates) -> bool:
        """Whether it was there before."""
        block, bit = (at[0], at[1] >> _BITS), 1 << (at[1] & _MASK)
        bits = self._blocks.get(block, 0)
        if not bits & bit:
            return False
        if bits == bit:
            del self._blocks[block]
        else:
            self._blocks[block] = bits ^ bit
        self._size -= 1
        return True

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """Partition, first offset and end of stretches that hold them all; not every offset in one is set."""
        for partition, block in sorted(self._blocks):
            yield partition, block << _BITS, (block + 1) << _BITS

    def __contains__(self, at: Coordinates) -> bool:
        return bool(self._blocks.get((at[0], at[1] >> _BITS), 0) & (1 << (at[1] & _MASK)))

    def __len__(self) -> int:
        return self._size
