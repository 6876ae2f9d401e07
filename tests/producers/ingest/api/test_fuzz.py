"""Whatever is sent to the API gets an answer that says what is wrong; nothing makes it fail."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.consumers.history.said import Kept, satisfied
from tests.producers.ingest.api.conftest import ApiEdge

PATHS = ["/offers/v1/offers", "/offers/v1/offers/{}", "/offers/v1/explanations", "/rewards/v1/rewards",
         "/rewards/v1/rewards/{}", "/rewards/v1/rewards/{}/fulfil", "/rewards/v1/rewards/{}/reverse"]  # fmt: skip
NAMES = st.sampled_from(["state", "after", "limit", "userId", "anonymousId", "offer", "x"])
VALUES = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"satisfied", b"0", b"-1", b"999999999999999999999", b"1e9"])
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(["userId", "offer", "code", "key", "by", "x"]), inner, max_size=4)),
)  # fmt: skip


@pytest.fixture(scope="module")
def edge() -> Iterator[ApiEdge]:
    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(Path(folder))
        kept.complete()
        kept.take(satisfied())
        made = ApiEdge(kept)
        yield made
        made.close()


@settings(max_examples=150)
@given(
    st.sampled_from(PATHS), st.one_of(st.binary(max_size=20), st.just(b"w-1")),
    st.lists(st.tuples(NAMES, VALUES), max_size=4), st.one_of(st.binary(max_size=60), JSON), st.booleans(),
)  # fmt: skip
def test_no_call_makes_it_fail(
    edge: ApiEdge, path: str, name: bytes, query: list[tuple[str, bytes]], body: object, reads: bool
) -> None:  # fmt: skip
    """Never 500, and every refusal has a word for programs and a message for people."""
    url = path.format(quote_from_bytes(name, safe=""))
    url += "?" + "&".join(f"{key}={quote_from_bytes(value)}" for key, value in query) if query else ""
    answer = edge.get(url) if reads else edge.ask(url, body)
    assert answer.status_code in {200, 202, 400, 404, 405, 409, 413}, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]
        assert answer.json()["message"]
