from __future__ import annotations

import json
from typing import Any

import pytest

from console.dead_letters.masking import CHANGED, HIDDEN, Personal, mask, personal_in
from console.dead_letters.patching import Patch, Patched, PatchError, Unpatchable
from schemas.codec import EventEncoder
from schemas.dead_letter import StoredLetter
from schemas.judge import judge
from tests.console.dead_letters.letters import PLAN, letter, same

AMOUNT = '[{"op": "replace", "path": "/properties/amount", "value": 12}]'


def patched(text: str, one: StoredLetter) -> Patched:
    return Patch(text).apply(one, PLAN, same)


def avro(**properties: Any) -> bytes:
    body = judge(PLAN.by_id[1000], properties, lambda _: None)
    return EventEncoder(1000).encode("e-1", "u-1", None, 5, 6, "shop", "backend", body)


def test_a_native_event() -> None:
    """The value is patched as the JSON it is; the headers stay."""
    made = patched(AMOUNT, letter(headers=[("trace", b"\xff"), ("trace", None)]))
    assert json.loads(made.value or b"") == {"event": "Bought", "user_id": "u-1", "properties": {"amount": 12}}
    assert made.headers == [("trace", b"\xff"), ("trace", None)]


def test_a_binary_cloud_event() -> None:
    """Patched as the structured event it is equal to, attributes included, and sent as binary again."""
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("trace", b"t"), ("ce_type", b"bought"),
               ("content-type", b"application/json")]  # fmt: skip
    text = """[{"op": "replace", "path": "/type", "value": "Bought"}, {"op": "add", "path": "/data/amount", "value": 1},
               {"op": "add", "path": "/subject", "value": "ü"}]"""
    made = patched(text, letter(value=b'{"sku": 1}', headers=headers))
    assert json.loads(made.value or b"") == {"sku": 1, "amount": 1}
    assert made.headers == [("trace", b"t"), ("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_type", b"Bought"),
                            ("content-type", b"application/json"), ("ce_subject", "ü".encode())]  # fmt: skip


def test_a_structured_cloud_event_with_headers_of_a_binary_one() -> None:
    """The content type decides, as it does in validation: the value is the event."""
    headers = [("ce_type", b"x"), ("content-type", b"application/cloudevents+json; charset=utf-8")]
    made = patched(
        '[{"op": "replace", "path": "/type", "value": "Bought"}]', letter(value=b'{"type":"x"}', headers=headers)
    )
    assert (made.value, made.headers) == (b'{"type":"Bought"}', headers)


def test_an_avro_record() -> None:
    """Patched as its fields and written under the schema it names, what is not patched stays as it was."""
    value = avro(amount=1.5, tags=["a"])
    made = patched('[{"op": "replace", "path": "/meta/event_id", "value": "e-2"}]', letter(value=value))
    assert made.value is not None
    assert made.value.replace(b"\x06e-2", b"\x06e-1") == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"op": "replace", "path": "/nix", "value": 1}]', "does not apply"),
        ('[{"op": "test", "path": "/user_id", "value": "u-2"}]', "a test of the patch"),
        ('[{"op": "add", "path": "/properties/a/b", "value": 1}]', "does not apply"),
    ],
)
def test_a_letter_that_does_not_take_the_patch(text: str, why: str) -> None:
    """It is left alone, and says why."""
    with pytest.raises(Unpatchable, match=why):
        patched(text, letter())


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"{broken", "is not JSON"), (None, "has no value"), (b"\xff", "is not JSON"), (b"\x00\x00", "wire format"),
     (b"\x00\x00\x00\x10\x00abc", "schema id 4096"), (avro(amount=1)[:12], "does not decode as Bought"),
     (b"[" * 100_000, "is not JSON"), (b"[" * 300 + b"]" * 300, "deeper than 200")],
)  # fmt: skip
def test_a_value_that_cannot_be_read(value: bytes | None, why: str) -> None:
    """Only a patch that puts another document in its place can mend it."""
    with pytest.raises(Unpatchable, match=why):
        patched(AMOUNT, letter(value=value))
    broken = letter(value=value, headers=[("Content-Type", b"x"), ("trace", b"t")])
    made = patched('[{"op": "replace", "path": "", "value": {"event": "Bought"}}]', broken)
    assert (made.value, made.headers) == (b'{"event":"Bought"}', [("trace", b"t")])


def test_an_avro_record_that_fits_no_more() -> None:
    """The schema it names is the measure."""
    with pytest.raises(Unpatchable, match="does not fit Bought version 1 any more"):
        patched('[{"op": "replace", "path": "/amount", "value": "much"}]', letter(value=avro(amount=1)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", "null", '["replace"]', '[{"op": "replace"}]', '[{"op": "nix", "path": "/a", "value": 1}]',
     '[{"op": "add", "path": "a", "value": 1}]', '[{"op": "add", "path": 1, "value": 1}]', '[{"path": "/a"}]',
     '[{"op": "move", "path": "/a"}]', '[{"op": "add", "path": "/a"}]'],
)  # fmt: skip
def test_a_wrong_patch(text: str) -> None:
    """Refused before any letter is read, with an example of a right one."""
    with pytest.raises(PatchError, match=r"JSON|expected"):
        patched(text, letter())


def test_the_difference_shows_no_pii() -> None:
    """Members that the plan calls pii are hidden wherever they are; that they changed is told."""
    body = {"email": "a@b.c", "context": [{"email": "a@b.c", "ip": "1"}], "properties": {"email": "a@b.c", "amount": 1}}
    text = """[{"op": "replace", "path": "/properties/email", "value": "x@y.z"},
               {"op": "replace", "path": "/properties/amount", "value": 2}]"""
    lines = list(patched(text, letter(value=json.dumps(body).encode())).difference(personal_in(PLAN)))
    assert [line for line in lines if line[0] in "+-"] == [
        f'-    "email": "{HIDDEN}",', '-    "amount": 1', f'+    "email": "{CHANGED}",', '+    "amount": 2'
    ]  # fmt: skip
    assert not [line for line in lines if "@" in line]


def test_what_masking_keeps() -> None:
    """Absent and null pii say so, other members stay, and only objects are looked into."""
    email = Personal(frozenset({"email"}), frozenset())
    assert mask({"email": None, "a": ["email", 1]}, email) == {"email": None, "a": ["email", 1]}
    assert mask("email", email) == "email"


@pytest.mark.parametrize(
    "text",
    ['[{"op": "replace", "path": "/a/b/c", "value": 1}]', '[{"op": "replace", "path": "/address/x/y", "value": 1}]',
     '[{"op": "move", "from": "/a/b", "path": "/x"}]', '[{"op": "add", "path": "/email/x", "value": 1}]'],
)  # fmt: skip
def test_why_a_patch_is_not_taken_shows_nothing(text: str) -> None:
    """The reason is shown without --show-pii, so it does not repeat the document."""
    body = {"email": "Anna", "address": {"email": "Anna"}, "properties": {"email": "Anna"}}
    with pytest.raises(Unpatchable, match="does not apply") as refused:
        patched(text, letter(value=json.dumps(body).encode()))
    assert "Anna" not in str(refused.value)


def test_what_does_not_fit_a_schema_is_told_by_its_place() -> None:
    """The encoder's own words would have the values in them."""
    text = '[{"op": "add", "path": "/email", "value": {"x": "Anna"}}]'
    with pytest.raises(Unpatchable, match="does not fit Bought version 1 any more: email: expected a str") as refused:
        patched(text, letter(value=avro(amount=1)))
    assert "Anna" not in str(refused.value)
