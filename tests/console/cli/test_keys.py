"""Keys from creation to revocation, as the catalog and the edge see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from console.cli.main import main
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.keys import check_key, key_hash
from offerflow.runtime.settings import load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.key_use import write_uses
from offerflow.runtime.store.transactions import writing
from producers.ingest.catalog_keys import sources_by_key
from producers.ingest.keyring import Source
from tests.deployment import Deployment

pytestmark = pytest.mark.broker


SOURCES = "- {id: shop, origin: backend, topics: [raw.backend]}\n- {id: app, origin: sdk}\n"


@dataclass
class Desk:
    """Where somebody types commands for a deployment, in this process."""

    deployment: Deployment

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["keys", *arguments])

    def said(self, *arguments: str) -> Any:
        """What a command says as JSON."""
        done = self.run(*arguments, "--output", "json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def opened(self) -> dict[str, Source]:
        """Sources by key hash, as an edge that starts now would know them."""
        follower = CatalogFollower(load_settings(), "test")
        try:
            return sources_by_key(follower.start())
        finally:
            follower.close()


@pytest.fixture
def here(deployment: Callable[..., Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A deployment with two sources; its commands have their store in its directory."""
    made = deployment()
    made.create_topics()
    (tmp_path / "sources.yaml").write_text(SOURCES)
    made.apply(tmp_path)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(made.directory)
    return Desk(made)


def test_keys_are_created_for_sources_and_revoked(here: Desk) -> None:
    """A key opens its source until it is revoked, which the list and `show` remember; a source has at most two; a wrong
    source or id is named."""
    empty = here.run("list")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "there are no keys yet" in empty.stderr
    key = here.said("create", "shop")["key"]
    assert check_key(key)
    made = here.run("create", "shop")
    second = made.stdout.strip()
    assert f"Its id is {key_hash(second)[:12]}." in made.stderr
    assert "no key is of source 'app'" in here.run("list", "--source", "app").stderr
    written = here.run("create", "app", "--write").stdout.strip()
    assert written.startswith("wk_")
    assert {digest: (source.id, source.origin) for digest, source in here.opened().items()} == {
        key_hash(key): ("shop", "backend"), key_hash(second): ("shop", "backend"), key_hash(written): ("app", "sdk"),
    }  # fmt: skip

    third = here.run("create", "shop")
    assert (third.exit_code, third.stdout) == (1, "")
    assert "2 active keys" in third.stderr
    unknown = here.run("create", "shopp")
    assert unknown.exit_code == 1
    assert "did you mean 'shop'" in unknown.stderr

    listed = here.said("list")
    assert [found["source"] for found in listed] == ["app", "shop", "shop"]
    assert key not in json.dumps(listed)
    asked = here.run("revoke", key_hash(second)[:12])
    assert asked.exit_code == 2
    assert "add --yes" in asked.stderr
    assert here.run("revoke", key_hash(second)[:12], "--yes").exit_code == 0
    assert here.run("revoke", key, "--yes").exit_code == 0
    again = here.run("revoke", key, "--yes")
    assert again.exit_code == 1
    assert f"key {key_hash(key)[:12]} was revoked at 20" in again.stderr
    assert "no key here" in here.run("revoke", "0" * 12, "--yes").stderr
    assert [found["state"] for found in here.said("list")] == ["active", "revoked", "revoked"]
    shown = here.run("show", key).stdout
    assert ("state      revoked" in shown, "events     any" in shown, "origins" in shown) == (True, True, False)
    assert set(here.opened()) == {key_hash(written)}
    assert len({found["id"] for found in listed}) == 3


def test_terms_rotation_and_the_audit(here: Desk) -> None:
    """A key is made with terms, replaced by one with the same, changed; every change is in the topic of audits, and
    the list tells when a key was last used."""
    terms = ("--label", "web shop", "--events", "Bought,Seen", "--origins", "https://shop.example", "--rate", "50/s",
             "--expires", "30d")  # fmt: skip
    first = here.run("create", "app", "--write", *terms)
    assert first.exit_code == 0, first.stderr
    assert "the event plan has no event 'Bought'" in first.stderr
    (old,) = here.said("list")
    made = here.said("rotate", first.stdout.strip(), "--grace", "2h")
    assert made["replaces"]["id"] == old["id"] == key_hash(first.stdout.strip())[:12]
    assert made["replaces"]["expires_at"] < old["expires_at"]
    assert made["expires_at"] >= old["expires_at"]
    assert {name: made[name] for name in ("label", "events", "origins", "rate", "burst")} == {
        "label": "web shop", "events": ["Bought", "Seen"], "origins": ["https://shop.example"],
        "rate": 50, "burst": 500,
    }  # fmt: skip
    new = here.opened()[key_hash(made["key"])].terms
    assert (new.events, new.origins, new.rate) == ({"Bought", "Seen"}, {"https://shop.example"}, 50)
    assert here.opened()[key_hash(first.stdout.strip())].terms.expires_at > 0

    changed = here.said(
        "change", made["id"], "--add-origin", "https://two.example", "--events", "any", "--rate", "none"
    )
    assert (changed["events"], changed["rate"]) == (None, None)
    assert changed["origins"] == ["https://shop.example", "https://two.example"]
    for wrong, words in (
        (("change", made["id"]), "nothing is to change"),
        (("create", "shop", "--origins", "https://a.b"), "must never be in a page"),
        (("create", "shop", "--burst", "5"), "--rate"),
        (("create", "shop", "--origins", "shop.example", "--write"), "not a web origin"),
        (("rotate", made["id"], "--grace", "0s"), "add --yes"),
    ):
        refused = here.run(*wrong)
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.stderr

    engine = open_store(load_settings(store={"url": f"sqlite:///{here.deployment.directory / 'offerflow-store.db'}"}))
    with writing(engine) as connection:
        write_uses(connection, {made["id"]: 1_790_000_000_000})
    engine.dispose()
    used = {found["id"]: found["last_used_at"] for found in here.said("list", "--source", "app")}
    assert used == {made["id"]: "2026-09-21T14:13:20Z", old["id"]: None}
    table = here.run("list").stdout
    assert "never" in table
    assert "replaced by" in table
    assert made["id"] in next(row for row in table.splitlines() if row.startswith(old["id"]))

    audit = [json.loads(record.value or b"") for record in here.deployment.read("audit")][1:]
    assert [(one["how"], [line["action"] for line in one["changes"]]) for one in audit] == [
        ("keys create", ["add"]), ("keys rotate", ["add", "change"]), ("keys change", ["change"]),
    ]  # fmt: skip
    assert made["key"] not in json.dumps(audit)
