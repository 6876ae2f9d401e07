"""Avro read byte by byte, from the specification, and refused wherever it leaves it. Slow, and afraid of nothing.

fastavro lets pass what the contract does not (a boolean of 7, bytes left over) and may ask for memory without end.
"""

from __future__ import annotations

import struct
from typing import Any

from tests.oracle.shape import Branch


class BrokenError(Exception):
    """The bytes are not a value of the schema; the message names the field."""


class Reader:
    """Reads one value from the start of ``body``; ``end`` must be called when it should be over."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._weightless = 0

    def end(self) -> None:
        if self._at != len(self._body):
            raise BrokenError(f"{len(self._body) - self._at} bytes are left")

    def rest(self) -> bytes:
        """What has not been read yet."""
        return self._body[self._at :]

    def read(self, schema: Any, where: str) -> Any:
        """The value as a tree (see shape.py), times as milliseconds."""
        if isinstance(schema, list):
            at = self._index(len(schema), where)
            return Branch(at, self.read(schema[at], where))
        kind = schema if isinstance(schema, str) else schema["type"]
        if isinstance(kind, dict | list):
            return self.read(kind, where)
        match kind:
            case "null":
                return None
            case "boolean":
                return bool(self._below(self._byte(where), 2, where))
            case "int":
                return self._within(self._long(where), 2**31, where)
            case "long":
                return self._long(where)
            case "float":
                return struct.unpack("<f", self._take(4, where))[0]
            case "double":
                return struct.unpack("<d", self._take(8, where))[0]
            case "string":
                return self._text(where)
            case "enum":
                return schema["symbols"][self._index(len(schema["symbols"]), where)]
            case "record":
                return {one["name"]: self.read(one["type"], f"{where}.{one['name']}") for one in schema["fields"]}
            case "array":
                return [value for _, value in self._blocks(schema["items"], where, keyed=False)]
            case "map":
                return dict(self._blocks(schema["values"], where, keyed=True))
        raise AssertionError(f"{where}: the oracle reads no {kind}")

    def _blocks(self, schema: Any, where: str, keyed: bool) -> list[tuple[str, Any]]:
        items: list[tuple[str, Any]] = []
        while count := self._long(where):
            size = self._long(where) if count < 0 else None
            start = self._at
            for _ in range(abs(count)):
                before = self._at
                key = self._text(where) if keyed else ""
                items.append((key, self.read(schema, f"{where}.{key}" if keyed else f"{where}[{len(items)}]")))
                self._weightless += self._at == before
                if self._weightless > len(self._body):
                    raise BrokenError(f"{where} has more items than the value has bytes")
            if size not in (None, self._at - start):
                raise BrokenError(f"{where}: a block is not as long as it says")
        return items

    def _index(self, count: int, where: str) -> int:
        return self._below(self._within(self._long(where), 2**31, where), count, where)

    def _text(self, where: str) -> str:
        try:
            return self._take(self._long(where), where).decode("utf-8")
        except UnicodeDecodeError:
            raise BrokenError(f"{where} is not UTF-8") from None

    def _long(self, where: str) -> int:
        number = 0
        for place in range(10):
            byte = self._byte(where)
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return self._within((number >> 1) ^ -(number & 1), 2**63, where)
        raise BrokenError(f"{where}: an integer of more than ten bytes")

    def _byte(self, where: str) -> int:
        return self._take(1, where)[0]

    def _take(self, size: int, where: str) -> bytes:
        if not 0 <= size <= len(self._body) - self._at:
            raise BrokenError(f"{where}: {size} bytes are not there")
        self._at += size
        return self._body[self._at - size : self._at]

    @staticmethod
    def _below(number: int, end: int, where: str) -> int:
        if not 0 <= number < end:
            raise BrokenError(f"{where}: {number} is not below {end}")
        return number

    @staticmethod
    def _within(number: int, half: int, where: str) -> int:
        if not -half <= number < half:
            raise BrokenError(f"{where}: {number} has too many bits")
        return number
