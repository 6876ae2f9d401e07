"""Rewards and offers as the API tells them: JSON in camelCase, times in RFC 3339, amounts as exact text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from offerflow.amounts import amount
from offerflow.runtime.store.reward_list import Reward
from schemas.announce import rfc3339


def moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)


def reward(row: Reward) -> dict[str, Any]:
    """``onHold`` is that of its offer."""
    return {
        "id": row["id"], "state": row["state"], "userId": row["user_id"], "reward": row["reward"],
        "value": row["value"], "currency": row["currency"], "offer": row["offer"], "variant": row["variant"],
        "side": row["side"], "attributes": row["attributes"], "instance": row["instance"],
        "satisfiedAt": moment(row["satisfied_at"]), "late": row["late"], "fulfilledAt": moment(row["fulfilled_at"]),
        "by": row["by"], "reversedAt": moment(row["reversed_at"]), "reason": row["reason"], "onHold": row["on_hold"],
        "evidence": [evidence(item) for item in row["evidence"]], "evidenceCount": row["evidence_count"],
    }  # fmt: skip


def evidence(item: Mapping[str, Any]) -> dict[str, Any]:
    """One event that decided."""
    return {"eventId": item["event_id"], "event": item["event"], "time": moment(item["time"])}


def offer(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What the catalog has in force of an offer, as far as applications need it; conditions are left out."""
    entry = definition["entry"]
    condition = any(key not in ("code", "api") for key in entry)
    ways = [("event", condition), ("code", "code" in entry), ("api", entry.get("api") is True)]
    variants = definition.get("variants") or [{"id": "default", "reward": definition.get("reward")}]
    return {
        "id": definition["id"], "name": definition.get("name"), "description": definition.get("description"),
        "status": definition.get("status", "live"), "withdrawn": definition.get("withdraw", False),
        "entry": [way for way, there in ways if there], "code": entry.get("code"),
        "starts": definition.get("starts"), "ends": definition.get("ends"), "timezone": definition.get("timezone"),
        "expiresAfter": definition.get("expires_after"), "holdout": definition.get("holdout", "0%"),
        "variants": [_variant(one) for one in variants],
    }  # fmt: skip


def _variant(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": definition["id"], "weight": definition.get("weight", 1), "attributes": definition.get("attributes", {}),
        "reward": _reward(definition.get("reward")),
    }  # fmt: skip


def _reward(definition: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if definition is None:
        return None
    value = definition.get("value")
    told: dict[str, Any] = {"id": definition["id"], "value": None, "currency": None}
    if isinstance(value, str):
        number, _, told["currency"] = value.partition(" ")
        told["value"] = amount(Decimal(number))
    elif value is not None:
        told |= {"expression": value["expr"], "currency": value["currency"]}
        told |= {bound: amount(Decimal(str(value[bound]))) for bound in ("min", "max") if value.get(bound) is not None}
    told |= {"pending": definition.get("pending"), "expiresAfter": definition.get("expires_after")}
    return told
