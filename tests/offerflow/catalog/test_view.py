"""The catalog as a value."""

from __future__ import annotations

from offerflow.catalog.view import Catalog, Head, Key, Source


def test_an_empty_catalog() -> None:
    """Has a head with the first schema id and nothing else."""
    catalog = Catalog()
    assert catalog.head == Head(serial=0, ruleset="", definitions=(), next_schema_id=1000)
    assert (dict(catalog.sources), dict(catalog.keys), dict(catalog.records), catalog.position) == ({}, {}, {}, 0)


def test_what_stands_in_it() -> None:
    """Sources and keys by name, definitions of a kind, and of those the current ones in the head's order."""
    events = {f"event/A@{n}": {"schema_id": 999 + n, "schema": {}} for n in (1, 2, 3)}
    catalog = Catalog(
        {
            **events,
            "source/shop": {"id": "shop", "origin": "backend", "topics": ["raw.own"], "system_events": {"A": False}},
            "source/app": {"id": "app", "origin": "sdk"},
            "key/abc": {"source": "shop"},
            "offer/o@1": {"definition": {}},
            "head": {"serial": 7, "ruleset": "r", "definitions": ["event/A@3", "event/A@1", "offer/o@1"]},
        },
        41,
    )
    assert catalog.sources == {
        "shop": Source("shop", "backend", ("raw.own",), {"A": False}), "app": Source("app", "sdk", (), {}),
    }  # fmt: skip
    assert catalog.keys == {"abc": Key("abc", "shop")}
    assert sorted(catalog.of_kind("event")) == sorted(events)
    assert list(catalog.current("event")) == ["event/A@3", "event/A@1"]
    assert list(catalog.current("offer")) == ["offer/o@1"]
    assert (catalog.head.serial, catalog.head.next_schema_id, catalog.position) == (7, 1000, 41)
