"""New event schemas in a registry of the user's own, while they are committed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.workspace import commit as committing
from console.workspace.commit import Author, commit
from offerflow.catalog.view import Catalog
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import RegistrySettings, Settings
from tests.console.workspace.conftest import Deployed
from tests.console.workspace.samples import event
from tests.registry_stub import Stub, serving

NAMES = ("A", "B", "C", "D")


class Written(CatalogWriter):
    """A catalog that takes everything and keeps no record."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self.times = 0

    @property
    def catalog(self) -> Catalog:
        return self._deployed.catalog

    def write(self, *_: object) -> None:
        self.times += 1


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr(committing, "create_topics", lambda *_: None)
    monkeypatch.setattr(committing, "await_in_force", lambda *_: {"rules": 1})
    with serving() as stub:
        yield stub


def committed(deployed: Deployed, url: str, catalog: Written) -> list[str]:
    """The warnings of a commit that adds an event schema for each of NAMES."""
    change = deployed.plan({f"{name}.avsc": event(name=name) for name in NAMES})
    said: list[str] = []
    settings = Settings(registry=RegistrySettings(url=url))
    assert commit(settings, catalog, change, Author("ana@laptop", "apply"), 1, said.append) == {"rules": 1}
    assert catalog.times == 1
    return said


def with_password(stub: Stub) -> str:
    return stub.url.replace("http://", "http://ana:hunter2@")


def test_what_the_registry_does_not_take_is_told(
    stub: Stub, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is refused does not keep the others out, and no line shows the password."""
    for name in NAMES:
        stub.answers[f"/subjects/events.{name}/versions"] = (200, {"id": 7})
    stub.answers["/subjects/events.B/versions"] = (409, {"error_code": 409, "message": "not compatible"})
    (said,) = committed(deployed, with_password(stub), Written(deployed))
    assert said.startswith(f"event B@1 is applied, but not in the registry {stub.url}: ")
    assert "not compatible" in said
    assert len(stub.asked) == 4
    printed = capsys.readouterr()
    assert f"Registering event schemas at {stub.url}" in printed.err
    assert "hunter2" not in said + printed.err + printed.out


def test_a_registry_that_is_away_is_asked_once(stub: Stub, deployed: Deployed) -> None:
    """The first that gets no answer ends it: the warning names it and all behind it, which nobody waits for."""
    stub.answers["/subjects/events.A/versions"] = (200, {"id": 7})
    stub.answers["/subjects/events.B/versions"] = (401, {"error_code": 401, "message": "who are you"})
    (said,) = committed(deployed, with_password(stub), Written(deployed))
    assert said.startswith(f"events B@1, C@1, D@1 are applied, but not in the registry {stub.url}: ")
    assert [path for _, path in stub.asked] == ["/subjects/events.A/versions", "/subjects/events.B/versions"]
    assert "hunter2" not in said


def test_a_wrong_url_is_refused_before_anything_is_written(stub: Stub, deployed: Deployed) -> None:
    """It names the setting, and the catalog is as before."""
    catalog = Written(deployed)
    with pytest.raises(ConfigError, match="OFFERFLOW_REGISTRY__URL"):
        committed(deployed, "registry:8081", catalog)
    assert catalog.times == 0
    assert stub.asked == []
