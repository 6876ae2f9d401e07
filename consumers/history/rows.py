"""Outputs to rows of the store: what is kept of each kind of record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from offerflow.amounts import amount
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.store.outcomes import FULFILLED, REVERSED, storable
from schemas.codec import RecordCodec
from schemas.output_topics import RECORD_OF

TOPICS = ("offer-entry", "offer-exit", "reward-satisfied", "reward-fulfilled", "reward-reversed")

Row = dict[str, Any]


@dataclass(slots=True)
class Rows:
    """What a batch adds, in any order among the kinds."""

    entered: list[Row] = field(default_factory=list)
    exited: list[Row] = field(default_factory=list)
    satisfied: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)


class Reader:
    """Reads the values of one topic, named without prefix."""

    def __init__(self, topic: str) -> None:
        self._codec = RecordCodec.shipped("outputs", RECORD_OF[topic])
        self._take = _TAKES[topic]

    def __call__(self, record: Record, into: Rows) -> None:
        self.read(record.value(), into)

    def read(self, value: bytes | None, into: Rows) -> None:
        """Raises ValueError for what is no such record."""
        if value is None:
            raise ValueError("a record without a value")
        try:
            decoded = self._codec.decode(value)
        except (EOFError, IndexError, TypeError, UnicodeDecodeError, ArithmeticError) as error:
            raise ValueError(f"not {self._codec.name}: {error}") from None
        self._take(decoded, into)


def _text(value: str | None) -> str | None:
    return None if value is None else storable(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _entered(said: Mapping[str, Any], into: Rows) -> None:
    into.entered.append({
        **_run(said), "version": said["offer_version"], "holdout": said["holdout"], "via": said["via"],
        "attributes": _json(said["attributes"]), "evidence": _json(said["evidence"]), "ruleset": said["ruleset"],
        "entered_at": said["entered_at"], "expires_at": said["expires_at"],
    })  # fmt: skip


def _exited(said: Mapping[str, Any], into: Rows) -> None:
    into.exited.append({
        **_run(said), "holdout": said["variant"] == "holdout", "exited_at": said["exited_at"],
        "exit_reason": said["reason"],
    })  # fmt: skip


def _run(said: Mapping[str, Any]) -> Row:
    ids = {name: _text(said[name]) for name in ("user_id", "anonymous_id")}
    return {**ids, "instance": said["instance"], "offer": said["offer"], "variant": said["variant"]}


def _satisfied(said: Mapping[str, Any], into: Rows) -> None:
    same = ("id", "reward", "currency", "offer", "referral", "side", "variant", "instance", "satisfied_at", "late",
            "ruleset", "evidence_count")  # fmt: skip
    value = said["value"]
    into.satisfied.append({
        **{name: said[name] for name in same}, "user_id": storable(said["user_id"]),
        "value": None if value is None else amount(value), "attributes": _json(said["attributes"]),
        "evidence": _json(said["evidence"]),
    })  # fmt: skip


def _fulfilled(said: Mapping[str, Any], into: Rows) -> None:
    into.changed.append({
        "id": said["id"], "reward_id": said["reward_id"], "kind": FULFILLED, "at": said["fulfilled_at"],
        "by": storable(said["by"]), "reason": None,
    })  # fmt: skip


def _reversed(said: Mapping[str, Any], into: Rows) -> None:
    into.changed.append({
        "id": said["id"], "reward_id": said["reward_id"], "kind": REVERSED, "at": said["reversed_at"], "by": None,
        "reason": said["reason"],
    })  # fmt: skip


_TAKES: Mapping[str, Callable[[Mapping[str, Any], Rows], None]] = {
    "offer-entry": _entered, "offer-exit": _exited, "reward-satisfied": _satisfied, "reward-fulfilled": _fulfilled,
    "reward-reversed": _reversed,
}  # fmt: skip
