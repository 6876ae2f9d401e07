"""What becomes of keys, as records of the catalog, on a clock of the test's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from console.keys import book
from offerflow.catalog.view import Catalog, Key, Value
from offerflow.rules.durations import DAY, HOUR
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.keys import key_hash, new_key

NOW = 1_790_000_000_000
OLD = Key("a" * 64, "app", "wk", "iOS", ("Bought",), ("https://a.b",), 5, 50, book.rfc3339(NOW - DAY))


def catalog(*keys: Key) -> Catalog:
    records: dict[str, Value] = {"source/app": {"id": "app", "origin": "sdk"}}
    for key in keys:
        records |= written(book.created(Catalog(records), key, NOW))
    return Catalog(records)


def written(change: book.KeyChange) -> dict[str, Value]:
    return {name: value for name, value in change.records.items() if value is not None}


def after(change: book.KeyChange, before: Catalog) -> Mapping[str, Key]:
    """The keys once the change is written."""
    records = {**before.records, **change.records}
    return Catalog({name: value for name, value in records.items() if value is not None}).keys


def test_a_key_comes_back_from_the_catalog_as_it_was_made() -> None:
    """With all its terms, and with none: an empty allow-list is not no allow-list."""
    for key in (OLD, Key("b" * 64, "app"), replace(OLD, events=(), origins=None, expires_at=NOW + 1)):
        assert catalog(key).keys == {key.digest: key}


def test_a_source_has_two_active_keys_at_most() -> None:
    """Those that have ended do not count; the error names the two."""
    full = catalog(OLD, replace(OLD, digest="b" * 64))
    with pytest.raises(OfferflowError, match=r"2 active keys already .*aaaaaaaaaaaa, bbbbbbbbbbbb"):
        book.created(full, replace(OLD, digest="c" * 64), NOW)
    ended = catalog(OLD, replace(OLD, digest="b" * 64, expires_at=NOW + 5))
    assert "key/" + "c" * 64 in book.created(ended, replace(OLD, digest="c" * 64), NOW + 5).records


def test_a_key_of_no_source_is_not_made() -> None:
    """The nearest source is told."""
    with pytest.raises(OfferflowError, match=r"no source 'apq'.*'app'"):
        book.created(catalog(), replace(OLD, source="apq"), NOW)


def test_rotation_keeps_the_terms_and_gives_the_old_key_an_end() -> None:
    """Both work until the grace ends; the old one names the new."""
    before = catalog(OLD)
    ending, new, change = book.rotated(before, OLD, "b" * 64, 24 * HOUR, NOW)
    assert after(change, before) == {OLD.digest: ending, new.digest: new}
    assert ending == replace(OLD, expires_at=NOW + 24 * HOUR, replaced_by="b" * 12)
    assert new == replace(OLD, digest="b" * 64, created_at=book.rfc3339(NOW))
    assert (ending.active(NOW + 24 * HOUR - 1), ending.active(NOW + 24 * HOUR)) == (True, False)


def test_an_end_that_comes_sooner_stays() -> None:
    """A rotation never lets a key live longer; the new one lives as long as the old was made for."""
    key = replace(OLD, created_at=book.rfc3339(NOW - 23 * HOUR), expires_at=NOW + HOUR)
    ending, new, _ = book.rotated(catalog(key), key, "b" * 64, 24 * HOUR, NOW)
    assert (ending.expires_at, new.expires_at) == (NOW + HOUR, NOW + 24 * HOUR)


def test_two_keys_of_a_source_are_replaced_each_for_itself() -> None:
    """What is being replaced takes no place, so a source of two purposes can change both keys; no third purpose fits,
    and what was extended for good needs its place back."""
    full = catalog(OLD, replace(OLD, digest="c" * 64))
    ending, _, first = book.rotated(full, OLD, "b" * 64, HOUR, NOW)
    half = Catalog({**full.records, **written(first)})
    _, _, second = book.rotated(half, half.keys["c" * 64], "d" * 64, HOUR, NOW)
    both = Catalog({**half.records, **written(second)})
    assert sum(key.active(NOW) for key in both.keys.values()) == 4
    with pytest.raises(OfferflowError, match=r"2 active keys already \(bbbbbbbbbbbb, dddddddddddd\)"):
        book.created(both, replace(OLD, digest="e" * 64), NOW)
    with pytest.raises(OfferflowError, match="2 active keys"):
        book.changed(both, replace(ending, expires_at=0), NOW)


def test_a_key_whose_end_is_put_off_needs_its_place_back() -> None:
    """However far, so that rotating and extending in turns piles up no keys; one that ends sooner is still replaced."""
    before = catalog(OLD)
    ending, new, change = book.rotated(before, OLD, "b" * 64, DAY, NOW)
    known = Catalog({**before.records, **written(change)})
    sooner, _ = book.changed(known, replace(ending, expires_at=NOW + HOUR, label="other"), NOW)
    assert (sooner.replaced_by, sooner.label) == (new.id, "other")
    for end in 0, NOW + 2 * DAY, NOW + 3650 * DAY:
        later, put_off = book.changed(known, replace(ending, expires_at=end), NOW)
        assert (later.replaced_by, later.expires_at) == ("", end)
        held = Catalog({**known.records, **written(put_off)})
        assert held.keys[OLD.digest] == later
        with pytest.raises(OfferflowError, match="2 active keys"):
            book.created(held, replace(OLD, digest="c" * 64), NOW)
        _, _, again = book.rotated(held, new, "c" * 64, HOUR, NOW)
        full, replaced = Catalog({**held.records, **written(again)}), after(again, held)[new.digest]
        with pytest.raises(OfferflowError, match="2 active keys"):
            book.changed(full, replace(replaced, expires_at=end), NOW)


def test_a_replacement_is_finished_before_the_next_one_of_its_key() -> None:
    """Unless the old one ends at once: else every rotation would leave one key more."""
    before = catalog(OLD)
    ending, new, change = book.rotated(before, OLD, "b" * 64, HOUR, NOW)
    known = Catalog({**before.records, **written(change)})
    with pytest.raises(OfferflowError, match=r"bbbbbbbbbbbb still replaces aaaaaaaaaaaa.*keys revoke aaaaaaaaaaaa"):
        book.rotated(known, new, "c" * 64, HOUR, NOW)
    gone, _, _ = book.rotated(known, new, "c" * 64, 0, NOW)
    assert not gone.active(NOW)
    assert book.rotated(known, new, "c" * 64, HOUR, ending.expires_at)


def test_only_an_active_key_that_is_not_being_replaced_is_rotated() -> None:
    """Else the answer says which one to take instead."""
    ended = replace(OLD, expires_at=NOW)
    with pytest.raises(OfferflowError, match=r"ended at .*keys create app"):
        book.rotated(Catalog(), ended, "b" * 64, HOUR, NOW)
    leaving = replace(OLD, expires_at=NOW + HOUR, replaced_by="dddddddddddd")
    with pytest.raises(OfferflowError, match="replaced by dddddddddddd already"):
        book.rotated(catalog(leaving, replace(OLD, digest="d" * 64)), leaving, "b" * 64, HOUR, NOW)
    assert book.rotated(catalog(leaving), leaving, "b" * 64, HOUR, NOW)[0].replaced_by == "b" * 12


def test_a_key_is_revoked_once_and_for_good() -> None:
    """It opens nothing even for a clock that is behind, or an edge that knows its end alone; whoever asks again hears
    when it was; it stays for a month."""
    change = book.revoked(OLD, NOW)
    gone = after(change, catalog(OLD))[OLD.digest]
    known = catalog(gone)
    assert (gone.active(NOW - DAY), gone.expires_at, gone.revoked_at) == (False, 1, NOW)
    when = r"key aaaaaaaaaaaa was revoked at 2026-09-21T14:13:20Z"
    with pytest.raises(OfferflowError, match=when):
        book.revoked(gone, NOW + DAY)
    with pytest.raises(OfferflowError, match=when):
        book.changed(known, replace(gone, expires_at=0), NOW + DAY)
    with pytest.raises(OfferflowError, match=when):
        book.rotated(known, gone, "b" * 64, HOUR, NOW + DAY)
    other = replace(OLD, digest="c" * 64)
    assert set(after(book.created(known, other, NOW + 29 * DAY), known)) == {gone.digest, other.digest}
    assert set(after(book.created(known, other, NOW + 31 * DAY), known)) == {other.digest}


def test_keys_that_ended_long_ago_leave_the_catalog() -> None:
    """A month after their end, with whatever is written next; before that lists and answers know them."""
    gone = replace(OLD, digest="d" * 64, expires_at=NOW - 31 * DAY)
    late = replace(OLD, digest="e" * 64, expires_at=NOW - 29 * DAY)
    before = catalog(gone, late)
    change = book.created(before, OLD, NOW)
    assert set(after(change, before)) == {OLD.digest, late.digest}


def test_a_key_that_ended_may_be_given_more_time_if_there_is_room() -> None:
    """A change that makes a third active key is refused, any other is not."""
    ended = replace(OLD, digest="d" * 64, expires_at=NOW)
    room = catalog(ended, OLD)
    assert book.changed(room, replace(ended, expires_at=0), NOW)[1].records
    full = catalog(ended, OLD, replace(OLD, digest="b" * 64))
    with pytest.raises(OfferflowError, match="2 active keys"):
        book.changed(full, replace(ended, expires_at=0), NOW)
    assert book.changed(full, replace(OLD, label="other"), NOW)[1].records


def test_keys_are_found_by_themselves_and_by_their_id() -> None:
    """As much of the id as is needed, in any case of letters; else it is said how many there are."""
    secret = new_key("wk_")
    known = catalog(replace(OLD, digest=key_hash(secret)), replace(OLD, digest=key_hash(secret)[:6] + "z" * 58))
    assert book.find(known, secret).digest == key_hash(secret)
    assert book.find(known, key_hash(secret)[:12].upper()).digest == key_hash(secret)
    for wanted, words in ((key_hash(secret)[:6], "2 keys"), ("sk_none", "no key here"), ("", "no key here")):
        with pytest.raises(OfferflowError, match=words):
            book.find(known, wanted)


def test_the_audit_says_what_changed_and_never_a_key() -> None:
    """One record per change in the form of all others; of a removed key only which it was."""
    _, _, change = book.rotated(catalog(OLD), OLD, "b" * 64, HOUR, NOW)
    told = change.audit("t.audit", "ana@desk", "keys rotate", NOW, 7)
    assert (told.topic, told.key, told.partition) == ("t.audit", b"ana@desk", 0)
    value: dict[str, Any] = json.loads(told.value or b"")
    assert (value["at"], value["by"], value["how"], value["serial"]) == (
        "2026-09-21T14:13:20Z", "ana@desk", "keys rotate", 7,
    )  # fmt: skip
    assert [(one["action"], one["kind"], one["id"]) for one in value["changes"]] == [
        ("add", "key", "b" * 12), ("change", "key", "a" * 12),
    ]  # fmt: skip
    assert value["changes"][0]["terms"]["origins"] == ["https://a.b"]
    assert b"a" * 64 not in (told.value or b"")
    (line,) = book.revoked(OLD, NOW).lines
    assert (line["action"], line["terms"]) == ("remove", None)
