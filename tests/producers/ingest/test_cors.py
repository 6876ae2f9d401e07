"""What browsers are told, and which pages may use a key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ingest import cors
from producers.ingest.keyring import Source, Terms

PAGE = b"https://shop.example"
ASKED = {
    b"origin": PAGE,
    b"access-control-request-method": b"POST",
    b"access-control-request-headers": b"authorization,content-type,anonymousid",
}


def test_a_preflight_is_answered_openly_and_for_long() -> None:
    """With the methods of the path and the headers that were asked for, whichever they are."""
    answer = cors.preflight(ASKED, ("POST", "GET"))
    assert answer is not None
    told = dict(answer.headers)
    assert (answer.status, answer.body) == (204, b"")
    assert told[b"access-control-allow-methods"] == b"POST, GET"
    assert told[b"access-control-allow-headers"] == b"authorization,content-type,anonymousid"
    assert told[b"access-control-max-age"] == b"86400"
    assert b"origin" in told[b"vary"]


def test_a_preflight_without_headers_to_ask_for() -> None:
    """Needs none to be allowed."""
    answer = cors.preflight({name: ASKED[name] for name in list(ASKED)[:2]}, ("POST",))
    assert answer is not None
    assert b"access-control-allow-headers" not in dict(answer.headers)


@pytest.mark.parametrize("without", [b"origin", b"access-control-request-method"])
def test_other_questions_are_no_preflight(without: bytes) -> None:
    """OPTIONS of no browser is answered as any other wrong method."""
    assert cors.preflight({name: value for name, value in ASKED.items() if name != without}, ("POST",)) is None


def test_odd_headers_are_not_repeated() -> None:
    """Nothing that could end a header or be of any size goes back."""
    answer = cors.preflight({**ASKED, b"access-control-request-headers": b"a: b"}, ("POST",))
    assert answer is not None
    assert b"access-control-allow-headers" not in dict(answer.headers)
    assert cors.headers_for({b"origin": b"https://a b"}) == ()
    assert cors.headers_for({b"origin": b"h" * 400}) == ()
    assert cors.preflight({**ASKED, b"origin": b"\xff"}, ("POST",)) is None


def test_answers_to_pages_can_be_read_by_them() -> None:
    """The origin itself and not ``*``, since beacons come with credentials; a cache keeps origins apart."""
    told = dict(cors.headers_for({b"origin": PAGE}))
    assert told[b"access-control-allow-origin"] == PAGE
    assert told[b"access-control-allow-credentials"] == b"true"
    assert told[b"access-control-expose-headers"] == b"retry-after"
    assert told[b"vary"] == b"origin"
    assert cors.headers_for({}) == ()


@pytest.mark.parametrize(
    ("allowed", "origin", "good"),
    [
        (None, "https://anywhere.example", True),
        ({"https://shop.example"}, "https://shop.example", True),
        ({"https://shop.example"}, "https://SHOP.example", True),
        ({"https://shop.example"}, "http://shop.example", False),
        ({"https://shop.example"}, "https://shop.example:8443", False),
        ({"https://shop.example"}, "https://shop.example.evil.example", False),
        ({"https://*.shop.example"}, "https://eu.shop.example", True),
        ({"https://*.shop.example"}, "https://a.b.shop.example", True),
        ({"https://*.shop.example"}, "https://shop.example", False),
        ({"https://*.shop.example"}, "https://.shop.example", False),
        ({"https://*.shop.example"}, "https://evilshop.example", False),
        ({"https://*.shop.example"}, "http://eu.shop.example", False),
        ({"https://shop.example"}, "null", False),
        ({"null"}, "null", True),
        (set(), "https://shop.example", False),
    ],
)
def test_origins(allowed: set[str] | None, origin: str, good: bool) -> None:
    """Exactly those listed, or every host below one; 403 names the origin, the key and the command that allows it."""
    terms = Terms("abc", origins=None if allowed is None else frozenset(allowed))
    refused = cors.refusal({b"origin": origin.encode()}, Source("web", "sdk", terms))
    assert (refused is None) == good
    if refused is not None:
        assert (refused.status, refused.error) == (403, "origin_not_allowed")
        assert f"offerflow keys change abc --add-origin {origin}" in refused.message


def test_a_client_that_names_no_origin_is_no_browser() -> None:
    """Apps may use the key of a web site; origins protect pages from pages."""
    assert cors.refusal({}, Source("web", "sdk", Terms("abc", origins=frozenset()))) is None


@given(st.dictionaries(st.sampled_from([*ASKED, b"webhook-request-origin"]), st.binary(max_size=30)))
def test_no_header_raises_or_comes_back_odd(headers: dict[bytes, bytes]) -> None:
    """Whatever is sent: an answer whose headers are printable, or none."""
    source = Source("web", "sdk", Terms("abc", origins=frozenset({"https://*.shop.example"})))
    answers = [cors.preflight(headers, ("POST",)), cors.handshake(headers)]
    told = [*cors.headers_for(headers), *(pair for answer in answers if answer is not None for pair in answer.headers)]
    assert all(value.isascii() and value.decode().isprintable() for _, value in told)
    assert (cors.refusal(headers, source) is None) == (b"origin" not in headers)
