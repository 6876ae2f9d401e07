"""Avro as no sane writer makes it and every reader must take it: integers in too many bytes, arrays and maps in several
blocks with and without their size, keys twice."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st


class Sloppy:
    """Writes values of a schema, with the liberties that ``draw`` takes. Unions take (branch, value)."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def long(self, value: int) -> bytes:
        left = (value << 1) ^ (value >> 63)
        out = [left & 0x7F]
        while left := left >> 7:
            out.append(left & 0x7F)
        out += [0] * min(self._draw(st.sampled_from([0, 0, 0, 1, 3])), 10 - len(out))
        return bytes([byte | 0x80 for byte in out[:-1]] + out[-1:])

    def write(self, schema: Any, value: Any) -> bytes:
        if isinstance(schema, list):
            branch, inner = value
            return self.long(branch) + self.write(schema[branch], inner)
        kind = schema["type"] if isinstance(schema, dict) else schema
        match kind:
            case "null":
                return b""
            case "boolean":
                return bytes([value])
            case "int" | "long":
                return self.long(value)
            case "float" | "double":
                return struct.pack("<f" if kind == "float" else "<d", value)
            case "string":
                return self.long(len(value.encode())) + value.encode()
            case "enum":
                return self.long(schema["symbols"].index(value))
            case "array":
                return self._blocks([self.write(schema["items"], item) for item in value])
            case "map":
                return self._blocks([self.write("string", key) + self.write(schema["values"], v) for key, v in value])
        return b"".join(self.write(field["type"], value[field["name"]]) for field in schema["fields"])

    def _blocks(self, items: list[bytes]) -> bytes:
        out = b""
        while items:
            count = self._draw(st.integers(1, len(items)))
            block = b"".join(items[:count])
            sized = self._draw(st.booleans())
            out += self.long(-count) + self.long(len(block)) + block if sized else self.long(count) + block
            items = items[count:]
        return out + b"\0"


def written(schema: Any) -> st.SearchStrategy[Any]:
    """Values as ``Sloppy.write`` takes them."""
    if isinstance(schema, list):
        return st.one_of([st.tuples(st.just(at), written(branch)) for at, branch in enumerate(schema)])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and schema.get("logicalType"):
        return st.integers(-(2**47), 2**48) | st.integers(1_700_000_000_000, 1_800_000_000_000)
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "int" | "long":
            bits = 31 if kind == "int" else 63
            return st.integers(-(2**bits), 2**bits - 1) | st.integers(-70, 70)
        case "float" | "double":
            return st.floats(width=32 if kind == "float" else 64) | st.just(1.5)
        case "string":
            return st.text(max_size=6) | st.sampled_from(["x" * 127, "x" * 128, "ü" * 70, "\0", ""])
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(written(schema["items"]), max_size=3)
        case "map":
            return st.lists(st.tuples(st.sampled_from(["a", "b", "ü"]), written(schema["values"])), max_size=3)
    return st.fixed_dictionaries({field["name"]: written(field["type"]) for field in schema["fields"]})
