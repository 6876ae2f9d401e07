"""One record has one form, whoever asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.dead_letters.document import Unreadable, read_document
from schemas.cloudevents import CloudEnvelope
from schemas.envelope import Undecodable
from schemas.raw import Form, form_of, read
from tests.console.dead_letters.letters import PLAN, same
from tests.schemas.raw_samples import Headers

EVENT = b'{"event": "Bought", "user_id": "u", "properties": {"amount": 1}}'
CLOUD = b'{"specversion": "1.0", "id": "e", "source": "s", "type": "Bought", "data": {}}'
BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"e"), ("ce_source", b"s"), ("ce_type", b"Bought")]
MEDIA = b"application/cloudevents+json"


@pytest.mark.parametrize(
    ("value", "headers", "form"),
    [
        (EVENT, None, "json"), (None, None, "json"), (EVENT, [("trace", b"t")], "json"), (CLOUD, None, "json"),
        (EVENT, [("ce_x", None)], "json"), (EVENT, [("ce_x", b"")], "json"), (EVENT, [("ce_x", b"1")], "binary"),
        (EVENT, [("ce_x", b"1"), ("ce_x", None)], "json"), (EVENT, [("CE_x", b"1")], "json"),
        (CLOUD, [("content-type", MEDIA)], "structured"), (CLOUD, [("Content-Type", MEDIA + b"; a=b")], "structured"),
        (EVENT, [("content-type", MEDIA), ("ce_id", b"e"), ("Content-Type", b"application/json")], "binary"),
        (EVENT, [("content-type", b"application/json"), ("content-type", MEDIA)], "structured"),
        (EVENT, [("content-type", MEDIA), ("content-type", None)], "json"),
        (b"\x00\x00\x00\x03\xe8", [("content-type", MEDIA), *BINARY], "avro"),
    ],
)  # fmt: skip
def test_the_form_of_a_record(value: bytes | None, headers: Headers | None, form: Form) -> None:
    """The last header of a name counts, and only one that has a value."""
    assert form_of(value, headers) == form


names = st.sampled_from(
    ["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_x", "content-type", "Content-Type", "t"]
)
contents = st.sampled_from([None, b"", b"1.0", b"e", b"application/json", MEDIA, b"application/cloudevents-batch+json"])


@given(
    value=st.sampled_from([EVENT, CLOUD, b"{}", b"", None, b"\x00", b"\x00\x00\x00\x03\xe8x"]),
    more=st.lists(st.tuples(names, contents), max_size=4),
    whole=st.booleans(),
)
def test_what_is_shown_is_what_is_judged(
    value: bytes | None, more: list[tuple[str, bytes | None]], whole: bool
) -> None:
    """Whatever headers say, the document people patch has the form that validation reads."""
    headers = [*(BINARY if whole else []), *more]
    form = form_of(value, headers)
    try:
        document = read_document(value, headers, PLAN, same)
    except Unreadable:
        document = None
    if document is not None:
        assert document.form == {"structured": "json", "binary": "cloudevent"}.get(form, form)
    try:
        envelope = read(value, headers)
    except Undecodable:
        return
    assert isinstance(envelope, CloudEnvelope) == (form in ("structured", "binary") or value == CLOUD)
    if form == "binary":
        assert document is not None
        assert (document.body["type"], document.body["id"]) == (envelope.event, envelope.event_id)
