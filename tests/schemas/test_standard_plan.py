"""The schemas the project ships: the standard event plan, the outputs and the journal's own records.

Read with fastavro alone, the way an outsider would, so that a mistake in our own loader cannot hide one in a file.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
import re2

ROOT = Path(__file__).resolve().parents[2] / "schemas"
META = json.loads((ROOT / "internal" / "Meta.avsc").read_text(encoding="utf-8"))
EVENT_FILES = sorted((ROOT / "events").glob("*.avsc"))
OUTPUT_FILES = sorted((ROOT / "outputs").glob("*.avsc"))
JOURNAL_FILES = sorted(path for path in (ROOT / "internal").glob("*.avsc") if path.stem != "Meta")
ORIGINS = {"sdk", "backend", "integration"}
RECORD_ATTRIBUTES = {
    "type", "namespace", "name", "version", "doc", "event", "origins", "owner", "system", "unique", "unplanned",
    "fields",
}  # fmt: skip
FIELD_ATTRIBUTES = {"name", "type", "default", "doc", "minimum", "maximum", "pattern", "pii", "unit"}
NUMBERS = {"int", "long", "float", "double"}
Schema = dict[str, Any]


def load(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def parsed(schema: Schema) -> Schema:
    """The schema with `events.Meta` put in place of its name, as the registry facade serves it."""
    inlined = dict(schema, fields=[{"name": "meta", "type": META}, *schema["fields"][1:]])
    result: Schema = fastavro.parse_schema(inlined, _write_hint=False)
    return result


def properties(schema: Schema) -> list[Schema]:
    fields: list[Schema] = schema["fields"][1:]
    return fields


def plain_type(field: Schema) -> Any:
    """The field's type without the null of an optional one."""
    kind = field["type"]
    return kind[1] if isinstance(kind, list) else kind


def is_optional(field: Schema) -> bool:
    return isinstance(field["type"], list) and field["type"][0] == "null"


def smallest(field: Schema) -> Any:
    """A value that the field's own limits allow."""
    kind = plain_type(field)
    if kind in NUMBERS:
        return field.get("minimum", field.get("maximum", 0))
    if kind == "string":
        return "EUR" if field.get("pattern") == "^[A-Z]{3}$" else "A-1234"
    return True if kind == "boolean" else kind["symbols"][0]


@pytest.fixture(params=EVENT_FILES, ids=lambda path: path.stem)
def event(request: pytest.FixtureRequest) -> Schema:
    return load(request.param)


def enums(schema: Any) -> Iterator[str]:
    """The names of the enums declared anywhere below."""
    if isinstance(schema, dict):
        if schema.get("type") == "enum":
            yield schema["name"]
        for value in schema.values():
            yield from enums(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from enums(value)


def test_the_plan_names_every_event_it_promises() -> None:
    """Every event of the standard plan has a file, found by its name."""
    promised = {
        "AccountCreated", "UserUpdated", "UserActivated", "Reactivated", "LessonStarted", "LessonCompleted", "GoalSet",
        "GoalAchieved", "HealthMetricsRecorded", "SleepTracked", "SearchPerformed", "SubscriptionStarted",
        "SubscriptionRenewed", "SubscriptionUpdated", "SubscriptionCanceled", "PaymentCompleted", "PaymentFailed",
        "PurchaseCompleted", "ReferralInviteAccepted", "Identified", "Aliased", "PageViewed", "ScreenViewed",
        "GroupJoined", "SessionStarted", "SessionEnded", "ApplicationInstalled", "ApplicationOpened",
        "ApplicationBackgrounded", "ApplicationUpdated", "PushNotificationReceived", "PushNotificationOpened",
    }  # fmt: skip
    assert promised <= {path.stem for path in EVENT_FILES}


def test_a_name_belongs_to_one_event_type() -> None:
    """No display name or alias leads to two event types, and no named enum has two meanings across the plan."""
    schemas = [load(path) for path in EVENT_FILES]
    names = Counter(name for schema in schemas for name in schema["event"])
    assert {name: n for name, n in names.items() if n > 1} == {}
    symbols = Counter(name for schema in schemas for name in set(enums(schema)))
    assert {name: n for name, n in symbols.items() if n > 1} == {}


def test_the_names_that_the_envelope_type_stands_for_are_planned() -> None:
    """Identify, alias, page, screen and group calls become events that the plan has, from every origin."""
    by_display = {schema["event"][0]: schema for schema in map(load, EVENT_FILES)}
    for name in ("Identified", "Aliased", "Page Viewed", "Screen Viewed", "Group Joined"):
        assert set(by_display[name]["origins"]) == ORIGINS


def test_server_only_events_are_closed_to_front_ends() -> None:
    """Accounts, payments, purchases, subscriptions and referrals cannot be claimed by an app or a browser."""
    guarded = re.compile("^(AccountCreated|UserUpdated|Payment|Purchase|Subscription|Referral)")
    schemas = [load(path) for path in EVENT_FILES if guarded.match(path.stem)]
    assert len(schemas) >= 10
    assert [schema["name"] for schema in schemas if set(schema["origins"]) != {"backend", "integration"}] == []


def test_event_file_says_what_it_must(event: Schema, request: pytest.FixtureRequest) -> None:
    """The file is named after its record, with version, description, owner, origins and both spellings."""
    assert set(event) <= RECORD_ATTRIBUTES
    assert event["name"] == request.node.callspec.id
    assert (event["type"], event["namespace"], event["version"]) == ("record", "events", 1)
    assert event["doc"].endswith(".")
    assert event["owner"]
    assert event["origins"]
    assert set(event["origins"]) <= ORIGINS
    assert event["name"] in event["event"]
    assert event["event"][0].replace(" ", "") == event["name"]
    assert event.get("system", False) in (True, False)


def test_event_schema_is_avro_with_meta_first(event: Schema) -> None:
    """fastavro accepts the schema once Meta is in place, and Meta is the first field."""
    assert event["fields"][0] == {"name": "meta", "type": "events.Meta"}
    assert parsed(event)["name"] == f"events.{event['name']}"


def test_fields_keep_the_conventions(event: Schema) -> None:
    """Optional fields default to null, pii is optional, limits fit the type, patterns compile, nothing is misspelt."""
    names = [field["name"] for field in properties(event)]
    assert len(names) == len(set(names))
    for field in properties(event):
        assert set(field) <= FIELD_ATTRIBUTES, field["name"]
        assert re.fullmatch("[a-z][a-z0-9_]*", field["name"])
        if is_optional(field):
            assert field["default"] is None
        else:
            assert "default" not in field
        if field.get("pii"):
            assert is_optional(field), f"{field['name']}: the journal carries null in its place"
        if {"minimum", "maximum"} & set(field):
            assert plain_type(field) in NUMBERS
            assert field.get("minimum", float("-inf")) < field.get("maximum", float("inf"))
        if "pattern" in field:
            assert plain_type(field) == "string"
            assert re2.compile(field["pattern"])


def test_business_key_is_made_of_required_fields(event: Schema) -> None:
    """Each part of `unique` is a field that is always there and may be kept."""
    fields = {field["name"]: field for field in properties(event)}
    for name in event.get("unique", []):
        assert not is_optional(fields[name])
        assert not fields[name].get("pii")


def test_smallest_event_survives_the_round_trip(event: Schema) -> None:
    """An event of Meta and its required properties can be written and read back, the rest being null."""
    meta = {"event_id": "e", "user_id": "u", "anonymous_id": None, "time": 1, "received_at": 2, "source": "s",
            "origin": "backend", "lateness": "normal", "content_hash": -1}  # fmt: skip
    required = {field["name"]: smallest(field) for field in properties(event) if not is_optional(field)}
    schema = parsed(event)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, {"meta": meta, **required}, strict_allow_default=True)
    buffer.seek(0)
    read = fastavro.schemaless_reader(buffer, schema, None)
    assert isinstance(read, dict)
    assert {name for name, value in read.items() if value is not None} == {"meta", *required}


