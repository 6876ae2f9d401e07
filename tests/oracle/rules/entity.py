"""The fold of one entity: what a record, a timer or a request leads to. docs/rules.md, from "One record" on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.oracle.identity import identifier
from tests.oracle.model import Event, Output, Placed
from tests.oracle.rules import ask
from tests.oracle.rules.ask import Counts, Hit, Slot, View
from tests.oracle.rules.force import Offer, Rules
from tests.oracle.rules.instance import Instance, Reward, RuleError, value_of
from tests.oracle.rules.keeping import NINETY_DAYS, Kept
from tests.oracle.rules.tree import Counting, Node, counting, offers_named, traits
from tests.oracle.rules.written import duration
from tests.oracle.workspace import REQUESTS

ANNOUNCED = ("OfferEntered", "RewardSatisfied", "RewardFulfilled", "RewardReversed", "OfferExited")
REMEMBERED_KEYS = 1000


@dataclass
class Outcome:
    """What became of a record. ``refusals``: (offer, reason); ``rewards``: (reward id, state reached)."""

    verdict: str
    outputs: list[Output] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Record:
    """Something that happens: an event, a request, or the firing of a timer. ``moved`` are offers that were entered,
    ended or completed by it, in order."""

    time: int
    offset: int
    seq: int
    cause: str
    before: View
    placed: Placed | None = None
    received_at: int = 0
    added: set[Slot] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)
    outputs: list[tuple[Any, Output]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    asked: dict[tuple[str, str], int] = field(default_factory=dict)


class Entity:
    """One user, or one anonymous visitor. Records come in journal order; ``now`` is T."""

    def __init__(self, name: str, partition: int) -> None:
        self.name, self.partition = name, partition
        self.kept = Kept()
        self.instances: list[Instance] = []
        self.marks: dict[tuple[str, Any], int] = {}
        self.keys: dict[str, list[Any]] = {}
        self.seq = 0
        self._rules: Rules

    # --- records -----------------------------------------------------------------------------------------------------

    def take(self, placed: Placed, rules: Rules, now: int) -> Outcome:
        """Fold an event or a request. A rule that has no result leaves everything as it was."""
        saved = (self.kept.copy(), [_copy(one) for one in self.instances], dict(self.marks), dict(self.keys), self.seq)
        try:
            return self._take(placed, rules, now)
        except RuleError as error:
            self.kept, self.instances, self.marks, self.keys, self.seq = saved
            return Outcome(f"rule_error {error}")

    def _take(self, placed: Placed, rules: Rules, now: int) -> Outcome:
        event, kept, self._rules = placed.event, self.kept, rules
        asked = event.type in REQUESTS
        if not asked and not rules.reads(rules.kinds[event.type]):
            return Outcome("unread")
        before = self.pass_time(rules, now, placed.offset, sweep=True)
        done = Outcome("folded", before.outputs, before.refusals)
        late = kept.clock is not None and event.time < kept.clock - rules.lateness
        if late and event.lateness != "ignore":
            return replace(done, verdict="too_late")
        if event.event_id in kept.remembered:
            again = asked or event.repeats(kept.remembered[event.event_id])
            return replace(done, verdict="duplicate" if again else "conflict")
        kept.remember(event)
        if not asked and kept.known_fact(event, rules):
            return replace(done, verdict="duplicate")
        record = self._record(event.time, placed.offset, event.event_id, placed, event.received_at)
        if asked:
            self._request(event, record)
        else:
            kept.clock = event.time if kept.clock is None else max(kept.clock, event.time)
            self._refund(placed, record)
            traits = kept.traits(rules)
            record.added = kept.fold(placed, self.seq, rules, now)
            now_traits = kept.traits(rules)
            record.changed = {name for name in traits | now_traits if traits.get(name) != now_traits.get(name)}
        self._decide(record)
        return self._announce(done, record)

    def pass_time(self, rules: Rules, now: int, offset: int, sweep: bool) -> Outcome:
        """Everything that is due at T fires; then instances of withdrawn offers exit."""
        done = Outcome("folded")
        while (first := self.next_due(now)) is not None:
            self.fire(first, rules, offset, done)
        if sweep:
            self.sweep(rules, now, offset, done)
        return done

    def next_due(self, now: int) -> tuple[int, int, Any] | None:
        """(due, kind, id) of the timer that fires next at T, if there is one."""
        return min((one for one, fire_at in self._timers() if fire_at <= now), default=None)

    def _timers(self) -> Iterator[tuple[tuple[int, int, Any], int]]:
        yield from (((one.due, 0, one.start.placed.offset), one.fire_at) for one in self.kept.watches)
        for one in self.instances:
            if one.open and one.expires_at is not None:
                yield (one.expires_at, 1, one.id), one.expires_fire
            if one.reward and one.reward.due is not None:
                yield (one.reward.due, 2, one.reward.id), one.reward.fire_at

    def fire(self, timer: tuple[int, int, Any], rules: Rules, offset: int, done: Outcome) -> None:
        due, kind, name = timer
        self._rules = rules
        if kind == 0:
            fired = [one for one in self.kept.watches if (one.due, one.start.placed.offset) == (due, name)]
            start = fired[0].start
            record = self._record(due, offset, f"{start.placed.event.event_id}@{due}", start.placed)
            self.kept.watches = [one for one in self.kept.watches if one not in fired]
            for one in fired:
                if one.leaf.key in rules.since:
                    hit = Hit(start.placed, due, offset, self.seq, start.order, start.seq)
                    self.kept.hits[one.leaf.key, "fired"].append(hit)
                    record.added.add((one.leaf.key, "fired"))
        else:
            owner = next(one for one in self.instances if name in (one.id, one.reward and one.reward.id))
            record = self._record(due, offset, f"{owner.id}@{due}")
            if kind == 1:
                self._exit(owner, "expired", due, record)
            elif owner.reward and owner.reward.state == "pending":
                self._satisfy(owner, owner.reward, record)
            elif owner.reward:
                owner.reward.state = "expired"
                self._reverse(owner, owner.reward, "expired", due, record)
        self._decide(record)
        self._announce(done, record)

    def sweep(self, rules: Rules, now: int, offset: int, done: Outcome) -> None:
        """Instances of withdrawn offers exit."""
        self._rules = rules
        for one in sorted((one for one in self.instances if one.open), key=lambda one: one.offer.id):
            offer = rules.offers.get(one.offer.id)
            if offer is not None and offer.raw.get("withdraw"):
                at = max(now, self.kept.clock if self.kept.clock is not None else now)
                record = self._record(at, offset, f"{one.id}@{at}")
                self._exit(one, "withdrawn", at, record)
                self._decide(record)
                self._announce(done, record)

    def _record(self, time: int, offset: int, cause: str, placed: Placed | None = None, received: int = 0) -> Record:
        self.seq += 1
        return Record(time, offset, self.seq, cause, self._view(), placed, received)

    def _announce(self, done: Outcome, record: Record) -> Outcome:
        done.outputs += [one for _, one in sorted(record.outputs, key=lambda pair: pair[0])]
        done.refusals += record.refusals
        return done

    # --- what there is to ask ----------------------------------------------------------------------------------------

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

    # --- completions, exits, entries ---------------------------------------------------------------------------------

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
        one.completed_at = at
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

    # --- refunds and requests ----------------------------------------------------------------------------------------

    def _refund(self, placed: Placed, record: Record) -> None:
        taken = self.kept.taken_by(placed, self._rules)
        if self._rules.kinds[placed.event.type].reverses:
            self.kept.refunds.append(placed)
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
        """Whether the instance counted one of the events at these offsets."""
        if one.completion == "immediate":
            hits = [hit for found in one.seen.hits.values() for hit in found if hit.time <= one.entered_at]
        else:
            assert one.asked is not None
            found = ask.hits_of(one.asked, self._view(), self._as_instance(one))
            hits = [hit for _, hit in found if one.expires_at is None or hit.time <= one.expires_at]
        return any(hit.placed.offset in offsets for hit in hits)

    def _still_holds(self, one: Instance) -> bool:
        if one.completion == "immediate":
            assert one.offer.entry is not None
            left = {slot: tuple(hit for hit in found if hit.placed.offset not in self.kept.dead or slot[1] == "fired")
                    for slot, found in one.seen.hits.items()}  # fmt: skip
            now = self._view()
            seen = View(left, now.traits, now.inside, now.completed)
            return ask.true(one.offer.entry, one.entered_at, seen, lambda leaf, hit: True)
        assert one.asked is not None
        view, counts = self._view(), self._as_instance(one)
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
            refused = ("", "unknown_code") if code is not None else (str(name), "unknown_offer")
            record.refusals.append(refused)
            return
        key = asked.get("key") if offer.key_property is not None else None
        refusal = self._refusal(offer, record.time, key)
        if refusal:
            record.refusals.append((offer.id, refusal))
        else:
            self._enter(offer, record.time, key, "code" if code is not None else "api", record)

    # --- outputs -----------------------------------------------------------------------------------------------------

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


def _counted(node: Node | None, view: View, counts: Counts) -> View:
    """Only what counts for the condition."""
    found: dict[Slot, tuple[Hit, ...]] = {}
    for leaf in counting(node):
        for slot in ask.slots(leaf):
            found[slot] = tuple(hit for hit in view.hits.get(slot, ()) if counts(leaf, hit))
    return View(found)


def _copy(one: Instance) -> Instance:
    return replace(one, reward=replace(one.reward) if one.reward else None)
