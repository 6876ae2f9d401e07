"""What one record of an entity leads to, by hand: entry, completion, evidence, repeats, rulesets over time."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from offerflow.rules.outcomes import Decision, OfferEntered, OfferExited, RewardSatisfied, Verdict
from tests.offerflow.rules.samples import NOON, Definition, Entity, condition, entered, offer

A, B, C, D = ({"event": name} for name in "ABCD")
REWARD = {"id": "r", "value": "10 EUR"}


def least(n: int, leaf: Definition = A) -> Definition:
    return {**leaf, "count": {"at_least": n}}


def h(*fields: str) -> str:
    """The published recipe of ids, written once more."""
    data = b"".join(len(field.encode()).to_bytes(4, "big") + field.encode() for field in fields)
    return hashlib.sha256(data).digest()[:16].hex()


@pytest.mark.parametrize(
    ("entry", "events", "expected"),
    [
        (A, "BAA", [1]),
        (least(3), "AABAA", [3]),
        ({"all": [A, B]}, "AAB", [2]),
        ({"all": [A, B]}, "BBA", [2]),
        ({"any": [A, B]}, "CBA", [1]),
        ({"all": [A, {"none": [B]}]}, "A", [0]),
        ({"all": [A, {"none": [B]}]}, "BA", []),
        ({"all": [least(2), {"none": [B]}]}, "ABA", []),
        ({"all": [A, {"none": [{"all": [B, C]}]}]}, "BAC", [1]),
        ({"all": [A, {"none": [{"none": [B]}]}]}, "AB", [1]),
        ({"all": [{"any": [A, B]}, {"any": [C, D]}]}, "ABAC", [3]),
        ({"any": [{"all": [A, least(2, B)]}, {"all": [C, D]}]}, "ABCBD", [3]),
        ({"all": [least(2), least(3)]}, "AAA", [2]),
        ({"all": [A, A]}, "A", [0]),
        ({"event": "A again"}, "A", [0]),
    ],
)  # fmt: skip
def test_entry_fires_when_its_condition_becomes_true(entry: Definition, events: str, expected: list[int]) -> None:
    """On the record that changes it from false to true, with groups nested in any way, and never again after."""
    entity = Entity(offer("o", entry))
    assert entity.story(events) == [f"{at} OfferEntered o" for at in expected]


def test_references_are_followed() -> None:
    """A condition by its id is the condition itself, at any depth."""
    conditions = [condition("c", any=[{"condition": "d"}, B]), condition("d", **least(2))]
    assert Entity(*conditions, offer("o", {"condition": "c"})).story("CAA") == ["2 OfferEntered o"]


@pytest.mark.parametrize(
    ("audience", "events", "expected"),
    [
        ({"none": [B]}, "A", ["0 OfferEntered o"]),
        ({"none": [B]}, "BA", ["1 not_in_audience o"]),
        (B, "BA", ["1 OfferEntered o"]),
        (B, "AB", ["0 not_in_audience o"]),
        (least(2), "A", ["0 not_in_audience o"]),
        (A, "A", ["0 OfferEntered o"]),
        ({"none": [A]}, "A", ["0 not_in_audience o"]),
        (B, "ABA", ["0 not_in_audience o"]),
        (B, "AAAA", ["0 not_in_audience o"]),
    ],
)
def test_the_audience_is_asked_at_entry(audience: Definition, events: str, expected: list[str]) -> None:
    """It is asked once, with the entering record counted; who is refused is told so and the entry is over."""
    assert Entity(offer("o", A, audience=audience)).story(events) == expected


def test_a_refused_entry_fires_again_only_after_it_was_false() -> None:
    """A condition that turns false and true once more asks the audience anew."""
    entry = {"any": [{"all": [A, {"none": [B]}]}, C]}
    assert Entity(offer("o", entry, audience=C)).story("ABC") == ["0 not_in_audience o", "2 OfferEntered o"]
    assert Entity(offer("o", entry, audience=C)).story("AC") == ["0 not_in_audience o"]


def test_nobody_enters_twice() -> None:
    """An entry that becomes true again is refused for who is in the offer, or was."""
    entry = {"any": [{"all": [A, {"none": [B]}]}, C]}
    assert Entity(offer("o", entry, D)).story("ABC") == ["0 OfferEntered o", "2 already_in o"]
    assert Entity(offer("o", entry, D)).story("ADBC") == ["0 OfferEntered o", "1 OfferExited o", "3 already_in o"]


@pytest.mark.parametrize(
    ("completion", "events", "expected"),
    [
        (A, "AA", ["1 OfferExited o"]),
        (B, "BBAB", ["3 OfferExited o"]),
        (least(2, B), "BABBB", ["3 OfferExited o"]),
        ({"all": [B, {"none": [C]}]}, "ABC", ["1 OfferExited o"]),
        ({"all": [B, {"none": [C]}]}, "CAB", ["2 OfferExited o"]),
        ({"all": [B, {"none": [C]}]}, "ACB", []),
        ({"any": [least(2, B), C]}, "ABC", ["2 OfferExited o"]),
        ({"all": [A, B]}, "ABA", ["2 OfferExited o"]),
    ],
)
def test_completion_counts_after_entry(completion: Definition, events: str, expected: list[str]) -> None:
    """Events before the entry and the entering event itself count for nothing, in ``none`` too; it closes once."""
    story = Entity(offer("o", A, completion)).story(events)
    assert [text for text in story if "OfferEntered" not in text] == expected


def test_where_decides_what_counts() -> None:
    """Events that do not pass the expression are as if they were not there, for entry and completion alike."""
    entity = Entity(offer("o", least(2, {**A, "where": "x >= 10"}), {**A, "where": 's == "go"'}))
    found = [entity.says("A", **given) for given in ({"x": 10}, {"x": 9}, {}, {"x": 11}, {"x": 12}, {"s": "go"})]
    assert found == [[], [], [], ["OfferEntered o"], [], ["OfferExited o"]]


def test_the_order_of_announcement() -> None:
    """All entries by offer id, then all rewards, then all exits; an offer entered here is not completed here."""
    offers = [
        offer("z", A, B, reward=REWARD), offer("m", A, B), offer("y", B), offer("b", B, B, reward=REWARD),
        offer("a", B, audience=C),
    ]  # fmt: skip
    entity = Entity(*offers)
    assert entity.says("A") == ["OfferEntered m", "OfferEntered z"]
    assert entity.says("B") == [
        "OfferEntered b", "OfferEntered y", "RewardSatisfied z", "OfferExited m", "OfferExited z", "not_in_audience a",
    ]  # fmt: skip
    assert entity.says("B") == ["RewardSatisfied b", "OfferExited b"]


def test_outputs_in_full() -> None:
    """Every field of the three outputs: ids by the published recipe, times of the deciding events, evidence."""
    variants = [{"id": "v", "attributes": {"b": "2", "a": "1"}, "reward": {"id": "r", "value": "7.50 EUR"}}]
    entity = Entity(offer("o", least(2), B, variants=variants))
    entity.take("A")
    one = entered(entity.outputs("A"))
    reward, left = entity.outputs("B", event_id="é")
    instance = h("o", "u:ann", "e1")
    evidence = [(f"e{n}", "A", NOON + n, 3, n) for n in (0, 1)]
    assert isinstance(one, OfferEntered)
    assert [tuple(getattr(item, name) for name in item.__struct_fields__) for item in one.evidence] == evidence
    assert (one.id, one.instance, one.user_id, one.anonymous_id) == (
        h("OfferEntered", instance, "", "", "0"), instance, "ann", None,
    )  # fmt: skip
    assert (one.offer, one.variant, one.attributes, one.entered_at, one.ruleset) == (
        "o", "v", {"a": "1", "b": "2"}, NOON + 1, "r1",
    )  # fmt: skip
    assert (one.holdout, one.expires_at, one.via) == (False, None, "event")
    assert isinstance(reward, RewardSatisfied)
    assert (reward.id, reward.instance, reward.user_id) == (
        h("RewardSatisfied", instance, "r", "user", "0"), instance, "ann",
    )  # fmt: skip
    assert (reward.reward, reward.value, reward.currency, reward.side) == ("r", Decimal("7.50"), "EUR", "user")
    assert (reward.offer, reward.referral, reward.variant, reward.attributes) == ("o", None, "v", one.attributes)
    assert (reward.satisfied_at, reward.late, reward.ruleset, reward.evidence_count) == (NOON + 2, False, "r1", 1)
    assert [item.event_id for item in reward.evidence] == ["é"]
    assert isinstance(left, OfferExited)
    assert (left.id, left.instance, left.user_id, left.anonymous_id, left.offer, left.variant) == (
        h("OfferExited", instance, "", "", "0"), instance, "ann", None, "o", "v",
    )  # fmt: skip
    assert (left.reason, left.exited_at) == ("completed", NOON + 2)


def test_a_version_is_announced() -> None:
    """``offer_version`` is the version of the definition that entered, not the name of the ruleset."""
    entity = Entity(offer("o", A))
    assert entered(entity.outputs("A")).offer_version == next(iter(entity.partition.versions))


def test_a_reward_without_a_value() -> None:
    """Value and currency are both null."""
    entity = Entity(offer("o", A, B, reward={"id": "r"}))
    entity.take("A")
    reward = entity.outputs("B")[0]
    assert isinstance(reward, RewardSatisfied)
    assert (reward.value, reward.currency) == (None, None)


def test_an_anonymous_entity_gets_no_reward() -> None:
    """It enters and exits under its own id and is paid nothing."""
    entity = Entity(offer("o", A, B, reward=REWARD), name="a:cookie")
    first, last = entity.outputs("A")[0], entity.outputs("B")
    assert [type(one) for one in last] == [OfferExited]
    for one in (first, *last):
        assert isinstance(one, OfferEntered | OfferExited)
        assert (one.user_id, one.anonymous_id, one.instance) == (None, "cookie", h("o", "a:cookie", "e0"))


def test_the_same_name_in_both_namespaces_is_two_entities() -> None:
    """``u:x`` and ``a:x`` have instances, and variants, of their own."""
    known, unknown = (Entity(offer("o", A), name=name) for name in ("u:x", "a:x"))
    assert entered(known.outputs("A", user_id="x")).instance != entered(unknown.outputs("A")).instance


# -- evidence ---------------------------------------------------------------------------------------------------------


def reward_of(completion: Definition, events: list[tuple[str, dict[str, Any]]]) -> RewardSatisfied:
    entity = Entity(offer("o", D, completion, reward=REWARD))
    entity.take("D")
    outputs = [one for name, given in events for one in entity.outputs(name, **given)]
    (found,) = [one for one in outputs if isinstance(one, RewardSatisfied)]
    return found


@pytest.mark.parametrize(
    ("completion", "events", "expected"),
    [
        (least(3), "ABAA", ["e1", "e3", "e4"]),
        ({"all": [A, B]}, "BBA", ["e1", "e2", "e3"]),
        ({"any": [{"all": [A, B]}, C]}, "AC", ["e2"]),
        ({"any": [{"all": [A, B]}, {"all": [A, C]}]}, "AC", ["e1", "e2"]),
        ({"all": [A, {"none": [B]}]}, "CA", ["e2"]),
        ({"all": [least(2), A]}, "AA", ["e1", "e2"]),
    ],
)
def test_evidence_is_what_made_it_true(completion: Definition, events: str, expected: list[str]) -> None:
    """The hits of the leaves that made it true, newest last, each once; absence proves without evidence."""
    reward = reward_of(completion, [(name, {}) for name in events])
    assert [item.event_id for item in reward.evidence] == expected
    assert reward.evidence_count == len(expected)


def test_evidence_has_a_bound() -> None:
    """The newest 100 with the deciding event last, and the number there would have been."""
    reward = reward_of(least(130), [("A", {})] * 130)
    assert [item.event_id for item in reward.evidence] == [f"e{n}" for n in range(31, 131)]
    assert reward.evidence_count == 130


def test_evidence_of_two_leaves_has_a_bound() -> None:
    """100 in all, not per leaf, in the order of the journal."""
    reward = reward_of({"all": [least(80), least(90, B)]}, [("A", {}), ("B", {})] * 90)
    assert [item.event_id for item in reward.evidence] == [f"e{n}" for n in range(81, 181)]
    assert reward.evidence_count == 180


def test_evidence_of_leaves_that_share_events() -> None:
    """An event that two leaves counted is one piece of evidence, in the count as well."""
    reward = reward_of({"all": [least(150), least(120, {**A, "where": "x >= 0"})]}, [("A", {"x": 1})] * 150)
    assert [item.event_id for item in reward.evidence] == [f"e{n}" for n in range(51, 151)]
    assert reward.evidence_count == 150


def test_evidence_names_the_type_by_its_display_name() -> None:
    """Whatever name the condition uses."""
    entity = Entity(offer("o", {"event": "A again"}))
    assert entered(entity.outputs("A")).evidence[0].event == "A"


def test_events_beyond_the_count_are_not_kept() -> None:
    """A state does not grow with events that can no longer matter."""
    entity = Entity(offer("o", least(2), audience=B))
    entity.story("AA")
    before = entity.state.leaves
    entity.story("AAAA")
    assert entity.state.leaves == before


# -- repeats ----------------------------------------------------------------------------------------------------------


def test_the_same_event_again_is_dropped() -> None:
    """Same id and content: counted once, whatever its time and place say."""
    entity = Entity(offer("o", least(2)))
    entity.take("A", event_id="e", x=1)
    before = entity.packed
    assert entity.take("A", event_id="e", x=1, time=NOON - 5, source="other") == Decision(
        Verdict.DUPLICATE, changed=False
    )
    assert entity.packed == before
    assert entity.says("A") == ["OfferEntered o"]


def test_another_event_under_a_known_id_is_a_conflict() -> None:
    """It is told, counts for nothing, and leaves the state as it was."""
    entity = Entity(offer("o", least(2)))
    entity.take("A", event_id="e", x=1)
    before = entity.packed
    verdict = entity.take("A", event_id="e", x=2)
    assert verdict.verdict == Verdict.CONFLICT
    assert "'e'" in verdict.detail
    assert entity.packed == before
    assert entity.says("B", event_id="e") == ["unread"]


def test_a_repeat_under_another_version_of_the_schema_is_the_same_event() -> None:
    """A sender that tries again after a change of the plan has sent nothing else, though the bytes differ."""
    entity = Entity(offer("o", least(2)))
    assert [entity.says("A", event_id="e", n=version, version=version) for version in (1, 2)] == [[], ["duplicate"]]


def test_another_type_under_a_known_id_is_a_conflict() -> None:
    """Type and content are compared, not the id alone."""
    entity = Entity(offer("o", {"any": [least(2), least(2, B)]}))
    assert [entity.says(name, event_id="e") for name in "AB"] == [[], ["conflict"]]


def test_what_no_rule_reads_leaves_no_trace() -> None:
    """Not even its id is remembered."""
    entity = Entity(offer("o", A, B, audience={"none": [C]}))
    empty = entity.packed
    assert entity.take("D", event_id="e") == Decision(Verdict.UNREAD, changed=False)
    assert entity.packed is not empty
    assert entity.state == Entity(offer("o", A)).state
    assert [entity.take(name, event_id=name).verdict for name in "ABC"] == [Verdict.FOLDED] * 3


def test_256_ids_are_remembered() -> None:
    """The 256th newest is still known, the 257th is not."""
    for others, expected in ((255, "duplicate"), (256, "OfferEntered o")):
        entity = Entity(offer("o", least(2)), offer("p", least(1000, B)))
        entity.take("A", event_id="e")
        entity.story("B" * others)
        assert entity.says("A", event_id="e") == [expected]


def test_a_duplicate_is_not_made_newer() -> None:
    """Memory goes by the first arrival, so a sender that repeats itself cannot push out others."""
    entity = Entity(offer("o", least(1000)))
    entity.take("A", event_id="e")
    entity.story("A" * 200)
    assert entity.says("A", event_id="e") == ["duplicate"]
    entity.story("A" * 56)
    assert entity.says("A", event_id="e") == []


def test_the_same_fact_again_is_not_counted() -> None:
    """Same unique key under another id: not counted, and the other id is remembered with its content."""
    entity = Entity(offer("o", least(2, {"event": "U"})))
    entity.take("U", key="k")
    assert entity.take("U", key="k", x=5, event_id="again") == Decision(Verdict.DUPLICATE)
    assert entity.says("U", key="k", x=5, event_id="again") == ["duplicate"]
    assert entity.says("U", key="l", event_id="again") == ["conflict"]
    assert entity.says("U", key="l") == ["OfferEntered o"]


def test_a_unique_key_is_all_its_parts() -> None:
    """Two facts that share a part are two facts; parts do not run together, and types stand apart."""
    entity = Entity(offer("o", least(4, {"event": "Pair"})), offer("p", least(9, {"event": "U"})))
    keys = [("a", 1), ("a", 2), ("b", 1), ("a", 1), ("a1", 1)]
    assert [entity.says("Pair", key=key, n=n) for key, n in keys] == [[], [], [], ["duplicate"], ["OfferEntered o"]]
    assert entity.says("U", key="a") == []


@pytest.mark.parametrize(
    ("seconds", "known"),
    [(0, True), (90 * 86400, True), (90 * 86400 + 1, False), (-90 * 86400, True), (-91 * 86400, False)],
)
def test_a_fact_is_the_same_for_90_days(seconds: int, known: bool) -> None:
    """Of event time, in either direction; after that the key names a new fact."""
    entity = Entity(offer("o", least(2, {"event": "U"})))
    entity.take("U", key="k", time=NOON)
    assert entity.says("U", key="k", time=NOON + seconds * 1000, exempt=True) == (
        ["duplicate"] if known else ["OfferEntered o"]
    )


def test_a_known_fact_does_not_stretch_its_own_time() -> None:
    """The 90 days count from the arrival that counted, and begin anew with the next that counts."""
    day = 24 * 3600 * 1000
    entity = Entity(offer("o", least(9, {"event": "U"})))
    found = [entity.says("U", key="k", time=NOON + days * day) for days in (0, 60, 100, 150, 191)]
    assert found == [[], ["duplicate"], [], ["duplicate"], []]


def test_1000_facts_are_remembered() -> None:
    """The 1,000th newest is still known, the 1,001st is not."""
    for others, expected in ((999, ["duplicate"]), (1000, ["OfferEntered o"])):
        entity = Entity(offer("o", least(2, {"event": "U", "where": "key == 'k'"})))
        entity.take("U", key="k")
        for n in range(others):
            entity.take("U", key=f"other {n}")
        assert entity.says("U", key="k") == expected


# -- rulesets over time -----------------------------------------------------------------------------------------------


def test_nothing_is_in_force_before_the_first_activation() -> None:
    """Without offers no event is read."""
    assert Entity().says("A") == ["unread"]


def test_new_leaves_count_from_activation() -> None:
    """Nothing is back-filled: events before are not counted, even of a type that other rules read."""
    entity = Entity(offer("o", A))
    entity.story("AAB")
    entity.activate(offer("o", A), offer("p", least(2)), offer("q", B))
    assert entity.story("AAB") == ["1 OfferEntered p", "2 OfferEntered q"]


def test_kept_leaves_keep_counting() -> None:
    """A leaf that every ruleset names keeps its hits, though the offer around it is new."""
    entity = Entity(offer("o", least(3)))
    entity.story("AA")
    entity.activate(offer("p", {"all": [least(3), {"none": [C]}]}))
    assert entity.story("A") == ["0 OfferEntered p"]


def test_a_leaf_that_was_gone_starts_anew() -> None:
    """Hits from before a ruleset without the leaf do not come back with it."""
    entity = Entity(offer("o", least(2)))
    entity.story("A")
    entity.activate(offer("p", B))
    entity.activate(offer("o", least(2)))
    assert entity.story("AA") == ["1 OfferEntered o"]


def test_a_leaf_that_was_gone_unseen_starts_anew() -> None:
    """Also if the entity had no event meanwhile, or others, and if the leaf was true already."""
    for meanwhile in ("", "B", "A"):
        entity = Entity(offer("o", A))
        entity.story("A")
        entity.activate(offer("p", B))
        entity.story(meanwhile)
        entity.activate(offer("q", A), offer("p", B))
        assert entity.story("A") == ["0 OfferEntered q"]


def test_an_entry_that_is_true_at_activation_does_not_fire() -> None:
    """Entry fires on a change by a record, so a new offer whose condition is true already waits for one."""
    entity = Entity(offer("o", A))
    entity.story("A")
    entity.activate(offer("o", A), offer("p", {"any": [A, B]}))
    assert entity.story("AB") == []


def test_an_instance_ends_under_its_own_definition() -> None:
    """Completion, variant and reward are those that were in force at entry; the ruleset is the one that decided."""
    old = offer("o", A, least(2, B), reward={"id": "old", "value": "1 EUR"})
    entity = Entity(old)
    entity.story("AB")
    entity.activate(offer("o", A, C, reward={"id": "new", "value": "2 EUR"}))
    assert entity.story("C") == []
    reward, left = entity.outputs("B")
    assert isinstance(reward, RewardSatisfied)
    assert isinstance(left, OfferExited)
    assert (reward.reward, reward.ruleset, left.variant) == ("old", "r2", "default")


def test_an_instance_ends_though_its_offer_is_gone() -> None:
    """Even with no offer in force at all, and its events are still told from repeats."""
    entity = Entity(offer("o", A, B, reward=REWARD))
    entity.story("A")
    entity.activate()
    assert entity.says("A") == ["unread"]
    assert entity.says("B") == ["RewardSatisfied o", "OfferExited o"]
    assert entity.says("B", event_id="e2") == ["duplicate"]


def test_an_offer_changed_while_in_it() -> None:
    """Who is in the old version does not enter the new one; others enter under the new one."""
    entity = Entity(offer("o", A, D))
    entity.story("A")
    entity.activate(offer("o", B, C))
    assert entity.says("B") == ["already_in o"]
    other = Entity(offer("o", A, D))
    other.activate(offer("o", B, C))
    assert other.story("BC") == ["0 OfferEntered o", "1 OfferExited o"]


def test_back_to_an_older_ruleset() -> None:
    """Rolling back puts the old offers in force again; leaves without a break keep counting."""
    first = [offer("o", least(3)), offer("p", least(2, B))]
    entity = Entity(*first)
    entity.story("ABA")
    entity.activate(first[0])
    entity.activate(*first)
    assert entity.story("AB") == ["0 OfferEntered o"]
    assert entity.story("B") == ["0 OfferEntered p"]


def test_weights_may_change_and_users_keep_theirs() -> None:
    """The variant of an instance is the one it was entered with."""
    two = [{"id": "v", "weight": 1, "reward": REWARD}, {"id": "w", "weight": 1, "reward": {"id": "s"}}]
    entity = Entity(offer("o", A, B, variants=two))
    variant = entered(entity.outputs("A")).variant
    entity.activate(offer("o", A, B, variants=[{**one, "weight": 1 if one["id"] == variant else 999} for one in two]))
    left = entity.outputs("B")
    assert {one.variant for one in left if isinstance(one, RewardSatisfied | OfferExited)} == {variant}
