"""Arms and what their users did and got, from the offer's definition and the relational store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scipy import stats
from sqlalchemy import Connection, func, literal, select

from console.results.figures import Arm
from offerflow.runtime.store.outcomes import EXPIRED, REVERSED, entries, rewards
from offerflow.runtime.store.spend import spent_on

HOLDOUT, ONLY = "holdout", "default"
_UNLIKELY = 0.001
_USER = func.coalesce(literal("u:") + entries.c.user_id, literal("a:") + entries.c.anonymous_id)


@dataclass(frozen=True)
class Read:
    """``notes`` are sentences about the whole offer that whoever draws conclusions should know."""

    arms: dict[str, Arm]
    notes: list[str]


def arms_of(connection: Connection, offer: str, definition: Mapping[str, Any] | None) -> dict[str, Arm]:
    """The arms that the definition has, in its order, and those that users are in under earlier ones; all empty."""
    found = {
        variant["id"]: Arm(variant["id"], own_completion="completion" in variant) for variant in _variants(definition)
    }
    if definition and definition.get("holdout"):
        found[HOLDOUT] = Arm(HOLDOUT, holdout=True)
    asked = select(entries.c.variant, entries.c.holdout).where(
        entries.c.offer == offer, entries.c.entered_at.is_not(None)
    )
    for name, holdout in connection.execute(asked.distinct().order_by(entries.c.variant)):
        found.setdefault(name, Arm(name, holdout=holdout))
    return found


def read_results(connection: Connection, offer: str, definition: Mapping[str, Any] | None) -> Read:
    """Everything the figures are made of."""
    arms = arms_of(connection, offer, definition)
    inside = (entries.c.offer == offer, entries.c.entered_at.is_not(None))
    counted = select(entries.c.variant, func.count(), func.count(_USER.distinct())).where(*inside)
    for name, instances, users in connection.execute(counted.group_by(entries.c.variant)):
        arms[name].entries, arms[name].entered = instances, users
    completed = select(entries.c.variant, _USER).where(*inside, entries.c.exit_reason == "completed").distinct()
    for name, user in connection.execute(completed):
        arms[name].completed.add(user)
    asked = select(rewards.c.variant, rewards.c.user_id, rewards.c.value, rewards.c.currency, rewards.c.state)
    for name, user, value, currency, state in connection.execute(asked.where(rewards.c.offer == offer)):
        arm = arms.setdefault(name or ONLY, Arm(name or ONLY))
        arm.reward(f"u:{user}", Decimal(value) if value else None, currency, state in (REVERSED, EXPIRED))
    for arm in arms.values():  # the history may know of a reward before it knows of the entry
        arm.entered = max(arm.entered, len(arm.completed))
    for name, currency, value in spent_on(connection, offer):
        arms.setdefault(name, Arm(name, holdout=name == HOLDOUT)).in_currency(currency).spend = value
    versions = connection.scalars(select(entries.c.version).where(*inside).distinct()).all()
    return Read(arms, _notes(arms, definition, len(versions)))


def _notes(arms: Mapping[str, Arm], definition: Mapping[str, Any] | None, versions: int) -> list[str]:
    if definition is None:
        return ["the offer is not in the catalog any more: arms are those that users were in"]
    if versions > 1:
        return [f"the offer's definition changed while it ran: {versions} versions are counted together"]
    return _spread(arms, definition)


def _spread(arms: Mapping[str, Arm], definition: Mapping[str, Any]) -> list[str]:
    """A test whose users are not spread as its weights say measures something else than its arms."""
    held = _share(definition.get("holdout"))
    weights = {variant["id"]: variant.get("weight", 1) for variant in _variants(definition)}
    total = sum(weights.values())
    shares = {name: (1 - held) * weight / total for name, weight in weights.items()} | ({HOLDOUT: held} if held else {})
    users = sum(arms[name].entered for name in shares)
    expected = [share * users for share in shares.values()]
    if len(shares) < 2 or min(expected) < 5:
        return []
    chance = stats.chisquare([arms[name].entered for name in shares], expected).pvalue
    if chance >= _UNLIKELY:
        return []
    rare = f"less than once in {1 / _UNLIKELY:,.0f} tests"
    return [f"users are not spread over the arms as the weights say, by chance {rare}: find out why before trusting it"]


def _variants(definition: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if definition is None:
        return []
    return definition.get("variants") or [{"id": ONLY}]


def _share(written: object) -> float:
    """Of ``10%`` or 0.1."""
    text = str(written or 0)
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
