"""The registry's questions, answered from a catalog made by hand."""

from __future__ import annotations

import json

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import META
from tests.console.web.served import BOUGHT, BOUGHT_2, RATED, Client, View, facade_of, whole

RAW = "offerflow.raw.shop-value"


def test_subjects_are_records_and_topics(client: Client) -> None:
    """Records by name, and topics that hold Avro, are listed; the raw topics of sources are among them."""
    names = client.get("/subjects")
    assert {"events.Bought", "events.Rated", "events.Meta", "outputs.OfferEntered", "journal.Tick"} <= set(names)
    assert {RAW, "offerflow.raw.backend-value", "offerflow.offer-entry-value", "offerflow.journal-value"} <= set(names)
    assert names == sorted(names)
    assert client.get("/subjects", subjectPrefix="events.") == ["events.Bought", "events.Meta", "events.Rated"]
    assert client.get("/subjects", subjectPrefix="events.", offset=1, limit=1) == ["events.Meta"]


def test_every_listed_subject_answers(client: Client) -> None:
    """Each subject has versions, each version its schema, and the schema's id leads back to it; every text parses."""
    for name in client.get("/subjects"):
        for number in client.get(f"/subjects/{name}/versions"):
            found = client.get(f"/subjects/{name}/versions/{number}")
            assert (found["subject"], found["version"]) == (name, number)
            assert client.get(f"/subjects/{name}/versions/{number}/schema") == json.loads(found["schema"])
            fastavro.parse_schema(json.loads(found["schema"]))
            by_id = client.get(f"/schemas/ids/{found['id']}")
            assert by_id["schema"] == found["schema"]
            assert {"subject": name, "version": number} in client.get(f"/schemas/ids/{found['id']}/versions")
            assert name in client.get(f"/schemas/ids/{found['id']}/subjects")


def test_event_schemas_come_with_their_meta(client: Client) -> None:
    """The meta is written out in the first field, and the plan's own attributes are kept."""
    schema = client.get("/schemas/ids/1000/schema")
    assert schema["fields"][0] == {"name": "meta", "type": META}
    assert schema["fields"][2]["minimum"] == 0
    assert client.get("/subjects/events.Bought/versions") == [1, 2]
    assert client.get("/subjects/events.Bought/versions/latest")["id"] == 1002
    assert client.get("/subjects/events.Bought/versions/-1")["id"] == 1002
    assert client.get("/schemas/types") == ["AVRO"]
    assert [one["id"] for one in client.get("/schemas", subjectPrefix="events.Bought")] == [1000, 1002]
    assert [one["id"] for one in client.get("/schemas", subjectPrefix="events.B", latestOnly="true")] == [1002]


@pytest.mark.parametrize(
    "subject",
    ["events.Bought", ":.:events.Bought", RAW, "offerflow.raw.not-yet-named-value", "offerflow.raw.shop-events.Bought"],
)
def test_a_schema_is_found_under_every_naming_strategy(client: Client, subject: str) -> None:
    """Lookup and registration of a known schema give its id, whatever of the plan's attributes the producer kept."""
    for schema, number in ((BOUGHT, 1000), (whole(BOUGHT), 1000), (whole(BOUGHT_2), 1002), (BOUGHT_2, 1002)):
        assert client.post(f"/subjects/{subject}", schema)["id"] == number
        assert client.post(f"/subjects/{subject}/versions?normalize=false", schema)["id"] == number
    assert client.post(f"/subjects/{subject}", client.get("/schemas/ids/1000")["schema"])["id"] == 1000


def test_a_schema_may_refer_to_the_meta(client: Client) -> None:
    """A schema file as people write it, with events.Meta as a reference that a client can fetch."""
    reference = {"name": "events.Meta", "subject": "events.Meta", "version": 1}
    assert client.post(f"/subjects/{RAW}", RATED, references=[reference])["id"] == 1001
    assert client.get("/subjects/events.Meta/versions/1")["schema"] == json.dumps(META, separators=(",", ":"))


