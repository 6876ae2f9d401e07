"""``offerflow topics`` against a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.deployment import Deployment

pytestmark = pytest.mark.broker


def test_what_is_missing_is_named_until_it_was_created(deployment: Callable[..., Deployment]) -> None:
    """Check changes nothing and exits 1 while something is missing; create makes it once, and then says so."""
    here = deployment()
    before = here.command("topics", "check", "--output", "json")
    assert before.returncode == 1
    problems = json.loads(before.stdout)["problems"]
    assert any(f"{here.prefix}journal is missing" in problem for problem in problems)

    created = json.loads(here.command("topics", "create", "--output", "json").stdout)["created"]
    assert f"{here.prefix}journal" in created
    assert json.loads(here.command("topics", "create", "--output", "json").stdout)["created"] == []
    assert json.loads(here.command("topics", "check", "--output", "json").stdout) == {"problems": []}
