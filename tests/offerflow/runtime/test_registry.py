"""The client of a registry of the user's own: what is an answer, and what only means that it is away."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from offerflow.runtime.errors import ConfigError, DependencyDown, Refused
from offerflow.runtime.registry import ExternalRegistry
from offerflow.runtime.settings import RegistrySettings, Settings
from tests.deployment import free_port
from tests.registry_stub import Stub, serving


def registry_at(url: str | None) -> ExternalRegistry:
    return ExternalRegistry(Settings(registry=RegistrySettings(url=url)))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as stub:
        yield stub


@pytest.fixture
def registry(stub: Stub) -> Iterator[ExternalRegistry]:
    registry = registry_at(stub.url + "/")
    yield registry
    registry.close()


def test_a_schema_with_what_it_refers_to(stub: Stub, registry: ExternalRegistry) -> None:
    """Its text, and those of its references, each after those that it needs itself."""

    def reference(name: str) -> dict[str, Any]:
        return {"name": name, "subject": f"{name} / x", "version": 3}

    stub.has(7, "A", references=[reference("B")])
    stub.answers["/subjects/B%20%2F%20x/versions/3"] = (200, {"schema": "B", "references": [reference("C")]})
    stub.answers["/subjects/C%20%2F%20x/versions/3"] = (200, {"schema": "C"})
    found = registry.schema(7)
    assert found is not None
    assert (found.text, found.references) == ('"A"', ("C", "B"))


def test_an_id_nobody_registered(stub: Stub, registry: ExternalRegistry) -> None:
    """None, and only for the registry's own word."""
    assert registry.schema(8) is None
    assert stub.asked == [("GET", "/schemas/ids/8")]


@pytest.mark.parametrize(
    ("status", "content", "tries"),
    [
        (404, "no such page", 1),
        (404, {"error_code": 404, "message": "HTTP 404 Not Found"}, 1),
        (200, "<html>a login page</html>", 1),
        (401, {"error_code": 40101, "message": "Unauthorized"}, 1),
        (500, {"error_code": 50001, "message": "broken"}, 3),
        (429, "slowly", 3),
    ],
)
def test_everything_else_means_that_it_is_away(
    stub: Stub, registry: ExternalRegistry, status: int, content: Any, tries: int
) -> None:
    """Another server, a login page, a failure: DependencyDown with the address; failures are tried three times."""
    stub.answers["/schemas/ids/7"] = (status, content)
    with pytest.raises(DependencyDown) as caught:
        registry.schema(7)
    assert stub.url in str(caught.value)
    assert len(stub.asked) == tries


def test_nobody_listens() -> None:
    """DependencyDown that shows the address without the password."""
    registry = registry_at(f"http://user:secret@127.0.0.1:{free_port()}/?token=secret")
    with pytest.raises(DependencyDown) as caught:
        registry.schema(7)
    registry.close()
    assert "OFFERFLOW_REGISTRY__URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_name_and_password_of_the_url_are_sent(stub: Stub) -> None:
    """As basic authentication."""
    registry = registry_at(stub.url.replace("//", "//user:secret@"))
    assert registry.schema(7) is None
    registry.close()
    assert stub.headers[0]["authorization"] == "Basic " + base64.b64encode(b"user:secret").decode()


@pytest.mark.parametrize("url", [None, "", "registry:8081", "ftp://registry", "http://", "http://[::1", "http://r:x"])
def test_a_url_that_is_none(url: str | None) -> None:
    """ConfigError that names the variable."""
    with pytest.raises(ConfigError, match="OFFERFLOW_REGISTRY__URL"):
        registry_at(url)


def test_registering(stub: Stub, registry: ExternalRegistry) -> None:
    """The id it gives; a schema that it will not have is Refused with its reason."""
    stub.answers["/subjects/events.Bought/versions"] = (200, {"id": 41})
    assert registry.register("events.Bought", "{}") == 41
    assert (stub.asked, stub.bodies) == ([("POST", "/subjects/events.Bought/versions")], [{"schema": "{}"}])
    stub.answers["/subjects/events.Bought/versions"] = (409, {"error_code": 409, "message": "incompatible: amount"})
    with pytest.raises(Refused, match="incompatible: amount"):
        registry.register("events.Bought", "{}")
    with pytest.raises(Refused, match="no id"):
        registry.register("events.Sold", "{}")
