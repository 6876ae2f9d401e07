"""The oracle's fold on hand-written lists of events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.oracle.fold import Entity
from tests.oracle.identity import identifier
from tests.oracle.model import Conflict, Output
from tests.oracle.rules import in_force
from tests.oracle.samples import event_type, placed
from tests.oracle.workspace import Workspace

TYPES = {
    name: event_type(name, name, f"{name} again", unique=("key",) if name == "U" else ())
    for name in ("A", "B", "C", "U", "Unread")
}
TYPES |= {f"{name} again": one for name, one in TYPES.items()}


def fold(offers: list[dict[str, Any]], events: list[Any], entity: str = "u:u1", **conditions: Any) -> list[str]:
    """What comes out, as short texts: record, offer, id of the deciding event."""
    return [_short(one) for one in outcomes(offers, events, entity, **conditions)]


def outcomes(offers: list[dict[str, Any]], events: list[Any], entity: str = "u:u1", **conditions: Any) -> list[Any]:
    workspace = Workspace(TYPES, {}, conditions, {offer["id"]: offer for offer in offers})
    ((_, rules),) = in_force([workspace], [(-1, "R")])
    folded = Entity(entity)
    return [outcome for event in events for outcome in folded.take(event, rules)]


def _short(outcome: Output | Conflict) -> str:
    if isinstance(outcome, Conflict):
        return f"conflict {outcome.placed.event.event_id}"
    return f"{outcome.record} {outcome.fields['offer']} {outcome.deciding.event.event_id}"


def offer(name: str, entry: Any, completion: Any = None, **more: Any) -> dict[str, Any]:
    made = {"id": name, "entry": entry, **more}
    return {**made, "completion": completion} if completion else made


A, B, C = ({"event": name} for name in "ABC")


def test_enters_once_and_completes_by_later_events_alone() -> None:
    """The entering event does not complete, a second one does, and nothing is entered again."""
    events = [placed(n, "A") for n in range(4)]
    assert fold([offer("o", A, A, reward={"id": "r"})], events) == [
        "OfferEntered o e0", "RewardSatisfied o e1", "OfferExited o e1",
    ]  # fmt: skip


def test_counts() -> None:
    """Entry on the third, completion on the second after it."""
    events = [placed(n, "A") for n in range(6)]
    two, three = ({**A, "count": {"at_least": n}} for n in (2, 3))
    assert fold([offer("o", three, two)], events) == ["OfferEntered o e2", "OfferExited o e4"]


def test_an_alias_counts_like_the_display_name() -> None:
    """A condition by any name of a type counts every arrival of the type."""
    assert fold([offer("o", {"event": "A again"})], [placed(0, "A")]) == ["OfferEntered o e0"]


def test_audience_is_asked_with_the_entering_event_counted() -> None:
    """Who enters by the very event the audience forbids stays out, for good."""
    offers = [offer("o", {"any": [A, B]}, audience={"none": [B]})]
    assert fold(offers, [placed(0, "B"), placed(1, "A")]) == []
    assert fold(offers, [placed(0, "A"), placed(1, "B")]) == ["OfferEntered o e0"]


def test_entry_fires_on_the_change_to_true() -> None:
    """A condition that turns false and true again fires again if the first time was refused."""
    entry = {"any": [{"all": [A, {"none": [B]}]}, C]}
    offers = [offer("o", entry, audience={"event": "C"})]
    assert fold(offers, [placed(0, "A"), placed(1, "C")]) == []
    assert fold(offers, [placed(0, "A"), placed(1, "B"), placed(2, "C")]) == ["OfferEntered o e2"]


def test_references_and_groups_nest() -> None:
    """All of any of none, through a condition by id."""
    entry = {"all": [{"any": [{"condition": "b"}, C]}, {"none": [{"event": "A", "where": "x > 1"}]}]}
    offers = [offer("o", entry)]
    assert fold(offers, [placed(0, "A", x=1), placed(1, "B")], b=B) == ["OfferEntered o e1"]
    assert fold(offers, [placed(0, "A", x=2), placed(1, "B")], b=B) == []


def test_order_within_one_event() -> None:
    """Entries by offer id first, then rewards, then exits."""
    offers = [offer("z", A, B, reward={"id": "r"}), offer("y", B), offer("x", B, B)]
    assert fold(offers, [placed(0, "A"), placed(1, "B")]) == [
        "OfferEntered z e0", "OfferEntered x e1", "OfferEntered y e1", "RewardSatisfied z e1", "OfferExited z e1",
    ]  # fmt: skip


def test_repeated_ids() -> None:
    """The same again is dropped, other content under the same id is a conflict and counts for nothing."""
    twice = [offer("o", {**A, "count": {"at_least": 2}})]
    assert fold(twice, [placed(0, id="e", x=1), placed(1, id="e", x=1)]) == []
    assert fold(twice, [placed(0, id="e", x=1), placed(1, id="e", x=2)]) == ["conflict e"]
    assert fold(twice, [placed(0, "Unread", id="e"), placed(1, id="e"), placed(2)]) == ["OfferEntered o e2"]


def test_only_the_latest_ids_are_remembered() -> None:
    """After 256 others the id is new again."""
    events = [placed(0, "A", id="e"), *(placed(n, "B") for n in range(1, 257)), placed(257, "A", id="e")]
    offers = [offer("o", {**A, "count": {"at_least": 2}}), offer("p", B)]
    assert fold(offers, events) == ["OfferEntered p e1", "OfferEntered o e"]
    assert fold(offers, [*events[:256], events[-1]]) == ["OfferEntered p e1"]


def test_a_fact_counts_once() -> None:
    """The same business key under another id is the same fact, and its id is remembered all the same."""
    twice = [offer("o", {"event": "U", "count": {"at_least": 2}})]
    assert fold(twice, [placed(0, "U", key="k"), placed(1, "U", key="k")]) == []
    assert fold(twice, [placed(0, "U", key="k"), placed(1, "U", key="l")]) == ["OfferEntered o e1"]
    again = [placed(0, "U", key="k"), placed(1, "U", key="k"), placed(2, "U", key="l", id="e1")]
    assert fold(twice, again) == ["conflict e1"]


def test_an_anonymous_entity_gets_no_reward() -> None:
    """It enters and exits under its own key, without RewardSatisfied."""
    events = [placed(0, "A", user=None), placed(1, "B", user=None)]
    made = outcomes([offer("o", A, B, reward={"id": "r", "value": "10 EUR"})], events, "a:anon")
    assert [one.record for one in made] == ["OfferEntered", "OfferExited"]
    assert {one.key for one in made} == {"a:anon"}
    assert made[0].fields["user_id"] is None


def test_a_reward_in_full() -> None:
    """Ids by the published recipe, the variant's value as a decimal, evidence that proves."""
    variants = [{"id": "v", "weight": 2, "attributes": {"h": "x"}, "reward": {"id": "r", "value": "7.50 EUR"}}]
    completion = {"all": [{**B, "count": {"at_least": 2}}, {"none": [C]}]}
    events = [placed(0, "A"), placed(1, "B"), placed(2, "B")]
    reward = outcomes([offer("o", A, completion, variants=variants)], events)[1]
    instance = identifier("o", "u:u1", "e0")
    assert reward.id == identifier("RewardSatisfied", instance, "r", "user", "0")
    assert reward.fields["value"] == Decimal("7.5")
    assert (reward.fields["currency"], reward.fields["variant"], reward.key) == ("EUR", "v", "u1")
    assert reward.hits.keys() == {"e1", "e2"}
    assert reward.hits["e1"] == {
        "event_id": "e1", "event": "B", "time": events[1].event.time, "journal_partition": 0, "journal_offset": 1,
    }  # fmt: skip
    assert reward.proves(frozenset({"e1", "e2"}))
    assert not reward.proves(frozenset({"e2"}))