def test_versions_with_one_form_are_told_apart_where_they_can_be() -> None:
    """Two versions that differ in a bound alone: the very text gives its own id, a stripped one the newest's."""
    later = {**BOUGHT, "version": 2, "owner": "tills"}
    client = Client(View((1000, BOUGHT, True), (1001, later, True)))
    assert [client.post(f"/subjects/{RAW}", one)["id"] for one in (BOUGHT, later, whole(BOUGHT))] == [1000, 1001, 1001]


def test_an_unknown_schema_is_refused_with_the_way_to_add_it(client: Client) -> None:
    """422 naming the field that differs and `offerflow apply`; a lookup says 40403."""
    changed = whole(BOUGHT)
    changed["fields"][2]["type"] = "string"
    told = client.error("POST", f"/subjects/{RAW}/versions", 42205, json={"schema": json.dumps(changed)})
    assert '\'amount\' is "string" instead of "double"' in told
    assert "offerflow apply" in told
    assert "none of its versions (1, 2)" in client.error(
        "POST", f"/subjects/{RAW}", 40403, json={"schema": json.dumps(changed)}
    )
    nobody = json.dumps({**whole(BOUGHT), "name": "Sold"})
    assert "no events.Sold in the event plan" in client.error(
        "POST", f"/subjects/{RAW}/versions", 42205, json={"schema": nobody}
    )
    other = json.dumps(whole(RATED))
    assert "no events.Rated under events.Bought" in client.error(
        "POST", "/subjects/events.Bought/versions", 42205, json={"schema": other}
    )
    assert "expected a record" in client.error("POST", "/subjects/shop-value/versions", 42205, json={"schema": other})


def test_a_removed_version_is_still_readable() -> None:
    """By id always, as the journal holds it; under its subject only with ``deleted``; sending it is refused."""
    client = Client(View((1000, BOUGHT, False), (1001, RATED, False), (1002, BOUGHT_2, True)))
    assert client.get("/schemas/ids/1000")["id"] == 1000
    assert client.get("/subjects/events.Bought/versions") == [2]
    assert client.get("/subjects/events.Bought/versions", deleted="true") == [1, 2]
    assert "events.Rated" not in client.get("/subjects")
    assert "events.Rated" in client.get("/subjects", deleted="true")
    told = client.error("POST", f"/subjects/{RAW}/versions", 42205, json={"schema": json.dumps(whole(BOUGHT))})
    assert "version 1 of events.Bought was removed from the event plan" in told
    assert client.post(f"/subjects/{RAW}?deleted=true", whole(BOUGHT))["id"] == 1000


def test_what_is_not_there_has_confluents_codes(client: Client) -> None:
    """40401 subject, 40402 version, 40403 schema, 40408 level, 42202 no version at all; each says what there is."""
    assert "events.PurchaseCompleted" in client.error("GET", "/subjects/nobody/versions", 40401)
    assert "there are: 1, 2" in client.error("GET", "/subjects/events.Bought/versions/3", 40402)
    assert "'two'" in client.error("GET", "/subjects/events.Bought/versions/two", 42202)
    client.error("GET", "/subjects/events.Bought/versions/0", 42202)
    for unknown in ("999", "-1", "x", "99999999999999999999"):
        client.error("GET", f"/schemas/ids/{unknown}", 40403)
    client.error("GET", "/config/nobody", 40408)
    assert client.get("/config/nobody", defaultToGlobal="true") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    client.error("GET", "/subjects/offerflow.raw.shop-key/versions", 40401)


def test_a_raw_topic_has_no_latest_schema(client: Client) -> None:
    """It carries every event, so "latest" says to name one: its record in the subject, or its name as metadata."""
    assert "offerflow.raw.shop-events." in client.error("GET", f"/subjects/{RAW}/versions/latest", 40402)
    assert client.get("/subjects/offerflow.raw.shop-events.Bought/versions/latest")["id"] == 1002
    assert client.get(f"/subjects/{RAW}/metadata", key="event", value="Order Paid")["id"] == 1000
    assert client.get(f"/subjects/{RAW}/metadata", key="event", value="Bought")["id"] == 1002
    assert "no event named 'Sold'" in client.error("GET", f"/subjects/{RAW}/metadata?key=event&value=Sold", 40402)
    one = Client(View((1000, BOUGHT, True), (1002, BOUGHT_2, True)))
    assert one.get(f"/subjects/{RAW}/versions/latest")["id"] == 1002


