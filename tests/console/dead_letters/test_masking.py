"""What a command shows of a dead letter without --show-pii."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.cli import dlq_show
from console.dead_letters.masking import (
    CHANGED,
    HIDDEN,
    NOTHING,
    Personal,
    mask,
    mask_headers,
    mask_letter,
    personal_in,
)  # fmt: skip
from offerflow.runtime.settings import Settings
from schemas.dead_letter import DeadLetter, StoredLetter
from schemas.plan import Plan, load_event_schema
from schemas.violations import HIDDEN as UNTOLD
from tests.console.dead_letters.letters import letter, same
from tests.schemas.personal_samples import MARKER, definitions, properties, unmarked
from tests.schemas.samples import definition, field, optional
from tests.schemas.test_personal import as_binary, as_native, as_structured, step_of

HOME = {"type": "record", "name": "Home", "fields": [field("city"), optional("street", pii=True)]}
FIELDS = [optional("email", pii=True), optional("home", HOME), field("homes", {"type": "map", "values": "string"})]
PLAN = Plan([load_event_schema(definition(*FIELDS), 1000)])
PERSONAL = personal_in(PLAN)


def test_what_is_personal() -> None:
    """Marked at any depth, in any version, with the fields that lead there."""
    others = frozenset({"city", "homes", "meta"})
    assert Personal(frozenset({"email", "street", "data_base64"}), frozenset({"home"}), others) == PERSONAL
    assert personal_in(Plan([load_event_schema(definition(field("a")), 1000)])) == NOTHING
    old = load_event_schema(definition(optional("a", pii=True)), 1001)
    assert "a" in personal_in(Plan([load_event_schema(definition(optional("a")), 1002)], [old])).names


def test_values_inside_records() -> None:
    """A street is hidden wherever it is; in the place of a home, so is what is none."""
    body = {"home": {"city": "Bonn", "street": "Am Hof"}, "email": None, "x": [{"street": ["Am Hof"]}]}
    masked = {"home": {"city": "Bonn", "street": HIDDEN}, "email": None, "x": [{"street": HIDDEN}]}
    assert mask(body, PERSONAL) == masked
    assert mask({"home": "Am Hof"}, PERSONAL) == {"home": HIDDEN}
    assert mask({"home": ["Am Hof", {"city": "Bonn"}, None]}, PERSONAL) == {"home": [HIDDEN, {"city": "Bonn"}, None]}
    assert mask({"data_base64": "eyJlbWFpbCI6IC"}, PERSONAL) == {"data_base64": HIDDEN}
    assert mask(body, NOTHING) == body


def test_what_changed_inside_records() -> None:
    """Told without being shown, that which was not there before included."""
    before = {"home": {"city": "Bonn", "street": "Am Hof"}, "homes": {}}
    after = {"home": {"city": "Bonn", "street": "Markt"}, "homes": {"street": "Markt"}}
    assert mask(after, PERSONAL, before) == {"home": {"city": "Bonn", "street": CHANGED}, "homes": {"street": CHANGED}}
    assert mask(before, PERSONAL, before)["home"]["street"] == HIDDEN
    assert mask({"home": "x"}, PERSONAL, before) == {"home": CHANGED}


def test_headers_of_a_cloud_event() -> None:
    """Attributes are members; other headers are not of the event."""
    headers = [("ce_email", b"a@b.c"), ("ce_type", b"x"), ("email", b"a"), ("ce_street", None)]
    assert mask_headers(headers, PERSONAL) == [("ce_email", HIDDEN.encode()), *headers[1:]]


@pytest.mark.parametrize(
    ("path", "expected", "got", "shown"),
    [
        ("email", "a string", "integer 5", "email"), ("x.email[0].Anna", "a string", "integer 5", "x.email"),
        ("home.street", "a string", "object {}", "home.street"), ("home", "an object", 'string "Am Hof"', "home"),
        ("home", "a string or an object", 'object {"street": 5}', "home"),
        ("home.city", "a string", "integer 5", None), ("homes", "an object", "integer 5", None),
        ("emails", "a string", "integer 5", None), (None, None, None, None),
    ],
)  # fmt: skip
def test_letters_of_what_became_pii_later(
    path: str | None, expected: str | None, got: str | None, shown: str | None
) -> None:
    """Where the plan of today says pii, a letter written before does not repeat it; others are as they were."""
    one = letter(field=path, expected=expected, got=got, detail=f"{path}: expected {expected}, got {got}")
    masked = mask_letter(one, PERSONAL)
    assert mask_letter(one, NOTHING) is one
    if shown is None:
        assert masked is one
    else:
        assert (masked.field, masked.expected, masked.got) == (shown, expected, UNTOLD)
        assert masked.detail == f"{shown}: expected {expected}, got {UNTOLD}"


class _Judge:
    """What `dlq show` needs of the plan, without a broker."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def schema_ids(self, _: StoredLetter) -> Any:
        return same


@pytest.mark.parametrize("output", ["table", "json"])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), written=definitions(), form=st.sampled_from([as_native, as_binary, as_structured]))
def test_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str, data: st.DataObject,
    written: dict[str, Any], form: Any,
) -> None:  # fmt: skip
    """A letter that was written when nothing was pii yet, shown when it is: neither value nor detail tells."""
    record = form(data.draw(properties(written)))
    outcome = step_of(unmarked(written))(record)
    if not isinstance(outcome, DeadLetter):
        return
    fields = {name: getattr(outcome, name) for name in ("reason", "detail", "field", "expected", "got")}
    one = letter(value=record.data, headers=list(record.headers_), event="Secret", **fields)
    monkeypatch.setattr(dlq_show, "Judge", lambda _: _Judge(Plan([load_event_schema(written, 1000)])))
    dlq_show.print_letter(Settings(), one, [], [], show_pii=False, output=output)
    assert MARKER not in capsys.readouterr().out
    dlq_show.print_letter(Settings(), one, [], [], show_pii=True, output=output)
    text = capsys.readouterr().out
    assert (MARKER in text) == (MARKER in json.dumps(json.loads(record.data or b"")))


def test_show_goes_by_the_event_type(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it plans and never marked shows; not what it marked once, nor what lies in its records unplanned, in its
    maps, or beside its properties."""
    bag, tags = {"type": "record", "name": "Bag", "fields": [field("city")]}, {"type": "map", "values": "string"}
    was = load_event_schema(definition(optional("street", pii=True), name="Packed"), 1001)
    now = definition(optional("street"), optional("email"), optional("bag", bag), optional("tags", tags), name="Packed")
    plan = Plan([load_event_schema(definition(*FIELDS), 1000), load_event_schema({**now, "version": 2}, 1002)], [was])
    monkeypatch.setattr(dlq_show, "Judge", lambda _: _Judge(plan))
    kept = {"bag": {"city": "Bonn", "email": MARKER}, "tags": {"email": MARKER}, "street": MARKER, "email": "shown"}
    sent = {"event": "Packed", "properties": kept, "data": {"email": MARKER}, "meta": {"email": MARKER}}
    one = letter(value=json.dumps(sent).encode(), event="Packed", reason="clock_skew", field=None)
    dlq_show.print_letter(Settings(), one, [], [], show_pii=False, output="json")
    shown = json.loads(capsys.readouterr().out)["original"]["value"]
    assert shown["properties"] == {
        "bag": {"city": "Bonn", "email": HIDDEN}, "tags": {"email": HIDDEN}, "street": HIDDEN, "email": "shown",
    }  # fmt: skip
    assert MARKER not in json.dumps(shown)
