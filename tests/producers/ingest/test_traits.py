"""Traits by the plan's names."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from console.dead_letters.masking import HIDDEN, mask, personal_in
from producers.ingest.members import fields_decoder
from producers.ingest.traits import planned
from schemas.plan import Plan, load_event_schema
from tests.schemas.samples import definition

NOON = 1_772_704_800_000


def named(**traits: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(msgspec.json.encode(planned(fields_decoder.decode(json.dumps(traits)))))
    return found


def test_other_spellings() -> None:
    """They are added beside what was sent; a trait that has its plan's name already is not overwritten."""
    sent = {"firstName": "Ada", "lastName": "B", "last_name": "Byron", "languageCode": "uk", "timeZone": "Europe/Kyiv"}
    more = {"first_name": "Ada", "language": "uk", "timezone": "Europe/Kyiv"}
    assert named(**sent) == {**sent, **more}


@pytest.mark.parametrize("name", ["createdAt", "created_at"])
@pytest.mark.parametrize("text", ["2026-03-05T10:00:00Z", "2026-03-05T10:00:00.000", "2026-03-05 12:00:00+02:00"])
def test_when_the_account_was_made(name: str, text: str) -> None:
    """Text that is a time of any form is written as the plan takes it."""
    assert named(**{name: text})["created_at"] == NOON


@pytest.mark.parametrize("value", ["soon", 1_772_704_800, NOON, None, {}])
def test_what_is_no_text_of_a_time_stays(value: Any) -> None:
    """For validation to judge."""
    assert named(created_at=value) == {"created_at": value}


def test_nothing_to_add() -> None:
    """The very same object, so that the bytes that were sent can go on."""
    fields = fields_decoder.decode(b'{"plan": "pro"}')
    assert planned(fields) is fields


def test_both_names_are_personal() -> None:
    """A trait that the plan marks is hidden under the name it came by, too."""
    first = {"name": "first_name", "type": ["null", "string"], "pii": True, "default": None}
    plan = Plan([load_event_schema(definition(first), 1000)])
    masked = mask(named(firstName="Ada", plan="pro"), personal_in(plan))
    assert masked == {"firstName": HIDDEN, "first_name": HIDDEN, "plan": "pro"}
