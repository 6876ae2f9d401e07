"""The native envelope: what is read of any bytes, and what is said of those that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import MAX_DEPTH, Undecodable, decode, depth


def nested(levels: int, last: Any = 1) -> Any:
    value = last
    for n in range(levels):
        value = [value] if n % 2 else {"a": value}
    return value


def test_what_is_read() -> None:
    """Every member of the contract; others are left alone, context is not even looked into."""
    given = {
        "event": "A", "user_id": "u", "anonymous_id": "a", "event_id": "e", "time": "2026-03-05T10:00:00Z",
        "source": "s",
        "type": "track", "properties": {"x": [1, None]}, "previous_id": "p",
    }  # fmt: skip
    found = decode(json.dumps({**given, "context": nested(30), "messageId": 5}).encode())
    assert {name: getattr(found, name) for name in given} == given


@pytest.mark.parametrize("levels", range(MAX_DEPTH - 2, MAX_DEPTH + 3))
def test_depth_has_a_bound(levels: int) -> None:
    """16 levels of properties are fine and 17 are not, however many brackets stand elsewhere."""
    for more in ({}, {"context": nested(40)}, {"text": "[{" * 40}):
        data = json.dumps({"event": "A", "properties": {"a": nested(levels - 1)}, **more}).encode()
        if levels <= MAX_DEPTH:
            assert decode(data).event == "A"
        else:
            with pytest.raises(Undecodable, match="deeper than 16"):
                decode(data)


@pytest.mark.parametrize(
    ("value", "levels"), [(1, 0), ("[[", 0), ({}, 1), ([], 1), ([[], {"a": []}], 3), ({"a": 1, "b": {"c": 1}}, 2),
     (nested(20), 20)]
)  # fmt: skip
def test_depth(value: Any, levels: int) -> None:
    """Levels of objects and arrays."""
    assert depth(value) == levels


@pytest.mark.parametrize(
    "data",
    [
        b'{"event": "A", "user_id": "\\ud800"}', b'{"event": "A", "user_id": "\xff"}',
        b'{"event": "A", "context": {"a": "\xa0"}}',
        b'{"event": "A", "context": [01]}', b'{"event": "A"', b'{"event": "A"}}', b'{"event": "A", "time": 1e400}',
        b'{"event": "A",}', b"{'event': 'A'}", b"null", b"5", b'"A"', b"[]", b"\xef\xbb\xbf{}",
        b'{"event": "A", "time": "5}',
        b'{"event": "A", "properties": {"a": NaN}}', b'{"event": "A", "properties": {"a": 1e999}}',
    ],
)  # fmt: skip
def test_what_is_no_envelope(data: bytes) -> None:
    """Whatever a JSON parser would not read as an object of the contract's types, anywhere in the record."""
    with pytest.raises(Undecodable, match=r"expected|not JSON|not an event envelope"):
        decode(data)


@given(data=st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """An envelope or Undecodable, never another exception."""
    try:
        decode(data)
    except Undecodable as error:
        said = str(error)
    else:
        return
    assert said
