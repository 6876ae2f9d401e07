"""Outputs as the rules write them, and a history of its own to fold them into."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from consumers.history.fold import HistoryFold
from consumers.history.rows import Reader, Rows
from offerflow.rules.outcomes import (
    Evidence,
    OfferEntered,
    OfferExited,
    Output,
    RewardFulfilled,
    RewardReversed,
    RewardSatisfied,
)
from offerflow.runtime.settings import Settings
from offerflow.runtime.store import outcomes
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import reading
from schemas.announce import Announcer

SETTINGS = Settings(topic_prefix="")
EVIDENCE = [Evidence("e-1", "Purchase Completed", 1000, 0, 7)]
_announce = Announcer(SETTINGS)
_readers = {topic: Reader(topic) for topic in ("offer-entry", "offer-exit", "reward-satisfied", "reward-fulfilled",
                                               "reward-reversed")}  # fmt: skip


def entered(instance: str = "i-1", **more: Any) -> OfferEntered:
    given: dict[str, Any] = {
        "user_id": "anna", "anonymous_id": None, "offer": "shop", "offer_version": "v1", "variant": "plain",
        "attributes": {"headline": "Save 10"}, "entered_at": 1000, "expires_at": 9000, "ruleset": "r",
        "evidence": EVIDENCE, **more,
    }  # fmt: skip
    return OfferEntered(id=f"entered-{instance}", instance=instance, **given)


def exited(instance: str = "i-1", reason: str = "completed", **more: Any) -> OfferExited:
    given: dict[str, Any] = {"user_id": "anna", "anonymous_id": None, "offer": "shop", "variant": "plain", **more}
    return OfferExited(id=f"exited-{instance}", instance=instance, reason=reason, exited_at=5000, **given)


def satisfied(reward_id: str = "w-1", **more: Any) -> RewardSatisfied:
    given: dict[str, Any] = {
        "user_id": "anna", "reward": "voucher", "value": Decimal("7.5"), "currency": "EUR", "offer": "shop",
        "variant": "plain", "attributes": {}, "instance": f"i-{reward_id}", "satisfied_at": 5000, "ruleset": "r",
        "evidence": EVIDENCE, "evidence_count": 1, **more,
    }  # fmt: skip
    return RewardSatisfied(id=reward_id, **given)


def fulfilled(reward_id: str = "w-1", by: str = "payments") -> RewardFulfilled:
    return RewardFulfilled(id=f"f-{reward_id}", user_id="anna", reward_id=reward_id, fulfilled_at=6000, by=by)


def taken_back(reward_id: str = "w-1", reason: str = "refund") -> RewardReversed:
    return RewardReversed(
        id=f"r-{reward_id}", user_id="anna", reward_id=reward_id, reason=reason, reversed_at=7000, evidence=EVIDENCE
    )


def rows_of(outputs: Iterable[Output]) -> Rows:
    """What the records of these outputs say, by way of their bytes."""
    rows = Rows()
    for output in outputs:
        written = _announce(output)
        _readers[written.topic].read(written.value, rows)
    return rows


def opened(url: str) -> Engine:
    """The store there."""
    return open_store(Settings.model_validate({"store": {"url": url}}))


class Kept:
    """A store with the fold that writes it, in a file below ``path`` unless another ``url`` is given. ``take`` folds a
    batch; positions move with it."""

    def __init__(self, path: Path, url: str | None = None) -> None:
        self.engine: Engine = opened(url or f"sqlite:///{path / 'history.db'}")
        self.fold = HistoryFold(self.engine)
        self._at: dict[tuple[str, int], Position] = {}

    def take(self, *outputs: Output) -> None:
        place = ("all", 0)
        before = self._at.get(place, Position("id", 0))
        after = {place: Position("id", before.next + len(outputs))}
        self.fold.write(rows_of(outputs), dict(self._at), after)
        self._at = after

    def complete(self) -> None:
        assert self.fold.mark_complete({})

    def table(self, name: str) -> list[dict[str, Any]]:
        """Rows of ``entry`` or ``reward`` by id, without the cursor's number."""
        table = {"entry": outcomes.entries, "reward": outcomes.rewards}[name]
        with reading(self.engine) as connection:
            found = [dict(row) for row in connection.execute(select(table)).mappings()]
        for row in found:
            row.pop("seq", None)
        return sorted(found, key=lambda row: str(row.get("id") or row["instance"]))
