"""The console's application over a catalog made by hand, asked as a registry's client would."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from console.web.app import application
from console.web.facade import Facade
from console.web.page import REGISTRY, Page
from console.web.subjects import Subjects
from offerflow.catalog.view import Catalog
from schemas.registered import registry_of
from tests.schemas.samples import definition, field, optional

BOUGHT = definition(field("order_id"), field("amount", "double", minimum=0), event=["Bought", "Order Paid"])
BOUGHT_2 = definition(*BOUGHT["fields"][1:], optional("coupon"), event=["Bought"], version=2, owner="shop")
RATED = definition(
    field("stars", {"type": "enum", "name": "Stars", "symbols": ["ONE", "TWO"]}), name="Rated", compatibility="NONE"
)


class View:
    """A catalog in memory. ``written`` is what a read to its end would find."""

    def __init__(self, *schemas: tuple[int, dict[str, Any], bool]) -> None:
        self.facade: Facade | None = facade_of(*schemas)
        self.written: Callable[[], Facade] | None = None
        self.asked = 0
        self.serial = 7

    def up_to_date(self) -> None:
        self.asked += 1
        if self.written is not None:
            self.facade = self.written()


def facade_of(*schemas: tuple[int, dict[str, Any], bool]) -> Facade:
    """``schemas``: (id, definition, whether it is current)."""
    keys = [f"event/{one['name']}@{one.get('version', 1)}" for _, one, _ in schemas]
    records: dict[str, Any] = {
        key: {"schema": one, "schema_id": number} for key, (number, one, _) in zip(keys, schemas, strict=True)
    }
    records["head"] = {"serial": 7, "definitions": [k for k, (*_, now) in zip(keys, schemas, strict=True) if now]}
    registry = registry_of(Catalog(records))
    return Facade(registry, Subjects(registry, "offerflow.".__add__, ["raw.shop"]))


class Client:
    """Asks below the registry's URL."""

    def __init__(self, view: View, external: str | None = None) -> None:
        self.view = view
        self.http = TestClient(application(view, Page(view, [], external)), raise_server_exceptions=False)

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        return self.ask("GET", path, status, params=query)

    def post(self, path: str, schema: Any, status: int = 200, **more: Any) -> Any:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self.ask("POST", path, status, json={"schema": text, **more})

    def ask(self, method: str, path: str, status: int = 200, **given: Any) -> Any:
        answer = self.http.request(method, REGISTRY + path, **given)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        return answer.json()

    def error(self, method: str, path: str, code: int, status: int | None = None, **given: Any) -> str:
        """The message of an error with Confluent's ``code``."""
        told = self.ask(method, path, status or int(str(code)[:3]), **given)
        assert told["error_code"] == code, told
        return str(told["message"])


def whole(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as the registry serves it, without what the plan adds: what a producer is likely to hold."""
    from schemas.codec import META

    kept = {name: schema[name] for name in ("type", "namespace", "name")}
    fields = [{"name": one["name"], "type": one["type"], **({"default": None} if "default" in one else {})}
              for one in schema["fields"][1:]]  # fmt: skip
    return {**kept, "fields": [{"name": "meta", "type": META}, *fields]}
