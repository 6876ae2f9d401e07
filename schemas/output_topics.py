"""Which record each topic holds that is read from outside: topics that carry one kind each."""

from __future__ import annotations

RECORD_OF = {
    "offer-entry": "OfferEntered",
    "offer-exit": "OfferExited",
    "reward-satisfied": "RewardSatisfied",
    "reward-reversed": "RewardReversed",
    "reward-fulfilled": "RewardFulfilled",
    "dead-letter": "DeadLetter",
}
"""Short name of the topic to the record's name; its schema is schemas/outputs/<name>.avsc."""
