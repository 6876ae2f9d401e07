"""Refunds, and requests about rewards and entries. docs/rules.md, "Refunds" and "Requests"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.oracle.model import Event, Placed
from tests.oracle.rules import ask
from tests.oracle.rules.ask import Hit, Slot, View
from tests.oracle.rules.instance import Instance
from tests.oracle.rules.keeping import NINETY_DAYS
from tests.oracle.rules.record import Record
from tests.oracle.rules.runs import Runs


class Rewards(Runs):
    """What becomes of rewards that were earned, and who enters on request."""

    def _refund(self, placed: Placed, record: Record) -> None:
        taken = self.kept.taken_by(placed, self._rules)
        reverses = self._rules.kinds[placed.event.type].reverses
        if reverses and placed.event.properties.get(reverses["by"]) is not None:
            self.kept.remember_refund(placed)
        offsets = {one.offset for one in taken}
        counted = [one for one in self.instances if self._may_be_reversed(one) and self._counted(one, offsets)]
        self.kept.take_back(taken)
        for one in counted:
            assert one.reward is not None
            if self._still_holds(one):
                continue
            announced = one.reward.state != "pending"
            one.reward.state = "reversed" if announced else "gone"
            if announced:
                self._reverse(one, one.reward, "refund", placed.event.time, record)

    def _may_be_reversed(self, one: Instance) -> bool:
        if one.reward is None or not one.reward.standing or one.completed_at is None or self.kept.clock is None:
            return False
        return self.kept.clock <= one.completed_at + NINETY_DAYS + self._rules.lateness

    def _counted(self, one: Instance, offsets: set[int]) -> bool:
        """Whether the instance could count one of the events at these offsets."""
        if one.completion == "immediate":
            hits = [hit for found in self._left(one).hits.values() for hit in found if hit.time <= one.entered_at]
        else:
            assert one.asked is not None
            found = ask.hits_of(one.asked, self._view(), self._as_instance(one))
            hits = [hit for _, hit in found if one.expires_at is None or hit.time <= one.expires_at]
        return any(hit.placed.offset in offsets for hit in hits)

    def _left(self, one: Instance) -> View:
        """What an ``immediate`` instance was entered with, less what its leaves keep no more."""
        dropped = self.kept.dropped
        left = {slot: tuple(hit for hit in found if (slot[0], hit.offset) not in dropped)
                for slot, found in one.seen.hits.items()}  # fmt: skip
        return _as_then(one, left)

    def _still_holds(self, one: Instance) -> bool:
        if one.completion == "immediate":
            assert one.offer.entry is not None
            seen = self._left(one)
            left = {slot: tuple(hit for hit in found if hit.placed.offset not in self.kept.dead or slot[1] == "fired")
                    for slot, found in seen.hits.items()}  # fmt: skip
            return ask.true(one.offer.entry, one.entered_at, replace(seen, hits=left), lambda leaf, hit: True)
        assert one.asked is not None
        view, counts = _as_then(one, self._view().hits), self._as_instance(one)
        times = sorted({hit.time for _, hit in ask.hits_of(one.asked, view, counts)})
        return any(ask.true(one.asked, at, view, counts) for at in times
                   if at >= one.entered_at and (one.expires_at is None or at <= one.expires_at))  # fmt: skip

    def _request(self, event: Event, record: Record) -> None:
        if event.type == "EnterOffer":
            self._request_entry(event.properties, record)
            return
        wanted = event.properties["reward_id"]
        one = next((one for one in self.instances if one.reward and one.reward.id == wanted), None)
        if one is None or one.reward is None:
            record.refusals.append(("", "no_such_reward"))
            return
        reward = one.reward
        if event.type == "FulfilReward" and reward.state == "satisfied":
            reward.state = "fulfilled"
            self._paid("RewardFulfilled", one, reward, record, fulfilled_at=event.time, by=event.properties["by"])
        elif event.type == "ReverseReward" and reward.standing:
            announced = reward.state != "pending"
            reward.state = "reversed" if announced else "gone"
            if announced:
                self._reverse(one, reward, "manual", event.time, record)
        else:
            record.refusals.append(("", "no_such_reward"))

    def _request_entry(self, asked: dict[str, Any], record: Record) -> None:
        code, name = asked.get("code"), asked.get("offer")
        offers = self._rules.offers.values()
        if code is not None:
            offer = next((one for one in offers if one.code == code.upper()), None)
        else:
            offer = next((one for one in offers if one.id == name and one.api), None)
        if offer is None or (offer.key_property is not None and asked.get("key") is None):
            record.refusals.append(("", "unknown_code" if code is not None else "unknown_offer"))
            return
        key = asked.get("key") if offer.key_property is not None else None
        refusal = self._refusal(offer, record.time, key)
        if refusal:
            record.refusals.append((offer.id, refusal))
        else:
            self._enter(offer, record.time, key, "code" if code is not None else "api", record)


def _as_then(one: Instance, hits: Mapping[Slot, tuple[Hit, ...]]) -> View:
    """These hits, and what is no hits as it was when the instance was completed."""
    assert one.then is not None
    return replace(one.then, hits=hits)
