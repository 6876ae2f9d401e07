"""Where an entity stands: what is kept of it, what a condition may look at, and how outputs tell of it."""

from __future__ import annotations

from typing import Any

from tests.oracle.identity import identifier
from tests.oracle.model import Output, Placed
from tests.oracle.rules import ask
from tests.oracle.rules.ask import Counts, Hit, View
from tests.oracle.rules.force import Offer, Rules
from tests.oracle.rules.instance import Instance, Reward
from tests.oracle.rules.keeping import Kept
from tests.oracle.rules.record import ANNOUNCED, Record
from tests.oracle.rules.tree import Counting, Node, counting, offers_named, traits
from tests.oracle.workspace import REQUESTS


class Standing:
    """``marks``: up to where an offer's entry has used up what was folded, by offer and key. ``keys``: those of an
    offer that were entered."""

    def __init__(self, name: str, partition: int) -> None:
        self.name, self.partition = name, partition
        self.kept = Kept()
        self.instances: list[Instance] = []
        self.marks: dict[tuple[str, Any], int] = {}
        self.keys: dict[str, list[Any]] = {}
        self.seq = 0
        self._rules: Rules

    def _view(self) -> View:
        there = [one for one in self.instances if one.offer.id in self._rules.offers]
        inside = frozenset(one.offer.id for one in there if one.open)
        completed = frozenset(one.offer.id for one in there if one.completed_at is not None)
        hits = {slot: tuple(found) for slot, found in self.kept.hits.items()}
        return View(hits, self.kept.traits(self._rules), inside, completed)

    def _in_force(self) -> Counts:
        since = self._rules.since
        return lambda leaf, hit: hit.offset > since.get(leaf.key, hit.offset)

    def _as_entry(self, offer: Offer, key: Any) -> Counts:
        mark = self.marks.get((offer.id, key), 0) if offer.reentry != "never" else 0
        in_force = self._in_force()

        def counts(leaf: Counting, hit: Hit) -> bool:
            mine = key is None or key_of(hit.placed, offer) == key
            return in_force(leaf, hit) and hit.seq > mark and mine

        return counts

    def _as_instance(self, one: Instance) -> Counts:
        in_force = self._in_force()

        def counts(leaf: Counting, hit: Hit) -> bool:
            if not leaf.since_entry:
                return in_force(leaf, hit)
            own = one.seq in (hit.seq, hit.start_seq) and bool(one.offer.raw.get("count_entry_event"))
            after = own or hit.start > (one.entered_at, one.offset)
            return in_force(leaf, hit) and after and (hit.start_seq >= one.seq or hit.start[0] >= one.floor)

        return counts

    def _concerned(self, node: Node, record: Record) -> bool:
        """Whether the record added a hit to a leaf, or changed a trait or an offer that the condition names."""
        added = any(slot in record.added for leaf in counting(node) for slot in ask.slots(leaf))
        return added or bool(traits(node) & record.changed) or bool(offers_named(node) & set(record.moved))

    def _proof(self, node: Node | None, at: int, record: Record, view: View, counts: Counts) -> dict[str, Any]:
        """What evidence may hold, must hold, and when it is enough."""
        hits = list(ask.evidence(node, at, view, counts)) if node else []
        items = {hit.placed.event.event_id: self._item(hit.placed) for hit in hits}
        deciding = self._item(record.placed) if record.placed else None
        if deciding is not None and record.placed is not None:
            items[record.placed.event.event_id] = deciding

        def enough(ids: frozenset[str]) -> bool:
            shown = node is not None and ask.provable(node)
            return node is None or not shown or ask.true(node, at, ask.only(view, ids), counts)

        return {"deciding": deciding, "hits": items, "proves": enough}

    def _item(self, placed: Placed) -> dict[str, Any]:
        kind = placed.event.type
        asked = kind in REQUESTS
        return placed.item(f"offerflow.{kind}" if asked else self._rules.kinds[kind].names[0])

    def _reverse(self, one: Instance, reward: Reward, reason: str, at: int, record: Record) -> None:
        proof = self._proof(None, at, record, View({}), self._in_force())
        self._paid("RewardReversed", one, reward, record, reason=reason, reversed_at=at, proof=proof)

    def _paid(self, name: str, one: Instance, reward: Reward, record: Record, **fields: Any) -> None:
        self._output(name, one, record, reward=reward.raw["id"], reward_id=reward.id, **fields)

    def _output(
        self, name: str, one: Instance, record: Record, proof: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        known = self.name.startswith("u:")
        who = self.name[2:]
        paid = str(fields["reward"]) if "reward" in fields else ""
        made = identifier(name, one.id, paid, "user" if paid else "", "0")
        shared: dict[str, Any] = {"user_id": who if known else None}
        if name in ("OfferEntered", "OfferExited"):
            # Of somebody known it is what the event happens to have.
            shared |= {} if known else {"anonymous_id": who}
        if "reward_id" in fields:
            del fields["reward"]
        else:
            shared |= {"offer": one.offer.id, "instance": one.id, "variant": one.variant["id"]}
        order = (ANNOUNCED.index(name), one.offer.id, self.instances.index(one))
        output = Output(name, made, who if known else self.name, {**shared, **fields}, record.offset,
                        ruleset=self._rules.ruleset, **(proof or {}))  # fmt: skip
        record.outputs.append((order, output))


def key_of(placed: Placed, offer: Offer) -> str | None:
    """The value by which ``per_key`` tells entries apart, as text."""
    value = placed.event.properties.get(str(offer.key_property))
    return None if value is None or isinstance(value, bool) else str(value)
