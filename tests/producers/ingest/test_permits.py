"""What keys may not send is marked for validation, event by event."""

from __future__ import annotations

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.keyring import Source, Terms
from producers.ingest.permits import marks
from schemas.refused import REFUSED, refused_of

ANYTHING = Source("app", "sdk")
LISTED = Source("app", "sdk", Terms("abc123", frozenset({"Bought", "Seen"})))


def event(name: str) -> RawEvent:
    return RawEvent("id", "u", b"{}", name)


def test_most_requests_have_nothing_to_mark() -> None:
    """Where a key may send anything, and where it may send all that came."""
    assert marks([event("Bought"), event(""), event("offer")], ANYTHING) is None
    assert marks([event("Bought"), event("Seen"), event("")], LISTED) is None


def test_a_name_outside_the_allow_list_is_marked_alone() -> None:
    """The others of its batch go on. The mark names the key and what came, and how to change it."""
    found = marks([event("Bought"), event("Identified")], LISTED)
    assert found is not None
    assert found[0] is None
    refused = refused_of([(REFUSED, found[1])])
    assert refused is not None
    assert (refused.reason, refused.final) == ("origin_forbidden", False)
    for words in ("key abc123 of source app may not send 'Identified'", "keys change abc123"):
        assert words in refused.detail


def test_an_empty_allow_list_allows_nothing() -> None:
    """A name is marked all the same."""
    found = marks([event("Bought")], Source("app", "sdk", Terms("abc", frozenset())))
    assert found is not None
    assert refused_of([(REFUSED, found[0])]) is not None


def test_reserved_names_are_refused_to_every_key_for_good() -> None:
    """Requests come by their API; an allow-list cannot allow them."""
    generous = Source("app", "backend", Terms("abc", frozenset({"offerflow.Fulfil"})))
    for source in (ANYTHING, generous):
        found = marks([event("offerflow.Fulfil")], source)
        refused = refused_of([(REFUSED, found[0])], replayed=True) if found else None
        assert refused is not None
        assert (refused.reason, refused.final) == ("origin_forbidden", True)
