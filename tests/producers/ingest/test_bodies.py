"""Reading bodies: what clients wrap JSON into, what they write that is none, and the limits."""

from __future__ import annotations

import base64
import gzip
import json
from urllib.parse import quote, quote_plus, unquote_to_bytes

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from producers.ingest import bodies
from producers.ingest.answers import Refusal
from producers.ingest.bodies import decoded, json_of, spread, tolerant, within
from producers.ingest.limits import Limits

TEXT = '{"a": "ü + %"}'.encode()
LIMITS = Limits()
decode = msgspec.json.Decoder().decode
raws = msgspec.json.Decoder(list[Raw]).decode


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        b"\xef\xbb\xbf" + TEXT,
        b" \n" + TEXT,
        gzip.compress(TEXT, mtime=0),
        quote(TEXT).encode(),
        b"data=" + quote_plus(TEXT).encode(),
        b"ip=0&data=" + quote(TEXT).encode() + b"&verbose=1",
        b"data=" + base64.b64encode(TEXT),
        b"data=" + quote_plus(base64.urlsafe_b64encode(TEXT).rstrip(b"=")).encode(),
        b"data=" + quote_plus(base64.b64encode(gzip.compress(TEXT, mtime=0))).encode(),
    ],
)
def test_json_is_found_in_whatever_is_around_it(body: bytes) -> None:
    """Percent encoding, a field of a form, base64, compression without a header, a byte order mark: the same JSON."""
    found = json_of(body, LIMITS)
    assert not isinstance(found, Refusal)
    assert json.loads(found) == {"a": "ü + %"}


def test_base64_of_a_form_may_have_lost_its_plus_signs() -> None:
    """A client that does not encode them sends blanks."""
    value = {"a": "~~~>>>???"}
    encoded = base64.b64encode(json.dumps(value).encode())
    assert b"+" in encoded
    found = json_of(b"data=" + encoded, LIMITS)
    assert decode(found if isinstance(found, bytes) else b"") == value


@pytest.mark.parametrize("body", [b"data", b"other=%7B%7D", b"", b"&".join([b"a=1"] * 200) + b"&data=%7B%7D"])
def test_a_form_without_the_field_is_left_as_it_is(body: bytes) -> None:
    """The decoder is to complain of what was sent; a field behind a hundred others is not looked for."""
    assert json_of(body, LIMITS) == body


@pytest.mark.parametrize("around", [b"%b", b"data=%b", b"a=1&data=%b"])
def test_a_long_encoded_body_is_refused_before_it_is_taken_apart(around: bytes) -> None:
    """Nobody knows yet who asks: half a megabyte of escapes is decoded, more is 413 and says what to do."""
    assert json_of(around % (b"%7B" * 170_000), LIMITS) == b"{" * 170_000
    refusal = json_of(around % (b"%7B" * 180_000), LIMITS)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error) == (413, "body_too_large")
    assert "limit for such is 524288; send the JSON as it is" in refusal.message


def test_a_long_body_of_json_has_the_limit_of_bodies_alone() -> None:
    """A blank or a byte order mark before it does not make it an encoded one."""
    text = b'{"a":"%b"}' % (b"x" * 600_000)
    assert json_of(b"\xef\xbb\xbf \n" + text, LIMITS) == text


