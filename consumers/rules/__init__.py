"""journal -> state in Redis, offer-entry, offer-exit, reward-satisfied: each decision exactly once."""