def test_reserved_ids_are_distinct_and_in_their_range() -> None:
    """Journal records take ids below 20, outputs 20 to 39, and no two share one."""
    journal = {path.stem: load(path)["id"] for path in JOURNAL_FILES}
    outputs = {path.stem: load(path)["id"] for path in OUTPUT_FILES}
    assert journal == {"Tick": 1, "RulesetActivated": 2, "EnterOffer": 3, "FulfilReward": 4, "ReverseReward": 5}
    assert outputs == {
        "OfferEntered": 20, "OfferExited": 21, "RewardSatisfied": 22,
        "RewardReversed": 23, "RewardFulfilled": 24, "DeadLetter": 25,
    }  # fmt: skip


@pytest.mark.parametrize("path", [*OUTPUT_FILES, *JOURNAL_FILES], ids=lambda path: path.stem)
def test_output_and_journal_schemas_stand_alone(path: Path) -> None:
    """Each file parses by itself, but for the meta of requests, is named after its record, and lives in the namespace
    of its kind."""
    schema = load(path)
    named: dict[str, Any] = {}
    requests = schema["fields"][0]["name"] == "meta"
    fastavro.parse_schema({**schema, "fields": [{"name": "meta", "type": META}, *properties(schema)]}
                          if requests else schema, named)  # fmt: skip
    namespace = "outputs" if path.parent.name == "outputs" else "journal"
    assert f"{namespace}.{path.stem}" in named


FIELDS = {
    "OfferEntered": "id user_id? anonymous_id? offer offer_version instance variant holdout attributes entered_at "
    "expires_at? via ruleset evidence",
    "OfferExited": "id user_id? anonymous_id? offer instance variant reason exited_at",
    "RewardSatisfied": "id user_id reward value? currency? offer? referral? side variant? attributes instance "
    "satisfied_at late ruleset evidence evidence_count",
    "RewardReversed": "id user_id reward_id reason reversed_at evidence",
    "RewardFulfilled": "id user_id reward_id fulfilled_at by",
    "DeadLetter": "id topic partition offset timestamp key? value? headers reason detail field? expected? got? event? "
    "source? schema_id? attempts component version failed_at",
}


@pytest.mark.parametrize("name", FIELDS)
def test_outputs_have_the_promised_fields_in_order(name: str) -> None:
    """The field order is the wire format: consumers with the documented tables can read every output."""
    fields = load(ROOT / "outputs" / f"{name}.avsc")["fields"]
    assert " ".join(field["name"] + "?" * is_optional(field) for field in fields) == FIELDS[name]
    assert all(field["default"] is None for field in fields if is_optional(field))


def test_money_is_a_decimal() -> None:
    """A reward's value is decimal(18,4) on the wire, never a float."""
    fields = {field["name"]: field for field in load(ROOT / "outputs" / "RewardSatisfied.avsc")["fields"]}
    assert plain_type(fields["value"]) == {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4}
