"""The OpenAPI document: it is that of the code, tells every route, and what it describes never makes the edge fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from offerflow.runtime.errors import DependencyDown
from producers.ingest.adapters.all import all_adapters
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.book import OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.offers import OffersApi
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.api.serving import Api
from producers.ingest.limits import Limits
from producers.ingest.openapi.__main__ import printed
from producers.ingest.openapi.clients import EXCHANGES, PROTOCOLS
from producers.ingest.openapi.servers import CALLS
from tests.deployment import ROOT
from tests.producers.ingest.edge import KEY, PURCHASE, Edge

CHECKED_IN = ROOT / "docs" / "openapi.json"
EXAMPLES = 3
"""Per operation: making one takes longer than answering it."""


def _away() -> Any:
    raise DependencyDown("away, as the test wants it")


def _edge() -> Edge:
    """With the API for servers, whose store and states are away: it answers 503 and never 500."""
    book = OfferBook()
    offers, rewards = OffersApi(book, FoldedOffers(book, _away)), RewardsApi(AskedStore(_away))
    return Edge(api=Api({**offers.table(), **rewards.table()}))


@pytest.fixture(scope="module")
def edge() -> Edge:
    return _edge()


@pytest.fixture(scope="module")
def document(edge: Edge) -> dict[str, Any]:
    """What the edge serves."""
    return dict(json.loads(edge.request("GET", "/openapi.json").content))


@pytest.fixture(scope="module")
def schema(document: dict[str, Any], edge: Edge) -> Any:
    import schemathesis  # takes a second, which every process would spend on collecting

    loaded = schemathesis.openapi.from_dict(document)
    loaded.app = edge.app
    return loaded


OPERATIONS = sorted({
    *((method, path) for one in all_adapters(Limits()) for path, methods in one.routes.items() for method in methods),
    *CALLS,
})  # fmt: skip


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_the_document_that_is_checked_in_is_that_of_the_code(document: dict[str, Any]) -> None:
    """docs/openapi.json is what `python -m producers.ingest.openapi` prints, and what the edge serves."""
    assert CHECKED_IN.read_bytes() == printed(), "run: python -m producers.ingest.openapi > docs/openapi.json"
    assert json.loads(CHECKED_IN.read_bytes()) == document


def test_every_route_is_told_with_its_body(document: dict[str, Any]) -> None:
    """Each protocol has its words, each path that takes events its schema, and each call of the API its own."""
    for adapter in all_adapters(Limits()):
        assert adapter.name in PROTOCOLS
        for path, methods in adapter.routes.items():
            told = document["paths"][path]
            assert set(told) == {method.lower() for method in methods}
            assert "POST" not in methods or path in EXCHANGES, f"POST {path} has no words in openapi/clients.py"
    for method, path in CALLS:
        assert method.lower() in document["paths"][path]


def test_every_reference_leads_somewhere_and_ids_are_unique(document: dict[str, Any]) -> None:
    """No reference is broken, and no two operations have one id, which generators of clients make functions of."""
    for reference in set(_references(document)):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    ids = [told["operationId"] for path in document["paths"].values() for told in path.values()]
    assert len(ids) == len(set(ids))


def test_schemas_of_the_document_are_json_schema(document: dict[str, Any]) -> None:
    """Every schema that has a name is one of JSON Schema 2020-12, and the envelope's takes what the edge takes."""
    components = document["components"]["schemas"]
    for schema in components.values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    event = jsonschema_rs.validator_for({**components["Event"], "components": document["components"]})
    assert event.is_valid(PURCHASE)
    assert event.is_valid({"type": "identify", "anonymous_id": "a-1", "time": 1_700_000_000_000})
    assert not event.is_valid({"event": "A"})
    assert not event.is_valid({"user_id": "u-1"})
    assert not event.is_valid({"event": "A", "user_id": "u-1", "properties": [1]})


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_that_the_document_describes_makes_the_edge_fail(schema: Any, method: str, path: str) -> None:
    """Whatever is made of the document is taken or refused precisely: 503 of a store that is away is the only answer of
    the 500s."""
    from schemathesis.checks import not_a_server_error

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(schema[path][method].as_strategy())
    def run(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {KEY}"})
        if answer.status_code == 503:
            assert answer.headers["retry-after"]
        else:
            case.validate_response(answer, checks=[not_a_server_error])

    run()


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.json/"])
def test_it_is_served(edge: Edge, path: str) -> None:
    """Anybody may read it, also from a page of another origin."""
    answer = edge.request("GET", path, headers={"origin": "https://editor.example"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] in ("*", "https://editor.example")