def _under(plans: list[list[dict[str, Any]]], steps: list[Any]) -> list[str]:
    """``steps``: events, and numbers where the next of ``plans`` is activated at that journal offset."""
    workspaces = [Workspace(TYPES, {}, {}, {offer["id"]: offer for offer in offers}) for offers in plans]
    activations = [(step, f"R{n}") for n, step in enumerate(one for one in steps if isinstance(one, int))]
    rules = dict(in_force(workspaces, activations))
    folded, made, now = Entity("u:u1"), [], None
    for step in steps:
        if isinstance(step, int):
            now = rules[step]
        else:
            assert now is not None
            made += [_short(one) for one in folded.take(step, now)]
    return made


def test_a_new_leaf_counts_from_its_activation_and_an_old_one_goes_on() -> None:
    """Two of A before the second activation are one short of three, and nothing to an offer that comes with it."""
    three, two = {**A, "count": {"at_least": 3}}, {**A, "count": {"at_least": 2}}
    old, new = offer("old", three), offer("new", two)
    events = [0, placed(1, "A"), placed(2, "A"), 3, placed(4, "A"), placed(5, "A")]
    assert _under([[old], [old, new]], events) == ["OfferEntered old e4", "OfferEntered new e5"]


def test_an_instance_ends_under_the_definition_it_began_with() -> None:
    """A completion changed while the instance is open is the old one for it."""
    events = [0, placed(1, "A"), 2, placed(3, "C"), placed(4, "B")]
    assert _under([[offer("o", A, B)], [offer("o", A, C)]], events) == ["OfferEntered o e1", "OfferExited o e4"]
