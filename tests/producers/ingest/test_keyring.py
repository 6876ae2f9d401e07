"""Keys: where clients put them, and which source and terms they open."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offerflow.catalog.view import Catalog
from offerflow.runtime.keys import key_hash, new_key
from offerflow.runtime.metrics import ingest_wrong_keys
from offerflow.runtime.settings import LocalSettings
from producers.ingest.answers import Refusal
from producers.ingest.catalog_keys import sources_by_key
from producers.ingest.keyring import KeyRing, Source, Terms, basic_key, first_key, query_key

SERVER, WRITE = new_key(), new_key("wk_")


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


def found(headers: dict[bytes, bytes], body: object = None, query: bytes = b"") -> str:
    """The key, or the message of the refusal."""
    key = first_key(headers, "the key somewhere", (b"x-api-key",), lambda: body, query, ("writeKey", "key"))
    return key.message if isinstance(key, Refusal) else key


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f"{WRITE}:", WRITE),
        (WRITE, WRITE),
        (f"{WRITE}:{SERVER}", WRITE),
        (f"anybody:{SERVER}", SERVER),
        (f":{SERVER}", SERVER),
        ("phc_other:", "phc_other"),
        (":other", "other"),
        (f"a:b:{SERVER}", "a"),
        (":", None),
    ],
    ids=["user", "no colon", "both", "password", "password alone", "no key", "no key as password", "colons", "nothing"],
)
def test_basic_takes_the_key_from_user_or_password(given: str, expected: str | None) -> None:
    """Segment's clients send it as user, Reteno's as password under any user; else what is there is told."""
    assert basic_key({b"authorization": basic(given)}) == expected


@pytest.mark.parametrize("value", [b"Basic", b"Basic !!!", b"Basic \xff", b"Bearer x", b"", b"Basic =", b"Digest a=b"])
def test_basic_of_another_form_has_no_key(value: bytes) -> None:
    """Nothing that clients send there raises."""
    assert basic_key({b"authorization": value}) is None


def test_base64_without_padding_and_scheme_in_any_case_are_read() -> None:
    """Hand-written clients leave the padding out."""
    value = basic(f"{WRITE}:").rstrip(b"=").replace(b"Basic", b"bASIC ")
    assert basic_key({b"authorization": value}) == WRITE


def test_the_order_of_places() -> None:
    """Basic, Bearer, headers, body, query: the first that begins as a key does, wherever other things are."""
    everywhere = {b"authorization": basic("nobody:"), b"x-api-key": SERVER.encode()}
    assert found(everywhere, WRITE, b"key=" + WRITE.encode()) == SERVER
    assert found({b"authorization": f"Bearer {WRITE}".encode(), b"x-api-key": SERVER.encode()}) == WRITE
    assert found({b"x-api-key": b"other"}, WRITE) == WRITE
    assert found({}, {"a": 1}, f"a=b&writeKey={WRITE}".encode()) == WRITE
    assert found({}, f" {WRITE}\n") == WRITE
    assert found({b"x-api-key": b"other"}, 7, b"key=more") == "other"


def test_a_body_is_not_read_where_a_header_has_the_key() -> None:
    """So that a protocol need not decode it twice."""

    def never() -> object:
        raise AssertionError("the body was asked")

    assert first_key({b"authorization": basic(f"{WRITE}:")}, "", body=never) == WRITE


def test_no_key_at_all_is_told_where_it_goes() -> None:
    """The answer names the places of the protocol, and tells a header that is empty of use."""
    assert found({}) == "no key: expected the key somewhere"
    assert "holds no key" in found({b"authorization": b"Basic !!"})


def test_queries() -> None:
    """Of several names the first that has a value; a query that cannot be one has none."""
    assert query_key(b"writeKey=&key=a%5Fb", ("writeKey", "key")) == "a_b"
    assert query_key(b"&".join(b"a=%d" % n for n in range(500)), ("a",)) is None
    assert query_key(b"", ("a",)) is None


@given(headers=st.dictionaries(st.sampled_from([b"authorization", b"x-api-key"]), st.binary(max_size=40)),
       body=st.none() | st.integers() | st.text(max_size=20), query=st.binary(max_size=40))  # fmt: skip
def test_nothing_that_clients_send_raises(headers: dict[bytes, bytes], body: object, query: bytes) -> None:
    """A key or a refusal, and the ring says what is wrong with the key."""
    key = first_key(headers, "", (b"x-api-key",), lambda: body, query, ("key",))
    assert isinstance(key, Refusal) or isinstance(KeyRing(LocalSettings()).source_of(key), Refusal)


def ring(now: float = 100.0, **terms: object) -> KeyRing:
    keys = KeyRing(LocalSettings(), lambda: now)
    keys.replace({key_hash(SERVER): Source("shop", "backend", Terms(**terms))})  # type: ignore[arg-type]
    return keys


def test_a_key_ends_when_it_should() -> None:
    """Until the millisecond of its end it opens its source, then the answer says since when it does not."""
    assert isinstance(ring(expires_at=100_001).source_of(SERVER), Source)
    ended = ring(expires_at=100_000).source_of(SERVER)
    assert isinstance(ended, Refusal)
    assert (ended.status, "ended at 1970-01-01T00:01:40" in ended.message) == (401, True)


@pytest.mark.parametrize(
    ("key", "why"),
    [(SERVER, "expired"), (WRITE, "unknown"), ("sk_short", "malformed"), ("sk_" + "x" * 5000, "malformed")],
    ids=["ended", "whole", "short", "long"],
)
def test_wrong_keys_are_counted(key: str, why: str) -> None:
    """By what is wrong with them, so that guessing shows; one of any length costs no more than another."""
    keys, before = ring(expires_at=1), ingest_wrong_keys.labels(why)._value.get()
    assert isinstance(keys.source_of(key), Refusal)
    assert ingest_wrong_keys.labels(why)._value.get() == before + 1


def test_terms_come_from_the_catalog() -> None:
    """All that a key may do; the names of its allow-list stand for the aliases that the plan gives their events."""
    bought = {"schema_id": 1000, "schema": {"event": ["Bought", "Ordered"]}}
    key = {
        "source": "shop", "kind": "wk", "events": ["Ordered", "Unplanned"], "origins": ["https://a.b"], "rate": 2.5,
        "burst": 9, "expires_at": 77,
    }  # fmt: skip
    catalog = Catalog(
        {
            "event/Bought@1": bought, "head": {"definitions": ["event/Bought@1"]}, "source/shop": {"id": "shop",
            "origin": "sdk"}, "key/0123456789abcdef": key, "key/ff": {"source": "gone"}, "key/ee": {"source": "shop"},
            "key/dd": {"source": "shop", "revoked_at": 1},
        }
    )  # fmt: skip
    names = frozenset({"Bought", "Ordered", "Unplanned"})
    assert sources_by_key(catalog) == {
        "0123456789abcdef": Source("shop", "sdk", Terms("0123456789ab", names, frozenset({"https://a.b"}), 2.5, 9, 77)),
        "ee": Source("shop", "sdk", Terms("ee")),
    }
