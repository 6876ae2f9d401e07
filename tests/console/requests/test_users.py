"""Files of users: what is read of them, and what is said of lines that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.requests.users import User, read_users


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("user_id\nanna\nben\n", [(2, "anna", None), (3, "ben", None)]),
        ("\ufeffname,User_Id\r\nAnna,anna\r\n\r\nBen,ben\r\n", [(2, "anna", None), (4, "ben", None)]),
        ('userId\n"a,""b"""\n', [(2, 'a,"b"', None)]),
        ('{"user_id": "anna"}\n\n{"userId": "ben", "plan": 1}\n', [(1, "anna", None), (3, "ben", None)]),
    ],
)
def test_users_are_read(text: str, users: list[tuple[int, str, str | None]]) -> None:
    """CSV by its header, whatever else is in it, or a JSON object a line."""
    assert read_users(text.encode(), keyed=False) == ([User(*user) for user in users], [], 0)


def test_keys_and_repeats() -> None:
    """A user with another key is another entry; the same again is counted and left out."""
    found, wrong, repeated = read_users(b"user_id,key\nanna,o-1\nanna,o-2\nanna,o-1\n", keyed=True)
    assert (found, wrong, repeated) == ([User(2, "anna", "o-1"), User(3, "anna", "o-2")], [], 1)


@pytest.mark.parametrize(
    ("data", "keyed", "line", "words"),
    [
        (b"", False, 1, "empty"),
        (b"anna\nben\n", False, 1, "expected a header with user_id"),
        (b"user_id\nanna\n\xff\n", False, 3, "not UTF-8"),
        (b"user_id,key\nanna\n", True, 2, "1 columns, expected 2"),
        (b"user_id,plan\n,pro\n", False, 2, "user_id is missing"),
        (b"user_id\nanna\n", True, 2, "key is missing"),
        (b"user_id,key\nanna,o-1\n", False, 2, "does not tell entries apart"),
        (b"user_id\n" + b"u" * 513, False, 2, "at most 512"),
        (b'user_id\n"anna\n', False, 2, "not CSV"),
        (b'{"user_id": "anna"}\n{"user_id": 7}', False, 2, "expected a string"),
        (b'{"user_id": "anna"}\n{"user_id": ', False, 2, "not JSON"),
        (b'{"user_id": "anna"}\n[1]', False, 2, "expected an object"),
        (b'{"user_id": "\\ud800"}', False, 1, "half a character"),
    ],
)
def test_what_cannot_be_read_is_told_by_line(data: bytes, keyed: bool, line: int, words: str) -> None:
    """So that the file can be mended before anything is sent."""
    _, wrong, _ = read_users(data, keyed=keyed)
    assert [one.line for one in wrong] == [line]
    assert words in wrong[0].message


@given(st.binary(max_size=200), st.booleans())
def test_no_file_makes_it_fail(data: bytes, keyed: bool) -> None:
    """Whatever the bytes, they are users or told what is wrong with them."""
    found, wrong, _ = read_users(data, keyed=keyed)
    assert found or wrong or data.strip()
    assert all(user.user_id and (user.key is not None) is keyed for user in found)
