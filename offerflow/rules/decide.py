"""The decision: fold one event into the state of its entity and say what follows. Pure.

Order within one event: completions of instances that are open, then entries. What the event enters it does not
complete. Announced in the order OfferEntered, RewardSatisfied, OfferExited.
"""

from __future__ import annotations

from offerflow.rules.conditions import Leaf, Node
from offerflow.rules.events import Event, EventType
from offerflow.rules.ids import instance_id, output_id
from offerflow.rules.live import LiveRules
from offerflow.rules.memory import remember_event, remember_fact
from offerflow.rules.outcomes import (
    Conflict,
    Duplicate,
    Evidence,
    Folded,
    OfferEntered,
    OfferExited,
    Output,
    Refusal,
    RewardSatisfied,
    Unread,
    Verdict,
)
from offerflow.rules.ruleset import Offer
from offerflow.rules.state import MAX_EVIDENCE, EntityState, Hit, Instance, LeafState

_FOLDED = Folded()
_UNREAD = Unread()
_DUPLICATE = Duplicate()


def decide(rules: LiveRules, entity: str, state: EntityState, event: Event, event_type: EventType) -> Verdict:
    """Fold ``event`` into ``state``, which is changed in place unless the verdict is Unread or Conflict.

    ``entity`` is the journal key such as ``u:42``; ``event_type`` the plan's entry for the event.
    """
    if event.type not in rules.reads:
        return _UNREAD
    memory = remember_event(state.ids, event)
    if memory is None:
        return _DUPLICATE
    if isinstance(memory, Conflict):
        return memory
    state.ids = memory
    if event_type.unique:
        facts = remember_fact(state.facts, event, event_type)
        if facts is None:
            return _DUPLICATE
        state.facts = facts
    announced: list[Output] = []
    for instance in state.instances.values():
        if instance.open:
            announced += _complete(rules, instance, event)
    entered, refusals = _enter(rules, entity, state, event)
    if not announced and not entered and not refusals:
        return _FOLDED
    rewards = [output for output in announced if isinstance(output, RewardSatisfied)]
    exits = [output for output in announced if isinstance(output, OfferExited)]
    return Folded((*entered, *rewards, *exits), tuple(refusals))


def _enter(rules: LiveRules, entity: str, state: EntityState, event: Event) -> tuple[list[OfferEntered], list[Refusal]]:
    leaves = [leaf for leaf in rules.ruleset.leaves.get(event.type, ()) if leaf.test is None or leaf.test(event)]
    counting = [leaf for leaf in leaves if _counts(rules, state, leaf)]
    if not counting:
        return [], []
    touched = {offer.id: offer for leaf in counting for offer in rules.ruleset.entries.get(leaf.key, ())}
    hits = {key: leaf for key, leaf in state.leaves.items() if rules.generations.get(key) == leaf.generation}
    rising = [touched[offer_id] for offer_id in sorted(touched) if not touched[offer_id].entry.holds(hits)]
    for leaf in counting:
        _hit(hits, leaf, event, rules.generations[leaf.key])
    state.leaves = hits
    entered: list[OfferEntered] = []
    refusals: list[Refusal] = []
    for offer in rising:
        if not offer.entry.holds(hits):
            continue
        if offer.id in state.instances:
            refusals.append(Refusal(offer.id, "already_in"))
        elif offer.audience is not None and not offer.audience.holds(hits):
            refusals.append(Refusal(offer.id, "not_in_audience"))
        else:
            entered.append(_entered(rules, entity, state, offer, event))
    return entered, refusals


def _counts(rules: LiveRules, state: EntityState, leaf: Leaf) -> bool:
    """Whether a further hit can still matter to the leaf: beyond what it asks for, nothing is kept."""
    known = state.leaves.get(leaf.key)
    return known is None or known.generation != rules.generations[leaf.key] or len(known.hits) < leaf.at_least


def _entered(rules: LiveRules, entity: str, state: EntityState, offer: Offer, event: Event) -> OfferEntered:
    variant = offer.variant_of(entity)
    instance = Instance(instance_id(offer.id, entity, event.event_id), offer.version, variant.id, event.time)
    state.instances[offer.id] = instance
    evidence, _ = _evidence(offer.entry, state.leaves, event, rules)
    return OfferEntered(
        id=output_id("OfferEntered", instance.id),
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        offer=offer.id,
        offer_version=offer.version,
        instance=instance.id,
        variant=variant.id,
        attributes=dict(variant.attributes),
        entered_at=event.time,
        ruleset=rules.ruleset.hash,
        evidence=evidence,
    )


def _complete(rules: LiveRules, instance: Instance, event: Event) -> list[Output]:
    offer = rules.versions[instance.version]
    touched = False
    for leaf in offer.completion_leaves.get(event.type, ()):
        known = instance.leaves.get(leaf.key)
        if (known is None or len(known.hits) < leaf.at_least) and (leaf.test is None or leaf.test(event)):
            _hit(instance.leaves, leaf, event, 0)
            touched = True
    if not touched or offer.completion is None or not offer.completion.holds(instance.leaves):
        return []
    evidence, count = _evidence(offer.completion, instance.leaves, event, rules)
    instance.open, instance.leaves = False, {}
    variant = offer.variant(instance.variant)
    outputs: list[Output] = []
    if variant.reward is not None and event.user_id is not None:
        outputs.append(
            RewardSatisfied(
                id=output_id("RewardSatisfied", instance.id, variant.reward.id, "user"),
                user_id=event.user_id,
                reward=variant.reward.id,
                value=variant.reward.value,
                currency=variant.reward.currency,
                offer=offer.id,
                variant=variant.id,
                attributes=dict(variant.attributes),
                instance=instance.id,
                satisfied_at=event.time,
                ruleset=rules.ruleset.hash,
                evidence=evidence,
                evidence_count=count,
            )
        )
    outputs.append(
        OfferExited(
            id=output_id("OfferExited", instance.id),
            user_id=event.user_id,
            anonymous_id=event.anonymous_id,
            offer=offer.id,
            instance=instance.id,
            variant=variant.id,
            exited_at=event.time,
        )
    )
    return outputs


def _hit(hits: dict[int, LeafState], leaf: Leaf, event: Event, generation: int) -> None:
    known = hits.get(leaf.key)
    if known is None:
        known = hits[leaf.key] = LeafState(generation)
    known.hits.append(Hit(event.event_id, event.time, event.offset))


def _evidence(node: Node, hits: dict[int, LeafState], event: Event, rules: LiveRules) -> tuple[list[Evidence], int]:
    """Newest last, in journal order, at most MAX_EVIDENCE; with the number there would be without that bound."""
    leaves = {leaf.key: leaf for leaf in node.proof(hits)}
    found = {
        hit.offset: Evidence(hit.event_id, leaf.event_name, hit.time, event.partition, hit.offset)
        for leaf in leaves.values()
        for hit in hits[leaf.key].hits
    }
    if event.offset not in found:
        name = rules.ruleset.names.get(event.type, event.type)
        found[event.offset] = Evidence(event.event_id, name, event.time, event.partition, event.offset)
    return [found[offset] for offset in sorted(found)][-MAX_EVIDENCE:], len(found)
