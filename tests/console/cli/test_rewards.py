"""``offerflow rewards list`` against the topic it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from offerflow.rules.outcomes import Evidence, RewardSatisfied
from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.settings import load_settings
from schemas.announce import Announcer
from tests.deployment import Deployment

pytestmark = pytest.mark.broker


def reward(user: str, at: int) -> RewardSatisfied:
    return RewardSatisfied(
        id=f"id-{user}", user_id=user, reward="voucher", value=Decimal("7.50"), currency="EUR", offer="shop",
        variant="default", attributes={}, instance="i", satisfied_at=at, ruleset="r",
        evidence=[Evidence("e-1", "Purchase Completed", at, 0, 1)], evidence_count=1,
    )  # fmt: skip


def test_rewards_are_listed_newest_last_and_by_user(deployment: Callable[..., Deployment]) -> None:
    """What stands in the topic is shown with value and cause; --user and --limit choose, and JSON carries it whole."""
    here = deployment()
    here.create_topics()
    settings = load_settings(kafka={"bootstrap_servers": here.services.kafka}, topic_prefix=here.prefix)
    announce, producer = Announcer(settings), TransactionalProducer(settings, f"{here.prefix}test", "test")
    producer.publish([announce(reward("anna", 2000)), announce(reward("ben", 1000))], {}, None)
    producer.close()

    listed = json.loads(here.command("rewards", "list", "--output", "json").stdout)
    assert [item["user_id"] for item in listed] == ["ben", "anna"]
    assert listed[1]["value"] == "7.5000"
    assert json.loads(here.command("rewards", "list", "--user", "ben", "--output", "json").stdout) == listed[:1]
    assert json.loads(here.command("rewards", "list", "--limit", "1", "--output", "json").stdout) == listed[1:]
    assert "7.5 EUR" in here.command("rewards", "list").stdout