def test_one_request_is_unpacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes it, whose key it has and what it holds are asked one after the other, of the same body."""
    calls: list[bytes] = []

    def unquoted(text: bytes) -> bytes:
        calls.append(text)
        return unquote_to_bytes(text)

    monkeypatch.setattr(bodies, "unquote_to_bytes", unquoted)
    body = quote('{"once": 1}').encode()
    assert {json_of(body, LIMITS) for _ in range(3)} == {b'{"once": 1}'}
    assert len(calls) == 1


def test_too_many_values_in_a_compressed_form_are_refused() -> None:
    """As in a body that is compressed as a whole: two million numbers would be two million objects."""
    body = b"data=" + base64.b64encode(gzip.compress(b"[1" + b",1" * 500_000 + b"]", mtime=0))
    refusal = json_of(body, LIMITS)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'{"a": "\xe9"}', "malformed_json", "not UTF-8 at line 1, column 8"),
        (b"\xff\xfe{\x00", "malformed_json", "not UTF-8"),
        (gzip.compress(TEXT, mtime=0)[:-9], "bad_encoding", "not whole gzip"),
        (b"data=" + base64.b64encode(gzip.compress(TEXT, mtime=0)[:-9]), "bad_encoding", "not whole gzip"),
        (gzip.compress(b" " * 5_000_000, mtime=0), "body_too_large", "limit of 4194304 bytes"),
    ],
)
def test_what_is_no_text_is_refused(body: bytes, error: str, words: str) -> None:
    """The refusal names the place or the limit; a bomb without a header is stopped as one with it."""
    refusal = json_of(body, LIMITS)
    assert isinstance(refusal, Refusal)
    assert refusal.error == error
    assert words in refusal.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'["\\ud83d"]', ["\ufffd"]),
        (b'["a\\ude00\\ud83dz"]', ["a\ufffd\ufffdz"]),
        (b'["\\ud83d\\ude00", "\\\\ud83d", NaN]', ["\U0001f600", "\\ud83d", None]),
        (b'["\\ud83d\\ud83d\\ude00"]', ["\ufffd\U0001f600"]),
        (b'["NaN", NaN, -Infinity, Infinity]', ["NaN", None, None, None]),
        (b'{"\\udc00": NaN}', {"\ufffd": None}),
    ],
)
def test_what_javascript_and_python_write_is_mended(text: bytes, value: object) -> None:
    """Half a surrogate pair is U+FFFD and what is no number is null; everything else stays as it was sent."""
    assert tolerant(decode, text, "", LIMITS) == value
    assert tolerant(raws, b"[" + text + b"]", "", LIMITS) is not None
    refusal = decoded(decode, text, "", LIMITS)
    assert isinstance(refusal, Refusal)
    assert refusal.error == "malformed_json"


def test_what_cannot_be_mended_is_refused_with_its_place_in_the_body() -> None:
    """The position is that of the body as it came."""
    refusal = tolerant(decode, b'{"a": NaN,\n "b" 5}', "expected an event", LIMITS)
    assert isinstance(refusal, Refusal)
    assert refusal.error == "malformed_json"
    assert refusal.message.endswith("; expected an event")


def test_a_long_body_is_not_mended() -> None:
    """A megabyte of quotation marks would keep everybody waiting; what hardly any client sends is refused as it is."""
    assert tolerant(decode, b'[NaN,"' + b"x" * 400_000 + b'"]', "", LIMITS) == [None, "x" * 400_000]
    refusal = tolerant(decode, b'[NaN,"' + b"x" * 600_000 + b'"]', "", LIMITS)
    assert isinstance(refusal, Refusal)
    assert refusal.error == "malformed_json"


def test_limits_name_every_event_over_them() -> None:
    """Number, size and depth, each with the limit and the indexes."""
    small = Limits(event_bytes=20, events=3, depth=2)
    items = [Raw(b"{}"), Raw(b'{"a":"%s"}' % (b"x" * 20)), Raw(b'{"a":{"b":{"c":{}}}}')]
    refusal = within(items, small)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error, [bad.index for bad in refusal.events], refusal.count) == (
        413, "event_too_large", [1], 3,
    )  # fmt: skip
    refusal = within([items[0], items[2]], small)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error, [bad.index for bad in refusal.events]) == (400, "too_deep", [1])
    refusal = within([items[0]] * 4, small)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error, refusal.count) == (413, "too_many_events", 4)
    assert within([items[0]] * 3, small) == [b"{}"] * 3


@given(body=st.binary(max_size=60) | st.builds(lambda b: b"data=" + b, st.binary(max_size=60)))
def test_any_body_is_text_or_a_refusal(body: bytes) -> None:
    """Nothing raises, and what comes out is UTF-8."""
    found = json_of(body, LIMITS)
    if isinstance(found, Refusal):
        assert found.status in (400, 413)
    else:
        found.decode()
        assert tolerant(decode, found, "", LIMITS) is not NotImplemented


@given(value=st.recursive(st.text(st.characters(codec=None), max_size=5) | st.floats(), st.lists, max_leaves=8))
def test_whatever_python_writes_as_json_is_read(value: object) -> None:
    """Every text and number of Python's encoder comes through, the halves of surrogate pairs and NaN included."""
    text = json.dumps([value]).encode()
    assert not isinstance(tolerant(raws, text, "", LIMITS), Refusal)


def test_what_is_said_once_for_all_events() -> None:
    """It may be copied into each while every event, and all copies together, stay within bounds."""
    items = [b"{}"] * 1000
    assert spread(b"", items, LIMITS) is None
    assert spread(b'{"a": 1}', items, LIMITS) is None
    assert spread(b'"%b"' % (b"x" * 60_000), items[:100], LIMITS) is None
    for shared, events, error in (
        (b'"%b"' % (b"x" * 70_000), items[:1], "event_too_large"),
        (b'"%b"' % (b"x" * 40_000), [b"x" * 40_000], "event_too_large"),
        (b'"%b"' % (b"x" * 20_000), items, "body_too_large"),
        (b"[" * 20 + b"]" * 20, items, "too_deep"),
    ):
        refusal = spread(shared, events, LIMITS)
        assert refusal is not None
        assert (refusal.error, refusal.count) == (error, len(events))
