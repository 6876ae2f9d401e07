"""Definitions made into a ruleset: what is refused, what names a version, how a variant is chosen."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest

from offerflow.rules.ruleset import Problem, RulesetProblems, content_hash
from tests.offerflow.rules.samples import TYPES, Definition, condition, event_type, offer, ruleset

A, B = {"event": "A"}, {"event": "B"}


def refused(*definitions: Definition) -> list[Problem]:
    with pytest.raises(RulesetProblems) as raised:
        ruleset(*definitions)
    assert all(problem.message in str(raised.value) for problem in raised.value.problems)
    return raised.value.problems


@pytest.mark.parametrize(
    ("definitions", "where", "path", "words"),
    [
        ([offer("o", {"event": "Q"})], "offer/o", ("entry", "event"), "no event 'Q'"),
        ([offer("o", {"event": "A agian"})], "offer/o", ("entry", "event"), "did you mean 'A again'"),
        ([offer("o", {"event": "a"})], "offer/o", ("entry", "event"), "did you mean 'A'"),
        ([offer("o", A, {"all": [B, {"any": [{"event": "Q"}]}]})], "offer/o", ("completion", "all", 1, "any", 0,
         "event"),
         "no event 'Q'"),
        ([offer("o", A, audience={"none": [{"event": "A", "where": "x >"}]})], "offer/o",
         ("audience", "none", 0, "where"), "column 4 of the expression: expected"),
        ([offer("o", {**A, "where": "xx > 1"})], "offer/o", ("entry", "where"), "A has no property 'xx'"),
        ([offer("o", {"condition": "d"}), condition("dd", **A)], "offer/o", ("entry", "condition"),
         "no condition 'd'; did you mean 'dd'"),
        ([condition("c", **{**A, "where": "y"}), offer("o", {"condition": "c"})], "condition/c", ("where",),
         "no property 'y'"),
        ([condition("c", **{**A, "where": "y"})], "condition/c", ("where",), "no property 'y'"),
        ([offer("o", {"none": [A]})], "offer/o", ("entry",), "never did anything"),
        ([offer("o", {"any": [A, {"none": [B]}]})], "offer/o", ("entry",), "add a leaf that counts an event"),
        ([offer("o", {"all": [{"none": [A]}, {"none": [B]}]})], "offer/o", ("entry",), "trigger the entry"),
        ([condition("c", none=[A]), offer("o", {"condition": "c"})], "offer/o", ("entry",), "trigger the entry"),
        ([offer("o", A, {"none": [B]})], "offer/o", ("completion",), "trigger the completion"),
    ],
)  # fmt: skip
def test_one_mistake_is_told_once(definitions: list[Definition], where: str, path: Any, words: str) -> None:
    """Each is told where it stands: a mistake inside a condition at the condition, not at every offer that asks it."""
    (problem,) = refused(*definitions)
    assert (problem.definition, problem.path) == (where, path)
    assert words in problem.message


def test_everything_wrong_is_told() -> None:
    """Three mistakes in three places are three problems."""
    found = refused(offer("o", {"event": "Q"}, {"event": "R"}), offer("p", {"condition": "nope"}))
    assert [(one.definition, one.path[0]) for one in found] == [
        ("offer/o", "entry"), ("offer/o", "completion"), ("offer/p", "entry"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "conditions",
    [
        [condition("a", condition="a")],
        [condition("a", condition="b"), condition("b", all=[A, {"condition": "a"}])],
        [condition("a", any=[A, {"condition": "b"}]), condition("b", condition="c"), condition("c",
         none=[{"condition": "a"}])],
    ],
)  # fmt: skip
def test_conditions_in_a_circle(conditions: list[Definition]) -> None:
    """A circle of any length is refused at each of its conditions, which it names, whether or not an offer asks."""
    for definitions in (conditions, [*conditions, offer("o", {"condition": "a"})]):
        found = refused(*definitions)
        assert {one.definition for one in found} >= {f"condition/{one['id']}" for one in conditions}
        assert all("refers to itself" in one.message for one in found)


def test_two_references_are_no_circle() -> None:
    """The same condition may be asked many times over."""
    made = ruleset(condition("a", **A), condition("b", any=[{"condition": "a"}, {"condition": "a"}]),
                   offer("o", {"all": [{"condition": "a"}, {"condition": "b"}]}))  # fmt: skip
    assert [leaf.event_type for leaf in made.offers["o"].entry.leaves()] == ["A"] * 3


def nested(levels: int) -> Definition:
    node: Definition = A
    for _ in range(levels):
        node = {"any": [node]}
    return node


def chain(length: int, width: int = 1) -> list[Definition]:
    """Conditions each of which asks the next ``width`` times."""
    links = [condition(f"c{n}", any=[{"condition": f"c{n + 1}"}] * width) for n in range(length)]
    return [*links, condition(f"c{length}", **A)]


def test_nesting_has_a_bound() -> None:
    """Groups nest 32 levels deep and no deeper."""
    assert ruleset(offer("o", nested(32))).offers
    (problem,) = refused(offer("o", nested(34)))
    assert "deeper than 32" in problem.message


@pytest.mark.parametrize("definitions", [chain(400), chain(10, 3)], ids=["long", "wide"])
def test_references_have_a_bound(definitions: list[Definition]) -> None:
    """Conditions that ask conditions without end, or unfold to billions of leaves, are refused and not followed."""
    found = refused(*definitions, offer("o", {"condition": "c0"}))
    assert all("deeper than 32" in one.message or "more than" in one.message for one in found)


def test_long_chains_of_references_are_fine() -> None:
    """A chain within the bound resolves to its one leaf."""
    made = ruleset(*chain(12), offer("o", {"condition": "c0"}))
    assert [leaf.event_type for leaf in made.offers["o"].entry.leaves()] == ["A"]


BASE = [condition("c", any=[{"condition": "d"}, B]), condition("d", event="A", where="x > 1"), condition("unused", **B)]
OFFER = offer("o", {"condition": "c"}, B, audience={"none": [B]}, reward={"id": "r", "value": "10 EUR"})


def version(*definitions: Definition) -> str:
    return ruleset(*definitions).offers["o"].version


@pytest.mark.parametrize(
    ("definitions", "same"),
    [
        ([*BASE, OFFER], True),
        ([OFFER, *reversed(BASE)], True),
        ([*BASE[:2], condition("unused", **A), OFFER], True),
        ([*BASE, condition("new", **A), OFFER, offer("p", A)], True),
        ([BASE[0], condition("d", event="A", where="x > 2"), OFFER], False),
        ([condition("c", any=[{"condition": "d"}, A]), BASE[1], OFFER], False),
        ([*BASE, {**OFFER, "completion": A}], False),
        ([*BASE, {**OFFER, "audience": {"none": [A]}}], False),
        ([*BASE, {**OFFER, "reward": {"id": "r", "value": "11 EUR"}}], False),
        ([*BASE, {**OFFER, "reward": {"id": "s", "value": "10 EUR"}}], False),
        ([*BASE, {**OFFER, "name": "for people"}], False),
    ],
)  # fmt: skip
def test_a_version_names_what_an_offer_says(definitions: list[Definition], same: bool) -> None:
    """It changes with the offer and with any condition it asks, directly or not, and with nothing else."""
    assert (version(*definitions) == version(*BASE, OFFER)) is same


def test_content_hash_is_stable() -> None:
    """The hash is written into catalogs and outputs, so its recipe is fixed: canonical JSON, SHA-256, 16 digits."""
    text = '{"a":[1,2.5,true,null],"ä":"x"}'.encode()
    expected = hashlib.sha256(len(text).to_bytes(4, "big") + text).hexdigest()[:16]
    assert content_hash({"ä": "x", "a": [1, 2.5, True, None]}) == expected == "8af6aae029ec681a"


def test_a_version_is_stable() -> None:
    """Instances remember the version they began with, so a release must not rename the versions of old offers."""
    assert version(*BASE, OFFER) == "56b48962cc0bc4d9"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"event": "A"}, {"event": "A again"}, True),
        ({"event": "A"}, {"event": "A", "count": {"at_least": 1}}, True),
        ({"event": "A", "where": "x>1"}, {"event": "A", "where": " (x > 1) "}, True),
        ({"event": "A"}, {"event": "B"}, False),
        ({"event": "A"}, {"event": "A", "count": {"at_least": 2}}, False),
        ({"event": "A", "where": "x > 1"}, {"event": "A", "where": "x >= 1"}, False),
        ({"event": "A", "where": "any == 1"}, {"event": "A", "where": 'any == "1"'}, False),
    ],
)
def test_leaves_that_count_the_same_are_one(one: Definition, other: Definition, same: bool) -> None:
    """The key of a leaf is made of what it counts, however it is spelt and wherever it stands."""
    found = ruleset(offer("o", one, {"any": [other]}))
    completion = found.offers["o"].completion
    assert completion is not None
    (left,), (right,) = found.offers["o"].entry.leaves(), completion.leaves()
    assert (left.key == right.key) is same


def test_indexes() -> None:
    """An event touches the leaves that name it: entry and audience for all, completion within its offer."""
    made = ruleset(offer("o", A, B, audience={"event": "C"}), offer("p", {"all": [A, {"event": "D"}]}))
    assert {name: len(found) for name, found in made.leaves.items()} == {"A": 1, "C": 1, "D": 1}
    (leaf,) = made.leaves["A"]
    assert [one.id for one in made.entries[leaf.key]] == ["o", "p"]
    assert set(made.offers["o"].completion_leaves) == {"B"}
    assert made.names["A"] == "A"


def test_offers_stand_in_the_order_of_their_ids() -> None:
    """Whatever the order of the files."""
    assert list(ruleset(offer("b", A), offer("c", A), offer("a", A)).offers) == ["a", "b", "c"]


def chosen(weights: list[int], entity: str, name: str = "o") -> str:
    variants = [{"id": f"v{n}", "weight": weight} for n, weight in enumerate(weights)]
    return ruleset(offer(name, A, variants=variants)).offers[name].variant_of(entity).id


def recomputed(weights: list[int], entity: str, name: str = "o") -> str:
    """The published recipe, by hand."""
    fields = [field.encode() for field in ("variant", name, entity)]
    digest = hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()
    point = int.from_bytes(digest[:8], "big") * sum(weights) >> 64
    return next(f"v{n}" for n in range(len(weights)) if sum(weights[: n + 1]) > point)


@pytest.mark.parametrize("weights", [[1], [1, 1], [1, 2, 3], [1_000_000, 1], [1, 1_000_000, 1]])
def test_a_variant_is_chosen_by_the_published_recipe(weights: list[int]) -> None:
    """Any number of users get the variant that an outsider computes for them."""
    variants = [{"id": f"v{n}", "weight": weight} for n, weight in enumerate(weights)]
    made = ruleset(offer("o", A, variants=variants)).offers["o"]
    entities = [f"{kind}:{n}ä" for kind in "ua" for n in range(100)]
    assert [made.variant_of(one).id for one in entities] == [recomputed(weights, one) for one in entities]


def test_weights_are_shares() -> None:
    """Of 4,000 users, a quarter get the variant that has a quarter of the weight."""
    made = ruleset(offer("o", A, variants=[{"id": "few"}, {"id": "many", "weight": 3}])).offers["o"]
    counted = Counter(made.variant_of(f"u:{n}").id for n in range(4000))
    assert 850 < counted["few"] < 1150


def test_offers_choose_apart() -> None:
    """A user's variant in one offer says nothing of the other."""
    pairs = {(chosen([1, 1], f"u:{n}", "o"), chosen([1, 1], f"u:{n}", "p")) for n in range(30)}
    assert len(pairs) == 4


def test_an_offer_without_variants_has_one() -> None:
    """It is called default and carries the offer's reward."""
    made = ruleset(OFFER, *BASE).offers["o"]
    (variant,) = made.variants
    assert (variant.id, variant.weight, variant.attributes, variant.reward and variant.reward.id) == (
        "default",
        1,
        {},
        "r",
    )


def test_an_event_name_of_nobody() -> None:
    """An empty plan says so instead of naming nothing."""
    with pytest.raises(RulesetProblems, match="it has no event at all"):
        ruleset(offer("o", A), types={})
    with pytest.raises(RulesetProblems, match="it has A"):
        ruleset(offer("o", {"event": "zzz"}), types={"A": event_type("A")})
    assert "A" in TYPES
