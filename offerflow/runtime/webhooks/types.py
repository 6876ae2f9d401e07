"""The types of message an endpoint can subscribe to, as they stand in ``type`` of a payload."""

from __future__ import annotations

TYPES = ("offer.entered", "offer.exited", "reward.satisfied", "reward.reversed", "reward.fulfilled")
TEST = "offerflow.test"
"""Sent by `offerflow webhooks test` alone; nobody subscribes to it."""
