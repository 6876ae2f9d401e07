"""Documents to definitions: every mistake at its file and line, in the words of the language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from offerflow.rules.definitions import NOT_YET
from tests.console.workspace.conftest import Files, Read

OFFER = "kind: offer\nid: o\nentry:\n  event: A\n"


@pytest.mark.parametrize("key", sorted(NOT_YET))
@pytest.mark.parametrize(
    ("text", "line"), [(OFFER + "{}: 5\n", 5), (OFFER + "  {}: 5\n", 5),
     ("kind: condition\nid: c\nany:\n- event: A\n  {}: 5\n", 5)]
)  # fmt: skip
def test_what_is_not_supported_yet_is_named(read: Callable[[Files], Read], key: str, text: str, line: int) -> None:
    """Each key that will be, on an offer, its entry or inside a group, is refused at its line, with what there is."""
    (said,) = read({"x.yaml": text.replace("{}", key)}).said
    assert said.startswith(f"x.yaml:{line}: ")
    assert f"{key}: {NOT_YET[key]}" in said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("kind: referral\nid: r\n", 1, "referrals are not there yet"),
        (OFFER + "caps:\n  total: 10\n", 6, "caps.total: limits over all users are not there yet; caps.per_user is"),
        (OFFER + "completion: imediate\n", 5, "completion: expected a condition; to refer to one write"),
        (OFFER + "variants:\n- {id: v}\n- id: w\n  completion: {evnt: A}\n", 8,
         "variants.1.completion.evnt: unknown key 'evnt'; did you mean 'event'?"),
        (OFFER + "completion: {event: A}\nreward:\n  id: r\n  value: {expr: amount}\n", 8,
         "reward.value.currency: is required"),
        (OFFER + "expires_after: 14 d\n", 5, "expires_after: expected a duration such as 45s"),
        (OFFER + "holdout: 10\n", 5, "holdout: expected a share such as 10% or 2.5%, from 0% to 100%, got 10"),
        (OFFER + "starts: 2026-02-30\n", 5, "starts: there is no such day or time; expected a date"),
        ("kind: settings\nid: rules\ntimezone: Berlin\n", 3,
         "there is no time zone Berlin; did you mean 'Europe/Berlin'"),
        ("kind: settings\nid: mine\n", 2, "id: expected 'rules', got 'mine'"),
        (OFFER + "audiense: {event: A}\n", 5, "audiense: unknown key 'audiense'; did you mean 'audience'?"),
        (OFFER + "  wher: x\n", 5, "entry.wher: unknown key 'wher'; did you mean 'where'?"),
        (OFFER + "zzz: x\n", 5, "unknown key 'zzz'; it is not part of the language"),
        (OFFER + "count: {at_least: 2}\n", 5, "'count' does not belong here"),
        (OFFER + "weight: 2\n", 5, "'weight' does not belong here"),
        ("kind: ofer\nid: o\n", 1, "unknown kind 'ofer'; did you mean 'offer'?"),
        ("id: o\nkind: 5\n", 2, "unknown kind 5; expected kind: condition, offer or settings"),
        ("id: o\n", 1, "cannot tell what this defines; expected kind: condition"),
        ("just a text\n", 1, "cannot tell what this defines"),
        ("- {id: s, origin: sdk}\n- 5\n", 1, "cannot tell what this defines"),
        ("kind: offer\nentry: {event: A}\n", 1, "id: is required, got nothing"),
        ("kind: offer\nid: 5\nentry: {event: A}\n", 2, "id: expected a text, got 5"),
        ("kind: offer\nid: [o]\nentry: {event: A}\n", 2, "id: expected a text"),
        ("kind: offer\nid: a b\nentry: {event: A}\n", 2, "expected an id of letters"),
        ("kind: offer\nid: o\nentry: activated\n", 3, "to refer to one write {condition: activated}"),
        ("kind: offer\nid: o\nentry:\n", 3, "entry: expected a condition such as {event: Purchase Completed}"),
        ("kind: offer\nid: o\nentry:\n  all: {event: A}\n", 4, "entry.all: expected a list"),
        ("kind: offer\nid: o\nentry:\n  all:\n  - event: A\n  - {}\n", 6, "entry.all.1: expected exactly one of event"),
        ("kind: offer\nid: o\nentry:\n  any: []\n", 3, "any is empty"),
        ("kind: offer\nid: o\nentry: {event: A, count: {at_least: 0}}\n", 3, "entry.count.at_least: expected"),
        (OFFER + "  count:\n    at_least: many\n", 6, "entry.count.at_least: expected a whole number, got 'many'"),
        (OFFER + "reward: {id: r, value: 1 EUR}\n", 1, "offer o has a reward but no completion"),
        (OFFER + "completion: {event: A}\nreward: {id: r, value: 10}\n", 6,
         "reward.value: expected an amount and a currency such as 10 EUR or 7.50 USD, got 10"),
        (OFFER + "variants:\n- id: v\n  weight: 0\n", 7, "variants.0.weight: expected"),
        ("kind: offer\nid: o\nentrie: {event: A}\n", 3, "entrie: unknown key 'entrie'; did you mean 'entry'?"),
        ("kind: offer\nid: o\n", 1, "entry: is required, got nothing; expected a condition such as"),
        ("kind: offer\nid: o\nentry: {code: A B}\n", 3,
         "entry.code: expected a code of 1 to 100 characters without spaces, such as UPGRADE26, got 'A B'"),
        ("kind: offer\nid: o\nentry:\n\tevent: A\n", 4, "cannot be read: a tab, where YAML is indented by spaces"),
        (OFFER + "variants: []\n", 5, "variants: is empty; expected a list such as [{id: a,"),
        (OFFER + "reentry: {per_key: 5}\n", 5,
         "reentry.per_key: expected the name of a property of the entering event, such as order_id, got 5"),
        (OFFER + "caps: {per_user: 0}\n", 5, "caps.per_user: expected at least 1, got 0"),
        (OFFER + "completion: immediate\nreward: {id: r, value: {expr: x, currency: EURO}}\n", 6,
         "reward.value.currency: expected a currency of three capital letters, such as EUR, got 'EURO'"),
        (OFFER + "completion: immediate\nreward: {id: r, value: -5 EUR}\n", 6,
         "reward.value: a reward takes nothing away; expected an amount such as 10 EUR, got '-5 EUR'"),
        (OFFER + "completion: immediate\nreward: {id: r, value: {expr: x, currency: EUR, min: -5}}\n", 6,
         "reward.value.min: expected a number from 0 to 100000000000000, got -5"),
        ("- id: s\n  origin: sdk\n- id: t\n  origin: server\n", 4,
         "origin: expected 'sdk', 'backend' or 'integration', got 'server'"),
        ("- id: s\n- id: t\n  origin: sdk\n", 1,
         "origin: is required, got nothing (expected 'sdk', 'backend' or 'integration')"),
        ("- id: s\n  origin: sdk\n  topics:\n  - raw.sdk\n  - sdk\n", 5, "topics.1: "),
        ("- id: s\n  origin: sdk\n  system_events:\n    A: maybe\n", 4,
         "system_events.A: expected true or false, got 'maybe'"),
        (OFFER + "---\n" + OFFER.replace("id: o", "id: p") + "naem: x\n", 10, "did you mean 'name'?"),
    ],
)  # fmt: skip
def test_mistakes(read: Callable[[Files], Read], text: str, line: int, words: str) -> None:
    """One mistake, one problem: the exact line, the path inside the definition, what was expected and what came."""
    found = read({"some/x.yaml": text})
    assert [one for one in found.said if words in one] == found.said != []
    assert found.places == [f"some/x.yaml:{line}"]


EVENT = """{
  "type": "record",
  "name": "A",
  "fields": [
    {"name": "meta", "type": "events.Meta"},
    {
      "name": "n",
      "type": "int"@
    }
  ]@@
}
"""


@pytest.mark.parametrize(
    ("on_field", "on_record", "line", "words"),
    [
        (',\n      "minimun": 1', "", 9, "did you mean 'minimum'"),
        (',\n      "minimum": "1"', "", 9, "minimum is a number"),
        (',\n      "default": "x"', "", 6, "the default does not fit"),
        (',\n\t"pii": true', "", 9, "must be nullable"),
        ("", ',\n  "orign": []', 11, "did you mean 'origins'"),
        ("", ',\n  "unique": [\n    "n",\n    "m"\n  ]', 13, "no field 'm'"),
        ("", ',\n  "version": "2"', 11, "a whole number from 1, got '2'"),
    ],
)  # fmt: skip
def test_mistakes_in_schemas(
    read: Callable[[Files], Read], on_field: str, on_record: str, line: int, words: str
) -> None:
    """Event schemas are JSON, and their mistakes have lines too."""
    found = read({"A.avsc": EVENT.replace("@@", on_record).replace("@", on_field)})
    assert found.places == [f"A.avsc:{line}"]
    assert words in found.said[0]


def test_everything_wrong_is_told(read: Callable[[Files], Read]) -> None:
    """Two mistakes in one definition and one in another file are three problems."""
    found = read({"a.yaml": OFFER + "naem: x\nfoo: y\n", "b.yaml": "kind: nothing\n"})
    assert found.places == ["a.yaml:5", "a.yaml:6", "b.yaml:1"]


def test_what_is_defined_twice(read: Callable[[Files], Read], tmp_path: Path) -> None:
    """Across documents, files and folders; the problem stands at the second and names the first. A condition and an
    offer may share an id, and so may two versions of an event."""
    event = '{"type": "record", "name": "A", "version": %d, "fields": [{"name": "meta", "type": "events.Meta"}]}'
    found = read({
        "a.yaml": OFFER + "---\nkind: condition\nid: o\nevent: A\n",
        "b/c.yaml": "# again\n---\n\n" + OFFER,
        "s.yaml": "- {id: s, origin: sdk}\n- {id: t, origin: sdk}\n- {id: s, origin: sdk}\n",
        "A1.avsc": event % 1, "A2.avsc": event % 2, "Again.avsc": event % 2,
    })  # fmt: skip
    assert [text.replace(f"{tmp_path}/", "") for text in found.said] == [
        "Again.avsc:1: event/A@2 is defined twice, here and at A2.avsc:1",
        "b/c.yaml:4: offer/o is defined twice, here and at a.yaml:1",
        "s.yaml:3: source/s is defined twice, here and at s.yaml:1",
    ]
    assert {"condition/o", "event/A@1", "event/A@2", "source/t"} <= set(found.defined)
