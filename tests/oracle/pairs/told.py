"""What came of a record as short texts, as docs/rules-by-example.md writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

EXITS = {"completed": "completes {offer}"}


class Told:
    """``rewards`` remembers what a reward id stands for. Times are told by ``when``."""

    def __init__(self, when: Any) -> None:
        self._when = when
        self._rewards: dict[str, str] = {}

    def output(self, record: str, fields: Any) -> tuple[str, set[str]]:
        """The text, and the details that may stand behind it."""
        details = {f"at {self._when(value)}" for name, value in fields.items() if name.endswith("ed_at")}
        match record:
            case "OfferEntered":
                details |= {f"by {fields['via']}", f"as {fields['variant']}"}
                if fields["expires_at"] is not None:
                    details.add(f"until {self._when(fields['expires_at'])}")
                return f"enters {fields['offer']}", details
            case "OfferExited":
                if fields["reason"] == "completed":
                    return f"completes {fields['offer']}", details
                return f"leaves {fields['offer']}: {fields['reason']}", details
            case "RewardSatisfied":
                self._rewards[fields["id"]] = fields["reward"]
                worth = f" {plain(fields['value'])} {fields['currency']}" if fields["value"] is not None else ""
                return f"earns {fields['reward']}{worth}", details | ({"late"} if fields["late"] else set())
            case "RewardReversed":
                return f"loses {self._rewards[fields['reward_id']]}: {fields['reason']}", details
        return f"is paid {self._rewards[fields['reward_id']]}", details


def plain(value: Decimal) -> str:
    """Without zeros at its end."""
    return format(value.normalize(), "f")
