"""Keys from creation to revocation, as the catalog and the edge see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.keys import check_key, key_hash
from offerflow.runtime.settings import load_settings
from producers.ingest.catalog_keys import sources_by_key
from producers.ingest.keyring import Source
from tests.deployment import Deployment

pytestmark = pytest.mark.broker


def opened(here: Deployment) -> dict[str, Source]:
    """Sources by key hash, as an edge that starts now would know them."""
    settings = load_settings(kafka={"bootstrap_servers": here.services.kafka}, topic_prefix=here.prefix)
    follower = CatalogFollower(settings, "test")
    try:
        return sources_by_key(follower.start())
    finally:
        follower.close()


def test_keys_are_created_for_sources_and_revoked(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """A key opens its source until it is revoked; a source has at most two; a wrong source or id is named."""
    here = deployment()
    here.create_topics()
    (tmp_path / "sources.yaml").write_text(
        "- {id: shop, origin: backend, topics: [raw.backend]}\n- {id: app, origin: sdk}\n"
    )
    here.apply(tmp_path)

    made = here.command("keys", "create", "shop", "--output", "json")
    key = json.loads(made.stdout)["key"]
    assert check_key(key)
    second = here.command("keys", "create", "shop").stdout.strip()
    written = here.command("keys", "create", "app", "--write").stdout.strip()
    assert written.startswith("wk_")
    assert opened(here) == {
        key_hash(key): Source("shop", "backend"),
        key_hash(second): Source("shop", "backend"),
        key_hash(written): Source("app", "sdk"),
    }

    third = here.command("keys", "create", "shop")
    assert (third.returncode, third.stdout) == (1, "")
    assert "2 active keys" in third.stderr
    unknown = here.command("keys", "create", "shopp")
    assert unknown.returncode == 1
    assert "did you mean 'shop'" in unknown.stderr

    listed = json.loads(here.command("keys", "list", "--output", "json").stdout)
    assert [found["source"] for found in listed] == ["app", "shop", "shop"]
    assert key not in json.dumps(listed)
    ids = {found["id"] for found in listed}
    assert here.command("keys", "revoke", key_hash(second)[:12]).returncode == 0
    assert here.command("keys", "revoke", key).returncode == 0
    again = here.command("keys", "revoke", key)
    assert again.returncode == 1
    assert "no active key" in again.stderr
    assert set(opened(here)) == {key_hash(written)}
    assert len(ids) == 3