def test_outputs_are_found_under_their_topics(client: Client) -> None:
    """The default strategy of a deserializer finds each output's schema, and dead letters'."""
    for topic, record in (("offer-entry", "OfferEntered"), ("dead-letter", "DeadLetter")):
        found = client.get(f"/subjects/offerflow.{topic}-value/versions/latest")
        assert json.loads(found["schema"])["name"] == record
        assert client.post(f"/subjects/offerflow.{topic}-value", found["schema"])["id"] == found["id"]
        assert client.get(f"/subjects/offerflow.{topic}-outputs.{record}/versions") == [1]


def test_levels_are_those_of_the_plan(client: Client) -> None:
    """The attribute of the newest version, the default of the plan elsewhere; the whole registry is read-only."""
    assert client.get("/config") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert client.get("/config/events.Rated") == {"compatibilityLevel": "NONE"}
    assert client.get(f"/config/{RAW}") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert client.get("/mode") == client.get("/mode/events.Rated") == {"mode": "READONLY"}


def test_compatibility_names_the_field(client: Client) -> None:
    """A new optional field may come; a required one may not, and the answer says which; NONE lets all pass."""
    url = "/compatibility/subjects/events.Bought/versions"
    fine, bad = whole(BOUGHT_2), whole(BOUGHT_2)
    fine["fields"].append({"name": "shop", "type": ["null", "string"], "default": None})
    bad["fields"].append({"name": "shop", "type": "string"})
    assert client.post(url, fine) == {"is_compatible": True, "messages": []}
    for path in (url, f"{url}/1", f"{url}/latest?verbose=true", f"/compatibility/subjects/{RAW}/versions"):
        told = client.post(path, bad)
        assert told["is_compatible"] is False
        assert "shop" in " ".join(told["messages"])
    changed = {**whole(RATED), "fields": [whole(RATED)["fields"][0], {"name": "stars", "type": "long"}]}
    assert client.post("/compatibility/subjects/events.Rated/versions", changed)["is_compatible"]
    assert client.post(f"/compatibility/subjects/{RAW}/versions", {**bad, "name": "Sold"})["is_compatible"]
    assert not client.post(url, whole(RATED))["is_compatible"]
    assert not client.post(url, {"type": "enum", "name": "events.Bought", "symbols": ["A"]})["is_compatible"]
    client.error("POST", f"{url}/9", 40402, json={"schema": json.dumps(fine)})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/subjects/events.Bought"),
        ("DELETE", "/subjects/events.Bought/versions/1"),
        ("PUT", "/config"),
        ("PUT", "/config/events.Bought"),
        ("DELETE", "/config/events.Bought"),
        ("PUT", "/mode"),
    ],
)
def test_nothing_can_be_changed(client: Client, method: str, path: str) -> None:
    """405 in the registry's form, saying how schemas come in."""
    assert "offerflow apply" in client.error(method, path, 405, json={"compatibility": "NONE"})


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        (b"", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b'"\xff"', 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 400, "JSON object"),
        (b"{}", 42201, "schema"),
        (b'{"schema": 7}', 42201, "schema"),
        (b'{"schema": "{"}', 42201, "not JSON"),
        (b'{"schema": "\\"Bought\\""}', 42201, "'Bought'"),
        (b'{"schema": "' + b"[" * 100_000 + b'"}', 42201, "deeply"),
        (b'{"schema": "{\\"type\\": \\"enum\\"}"}', 42201, "name"),
        (b'{"schemaType": "PROTOBUF", "schema": "syntax"}', 42201, "AVRO"),
        (b'{"schema": "' + b"x" * 1024 * 1024 + b'"}', 413, "1048576"),
    ],
)
def test_bad_bodies_get_precise_errors(client: Client, body: bytes, code: int, part: str) -> None:
    """No JSON, no schema, another kind of schema, one that is none, one too deep or too large."""
    for path in (f"/subjects/{RAW}", "/subjects/events.Bought/versions", f"/compatibility/subjects/{RAW}/versions"):
        assert part in client.error("POST", path, code, content=body)


