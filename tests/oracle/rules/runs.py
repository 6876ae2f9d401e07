"""Runs through offers: how they begin, are completed, and end. docs/rules.md, "Entries" and "Completion and exit"."""

from __future__ import annotations

from typing import Any

from tests.oracle.identity import identifier
from tests.oracle.rules import ask
from tests.oracle.rules.ask import Counts, Hit, Slot, View
from tests.oracle.rules.force import Offer
from tests.oracle.rules.instance import Instance, Reward, value_of
from tests.oracle.rules.record import Record
from tests.oracle.rules.standing import Standing, key_of
from tests.oracle.rules.tree import Node, counting, offers_named
from tests.oracle.rules.written import duration

REMEMBERED_KEYS = 1000
AT_ONCE = 1000
"""Instances of an entity that are open or have a pending reward."""


class Runs(Standing):
    """What a record decides."""

    def _decide(self, record: Record) -> None:
        """Completions, exits, entries; then those of the first two that name an offer which has moved since."""
        self._ask_instances(record)
        self._entries(record)
        self._ask_instances(record)

    def _ask_instances(self, record: Record) -> None:
        for slot in ("completion", "exit"):
            for one in sorted(self.instances, key=lambda one: self._rules.place(one.offer.id)):
                self._ask(one, slot, record)

    def _ask(self, one: Instance, slot: str, record: Record, always: bool = False) -> None:
        node = one.asked if slot == "completion" else one.offer.exit
        if node is None:
            return
        before = record.asked.get((one.id, slot))
        record.asked[one.id, slot] = len(record.moved)
        if before is None:
            concerned = always or self._concerned(node, record)
        else:
            concerned = bool(offers_named(node) & set(record.moved[before:]))
        if slot == "completion" and one.by_expression:
            concerned = concerned and any(slot in record.added for leaf in counting(node) for slot in ask.slots(leaf))
        if not concerned or not (one.open or (slot == "completion" and self._may_complete_late(one))):
            return
        found = self._moment(node, one, record)
        if found is not None and slot == "completion":
            self._complete(one, found, record)
        elif found is not None:
            self._exit(one, "exit_condition", found, record)

    def _may_complete_late(self, one: Instance) -> bool:
        if one.exited != "expired" or one.completed_at is not None:
            return False
        return self.kept.clock is None or self.kept.clock <= (one.expires_at or 0) + self._rules.lateness

    def _moment(self, node: Node, one: Instance, record: Record) -> int | None:
        """The first moment at which the condition of an instance holds."""
        view, counts = self._view(), self._as_instance(one)
        for at in ask.moments(node, record.time, self.kept.clock, view, counts):
            inside = at >= one.entered_at and (one.expires_at is None or at <= one.expires_at)
            if inside and ask.true(node, at, view, counts):
                return at
        return None

    def _entries(self, record: Record) -> None:
        for offer in self._rules.in_order:
            if offer.entry is None or offer.id in record.entered or not self._concerned(offer.entry, record):
                continue
            key = None
            if offer.key_property is not None:
                key = key_of(record.placed, offer) if record.placed else None
                if key is None:
                    continue
            view, counts = self._view(), self._as_entry(offer, key)
            asked = ask.moments(offer.entry, record.time, self.kept.clock, view, counts)
            if any(ask.true(offer.entry, at, record.before, counts) for at in asked):
                continue
            at = next((at for at in asked if ask.true(offer.entry, at, view, counts)), None)
            if at is None:
                continue
            refusal = self._refusal(offer, at, key)
            if refusal:
                record.refusals.append((offer.id, refusal))
            else:
                self._enter(offer, at, key, "event", record, (view, counts))
            if offer.reentry != "never":
                self.marks[offer.id, key] = record.seq

    def _refusal(self, offer: Offer, at: int, key: Any) -> str:
        mine = [one for one in self.instances if one.offer.id == offer.id]
        starts, ends, last = offer.time("starts"), offer.time("ends"), mine[-1] if mine else None
        if offer.raw.get("status") == "paused":
            return "paused"
        if starts is not None and at < starts:
            return "not_started"
        if (ends is not None and at > ends) or offer.raw.get("withdraw"):
            return "ended"
        if offer.key_property is not None:
            inside = key in self.keys.get(offer.id, [])
        else:
            inside = any(one.open for one in mine)
            inside |= last is not None and offer.reentry == "never"
            inside |= last is not None and offer.reentry == "after_expiry" and last.completed_at is not None
        if inside:
            return "already_in"
        waiting = [one for one in self.instances if one.open or (one.reward and one.reward.state == "pending")]
        if len(waiting) >= AT_ONCE:
            return "capped"
        if len(mine) >= (offer.raw.get("caps") or {}).get("per_user", len(mine) + 1):
            return "capped"
        ended, cooldown = [one.exited_at for one in mine if not one.open], offer.span("cooldown")
        if ended and cooldown is not None and at - max(ended) < cooldown:
            return "cooldown"
        if offer.audience and not ask.true(offer.audience, at, self._view(), self._in_force()):
            return "not_in_audience"
        others = [one for one in self.instances if one.open and one.offer.id != offer.id]
        if offer.group is not None and any(one.offer.group == offer.group for one in others):
            return "exclusive"
        return ""

    def _enter(
        self, offer: Offer, at: int, key: Any, via: str, record: Record, seen: tuple[View, Counts] | None = None
    ) -> None:
        variant, span, clock = offer.variant_of(self.name), offer.span("expires_after"), self.kept.clock
        expires = None if span is None else at + span
        made = Instance(
            offer, identifier(offer.id, self.name, record.cause), key, variant, at, record.offset, record.seq,
            -(10**18) if clock is None else clock - self._rules.lateness, expires,
            max(expires or 0, record.received_at) + self._rules.grace,
            _counted(offer.entry, *seen) if seen else View({}),
        )  # fmt: skip
        made.then = seen[0] if seen and made.completion == "immediate" else None
        self.instances.append(made)
        record.entered.add(offer.id)
        record.moved.append(offer.id)
        if offer.key_property is not None:
            self.keys[offer.id] = [*self.keys.get(offer.id, []), key][-REMEMBERED_KEYS:]
        proof = self._proof(offer.entry if seen else None, at, record, *(seen or (View({}), self._in_force())))
        holdout = variant["id"] == "holdout"
        self._output("OfferEntered", made, record, entered_at=at, expires_at=expires, via=via, holdout=holdout,
                     attributes=dict(variant.get("attributes") or {}), proof=proof)  # fmt: skip
        if made.completion == "immediate":
            self._complete(made, at, record, proof)
            return
        late = self.kept.clock is not None and record.time < self.kept.clock
        self._ask(made, "completion", record, late)
        self._ask(made, "exit", record, late)

    def _complete(self, one: Instance, at: int, record: Record, proof: dict[str, Any] | None = None) -> None:
        if proof is None:
            assert one.asked is not None
            proof = self._proof(one.asked, at, record, self._view(), self._as_instance(one))
            if record.seq == one.seq:  # what was there before the entering event completes it
                proof["deciding"] = None
        late = not one.open
        one.completed_at, one.then = at, one.then or self._view()
        reward = one.variant.get("reward")
        if reward and self.name.startswith("u:") and one.variant["id"] != "holdout":
            value, currency = value_of(reward, record.placed)
            made = identifier("RewardSatisfied", one.id, reward["id"], "user", "0")
            due = at + (duration(reward["pending"]) if "pending" in reward else 0)
            one.reward = Reward(reward, made, value, currency, "pending", due, record.received_at, late, proof)
            one.reward.fire_at = max(due, record.received_at) + self._rules.grace
            if "pending" not in reward:
                self._satisfy(one, one.reward, record)
        if late:
            record.moved.append(one.offer.id)
        else:
            self._exit(one, "completed", at, record)

    def _satisfy(self, one: Instance, reward: Reward, record: Record) -> None:
        reward.state = "satisfied"
        reward.fire_at = max(reward.due or 0, reward.received_at) + self._rules.grace
        self._output("RewardSatisfied", one, record, reward=reward.raw["id"], value=reward.value,
                     currency=reward.currency, referral=None, side="user", satisfied_at=reward.at, late=reward.late,
                     attributes=dict(one.variant.get("attributes") or {}), proof=reward.proof)  # fmt: skip

    def _exit(self, one: Instance, reason: str, at: int, record: Record) -> None:
        one.exited, one.exited_at = reason, at
        self.marks[one.offer.id, one.key] = record.seq
        record.moved.append(one.offer.id)
        self._output("OfferExited", one, record, reason=reason, exited_at=at)


def _counted(node: Node | None, view: View, counts: Counts) -> View:
    """Only what counts for the condition."""
    found: dict[Slot, tuple[Hit, ...]] = {}
    for leaf in counting(node):
        for slot in ask.slots(leaf):
            found[slot] = tuple(hit for hit in view.hits.get(slot, ()) if counts(leaf, hit))
    return View(found)