def test_a_name_that_is_no_text_is_told_as_far_as_it_goes(client: Client) -> None:
    """Half a character, which JSON can say and UTF-8 cannot, ends in an error like any other."""
    schema = json.dumps({"type": "record", "name": "Bou\ud800ght", "fields": []})
    assert "events.Bou?ght" in client.error("POST", f"/subjects/{RAW}", 40403, json={"schema": schema})


def test_elsewhere_is_told_as_well(client: Client) -> None:
    """An unknown path and a wrong method say what is here, in the registry's form."""
    assert "/registry/subjects" in client.error("GET", "/nothing", 404)
    assert client.http.get("/nothing").json()["error_code"] == 404
    assert client.error("PATCH", "/subjects/events.Bought", 405)
    assert client.get("/") == {}


def test_a_no_is_given_after_reading_to_the_end(client: Client) -> None:
    """A schema applied a moment ago is found although the view lags behind; what is found at once costs no reading."""
    client.view.facade, applied = facade_of(), client.view.facade
    client.view.written = lambda: applied
    assert client.get("/schemas/ids/1000")["id"] == 1000
    assert client.view.asked == 1
    assert client.post(f"/subjects/{RAW}/versions", whole(RATED))["id"] == 1001
    assert client.view.asked == 1
    client.error("GET", "/schemas/ids/999", 40403)
    assert client.view.asked == 2


def test_before_the_catalog_was_read_nothing_is_claimed(client: Client) -> None:
    """503, so that clients try again instead of remembering a no."""
    client.view.facade = None
    assert "not read yet" in client.error("GET", "/subjects", 50001, 503)
    assert client.http.get("/").json()["ready"] is False


def test_a_schema_too_deep_to_compare(client: Client) -> None:
    """However deep it nests: an answer or 42201, whichever library gives up first."""
    for depth in (50, 150, 300, 450, 900):
        kind: object = "string"
        for _ in range(depth):
            kind = {"type": "array", "items": kind}
        schema = whole(BOUGHT)
        schema["fields"].append({"name": "deep", "type": kind})
        answer = client.http.post(
            "/registry/compatibility/subjects/events.Bought/versions", json={"schema": json.dumps(schema)}
        )
        assert answer.status_code in (200, 422), (depth, answer.text)


KINDS = st.recursive(
    st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string", "events.Bought",
                     {"type": "long", "logicalType": "timestamp-millis"},
                     {"type": "enum", "name": "E", "symbols": ["A"]},
                     {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 9},
                     {"type": "fixed", "name": "F", "size": 3}, {"type": "string", "logicalType": "uuid"}]),
    lambda inner: st.lists(inner, max_size=3)
    | inner.map(lambda kind: {"type": "array", "items": kind})
    | inner.map(lambda kind: {"type": "map", "values": kind})
    | st.tuples(st.sampled_from(["R", "S", "x.R"]), inner).map(
        lambda pair: {"type": "record", "name": pair[0], "fields": [{"name": "a", "type": pair[1], "default": None}]}
    ),
    max_leaves=6,
)  # fmt: skip


@given(KINDS, st.sampled_from(["coupon", "amount", "more"]))
def test_no_type_breaks_the_comparison(kind: object, name: str) -> None:
    """A field of any type, well-formed or nearly: it is compared, or it is 42201."""
    client = Client(View((1000, BOUGHT, True), (1002, BOUGHT_2, True)))
    schema = whole(BOUGHT_2)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != name] + [{"name": name, "type": kind}]
    answer = client.http.post(
        "/registry/compatibility/subjects/events.Bought/versions", json={"schema": json.dumps(schema)}
    )
    assert answer.status_code in (200, 422), answer.text


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["record", "events.Meta", "string"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "name", "namespace", "fields", "items", "values", "symbols", "default", "size",
                         "logicalType", "__fastavro_parsed__"]), inner, max_size=5),
    max_leaves=12,
))  # fmt: skip
def test_no_schema_breaks_it(schema: object) -> None:
    """Whatever JSON is sent as a schema, the answer is an error of the registry's, and never a failure of ours."""
    client = Client(View((1000, BOUGHT, True)))
    text = json.dumps(schema)
    for path in (f"/subjects/{RAW}/versions", "/compatibility/subjects/events.Bought/versions"):
        answer = client.http.post(f"/registry{path}", json={"schema": text})
        assert answer.status_code in (200, 422), answer.text
