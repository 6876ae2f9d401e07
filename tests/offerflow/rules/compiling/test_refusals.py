"""What is refused: each with its exact message, at its path."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.compiling import RulesetProblems
from tests.offerflow.rules.compiling.samples import (
    BUYS,
    SIGNS_UP,
    TYPES,
    Definition,
    condition,
    offer,
    refused,
    ruleset,
)

OTHER = offer("p", BUYS)


def a_value(**more: Any) -> Definition:
    return {"id": "r", "value": {"expr": "amount * 0.05", "currency": "EUR", **more}}


_NEVER = (
    "is true of a user who never did anything, so nothing could ever trigger the {}; add a leaf that counts an event"
)
ENTRY, COMPLETION = _NEVER.format("entry"), _NEVER.format("completion")

TABLE: list[tuple[Definition, tuple[str | int, ...], str]] = [
    (offer("o", {"event": "Purchase Complete"}), ("entry", "event"),
     "the event plan has no event 'Purchase Complete'; did you mean 'Purchase Completed'?"),
    (offer("o", {"event": "zzz"}), ("entry", "event"),
     ("the event plan has no event 'zzz'; it has Account Created, Checkout Started, Identified,"
      " Order Completed, Purchase Completed")),
    (offer("o", {"event": "order completed"}), ("entry", "event"),
     "the event plan has no event 'order completed'; did you mean 'Order Completed'?"),
    (offer("o", {**BUYS, "where": "amout > 5"}), ("entry", "where"),
     "column 1 of the expression: Purchase Completed has no property 'amout'; did you mean 'amount'?"),
    (offer("o", {**BUYS, "where": "amount >"}), ("entry", "where"),
     "column 9 of the expression: expected a property, a literal or '(', got 'the end'"),
    (offer("o", {**BUYS, "where": 'amount == "5"'}), ("entry", "where"),
     "column 8 of the expression: compares a number with a string, which is never true"),
    (offer("o", {**BUYS, "where": "email == 'a'"}), ("entry", "where"),
     "column 1 of the expression: email is marked pii and never reaches the rules"),
    (offer("o", {**BUYS, "where": "amount < 0"}), ("entry", "where"),
     "column 8 of the expression: is never true: amount is at least 0 by the event plan"),
    (offer("o", {**BUYS, "where": "amount > 5 && amount < 3"}), ("entry", "where"),
     "column 22 of the expression: is never true together with what else is asked of amount"),
    (offer("o", {**BUYS, "where": 'currency == "EURO"'}), ("entry", "where"),
     "column 13 of the expression: 'EURO' is not a symbol of this enum; did you mean 'EUR'?"),
    (offer("o", {**BUYS, "where": 'currency == "EUR" && currency == "USD"'}), ("entry", "where"),
     "column 31 of the expression: is never true together with what else is asked of currency"),
    (offer("o", {"event": "*", "where": "color == 'red'"}), ("entry", "where"),
     ("column 1 of the expression: no event has a property 'color'; there is address, age,"
      " amount, cart_id, currency, discount, email, gift, items, note, order_id, plan, tags")),
    (offer("o", {"profile": 'plan == "plus"'}), ("entry", "profile"),
     "column 9 of the expression: 'plus' is not a symbol of this enum; expected one of free, pro"),
    (offer("o", {"profile": "plann == 'pro'"}), ("entry", "profile"),
     "column 1 of the expression: a user has no trait 'plann'; did you mean 'plan'?"),
    (offer("o", {"profile": "meta.source == 'x'"}), ("entry", "profile"),
     "column 1 of the expression: a user has no trait 'meta'; it has age, plan"),
    (offer("o", {"profile": "age < 0"}), ("entry", "profile"),
     "column 5 of the expression: is never true: age is at least 0 by the event plan"),
    (offer("o", {"condition": "c"}), ("entry", "condition"),
     "there is no condition 'c'"),
    (offer("o", {"all": [SIGNS_UP, {"completed_offer": "oo"}]}), ("entry", "all", 1, "completed_offer"),
     "there is no offer 'oo'; did you mean 'o'?"),
    (offer("o", {**BUYS, "count": {"at_least": 5, "at_most": 3}}), ("entry", "count"),
     "is never true: at_least 5 and at_most 3 exclude each other"),
    (offer("o", {**BUYS, "count": {"at_least": 1001}}), ("entry", "count", "at_least"),
     ("1001 is beyond the 1000 hits that the leaf keeps (max_hits); expected less, or a larger"
      " max_hits (at most 10000)")),
    (offer("o", {**BUYS, "count": {"at_least": 6}, "max_hits": 5}), ("entry", "count", "at_least"),
     "6 is beyond the 5 hits that the leaf keeps (max_hits); expected less, or a larger max_hits (at most 10000)"),
    (offer("o", {**BUYS, "days": {"at_least": 9}, "within": "7d"}), ("entry", "days"),
     "9 days do not fit into the window, which touches at most 8"),
    (offer("o", {**BUYS, "streak": {"more_than": 3}, "from": "2026-03-01", "to": "2026-03-03"}), ("entry", "streak"),
     "4 days do not fit into the window, which touches at most 3"),
    (offer("o", {**BUYS, "sum": {"of": "amount", "less_than": 0}}), ("entry", "sum", "less_than"),
     "is never true: the sum is at least 0 by the event plan"),
    (offer("o", {**BUYS, "sum": {"of": "discount", "at_least": 1}}), ("entry", "sum", "at_least"),
     "is never true: the sum is at most 0 by the event plan"),
    (offer("o", {**BUYS, "min": {"of": "amount", "at_most": -1}}), ("entry", "min", "at_most"),
     "is never true: the min is at least 0 by the event plan"),
    (offer("o", {**BUYS, "average": {"of": "discount", "more_than": 0}}), ("entry", "average", "more_than"),
     "is never true: the average is at most 0 by the event plan"),
    (offer("o", {**BUYS, "distinct": {"of": "currency", "at_least": 3}}), ("entry", "distinct", "at_least"),
     "is never true: the number of different values is at most 2 by the event plan"),
    (offer("o", {**BUYS, "distinct": {"of": "gift", "at_least": 3}}), ("entry", "distinct", "at_least"),
     "is never true: the number of different values is at most 2 by the event plan"),
    (offer("o", {**BUYS, "distinct": {"of": "tags", "at_least": 3}}), ("entry", "distinct"),
     "tags is a list; expected a property that can be compared"),
    (offer("o", {**BUYS, "sum": {"of": "currency", "at_least": 1}}), ("entry", "sum", "of"),
     "currency is an enum; expected a property that is a number"),
    (offer("o", {**BUYS, "max": {"of": "amout", "at_least": 1}}), ("entry", "max", "of"),
     "Purchase Completed has no property 'amout'; did you mean 'amount'?"),
    (offer("o", {**BUYS, "max": {"of": "email", "at_least": 1}}), ("entry", "max", "of"),
     "email is marked pii and never reaches the rules"),
    (offer("o", {**BUYS, "max": {"of": "amount + 1", "at_least": 1}}), ("entry", "max", "of"),
     "expected the name of a property"),
    (offer("o", {"event": "*", "sum": {"of": "amount", "at_least": 1}}), ("entry", "sum", "of"),
     "Purchase Refunded has no property 'amount'; it has order_id"),
    (offer("o", {**BUYS, "gap": {"less_than": "0s"}}), ("entry", "gap", "less_than"),
     "is never true: the gap is more than 0s whatever comes"),
    (offer("o", {**BUYS, "gap": {"at_least": "3d", "at_most": "2d"}}), ("entry", "gap"),
     "is never true: at_least 3d and at_most 2d exclude each other"),
    (offer("o", {**BUYS, "from": "2026-03-02", "to": "2026-03-01"}), ("entry", "from"),
     "from 2026-03-02 is after to 2026-03-01, so nothing is in the window"),
    (offer("o", {"none": [BUYS]}), ("entry",),
     ENTRY),
    (offer("o", {"any": [BUYS, {"none": [SIGNS_UP]}]}), ("entry",),
     ENTRY),
    (offer("o", {**BUYS, "count": {"at_most": 3}}), ("entry",),
     ENTRY),
    (offer(completion={**BUYS, "sum": {"of": "amount", "at_most": 3}}), ("completion",),
     COMPLETION),
    (offer("o", {"profile": "!(plan == 'pro')"}), ("entry",),
     ENTRY),
    (offer(variants=[{"id": "v", "completion": {"none": [BUYS]}}]), ("variants", 0, "completion"),
     COMPLETION),
    (offer("o", {**BUYS, "since": "entry"}), ("entry", "since"),
     "since: entry has no meaning here; only a completion and an exit count since the entry"),
    (offer(audience={"none": [{**BUYS, "since": "entry"}]}), ("audience", "none", 0, "since"),
     "since: entry has no meaning here; only a completion and an exit count since the entry"),
    (offer("o", {"sequence": ["Checkout Started", "Purchase Completed"], "same": "order_id"}), ("entry", "same"),
     "order_id is a number in Checkout Started and a string in Purchase Completed, which are never the same"),
    (offer("o", {"sequence": ["Checkout Started", "Account Created"], "same": "cart_id"}), ("entry", "same"),
     "Account Created has no property 'cart_id'; it has email"),
    (offer("o", {"sequence": ["Checkout Started", {"event": "Purchase", "where": "x"}]}), ("entry", "sequence", 1,
     "event"),
     "the event plan has no event 'Purchase'; did you mean 'Purchase Refunded'?"),
    (offer("o", {"sequence": ["Purchase Completed", {"event": "Purchase Completed", "where": "amout > 1"}]}),
     ("entry", "sequence", 1, "where"),
     "column 1 of the expression: Purchase Completed has no property 'amout'; did you mean 'amount'?"),
    (offer("o", {"sequence": ["Purchase Completed", "Purchase Completed"], "same": "tags"}), ("entry", "same"),
     "tags is a list; expected a property that can be compared"),
    (offer("o", {"absent": {"event": "Purchase Completed"}, "after": {"event": "Account Created"}, "within": "7d",
     "same": "cart_id"}), ("entry", "same"),
     "Account Created has no property 'cart_id'; it has email"),
    (offer("o", {"absent": {"event": "B"}, "after": {"event": "Account Created"}, "within": "7d"}), ("entry",
     "absent", "event"),
     ("the event plan has no event 'B'; it has Account Created, Checkout Started, Identified,"
      " Order Completed, Purchase Completed")),
    (offer("o", {"in_offer": "o"}), ("entry",),
     "in_offer and completed_offer make a circle, in which nobody could be first: o -> o"),
    (offer(reentry={"per_key": "order_id"}), ("reentry", "per_key"),
     "Account Created has no property 'order_id'; it has email"),
    (offer("o", BUYS, reentry={"per_key": "tags"}), ("reentry", "per_key"),
     "tags of Purchase Completed is a list; expected a string or a number"),
    (offer("o", {"any": [BUYS, SIGNS_UP]}, reentry={"per_key": "order_id"}), ("reentry", "per_key"),
     "Account Created has no property 'order_id'; it has email"),
    (offer("o", {"in_offer": "p"}, reentry={"per_key": "order_id"}), ("reentry", "per_key"),
     "no event of the entry could have it; expected an entry that counts events"),
    (offer("o", BUYS, reentry={"per_key": "address.city"}), ("reentry", "per_key"),
     "address.city is inside another property; expected one of the event itself"),
    (offer("o", BUYS, reentry={"per_key": "oder_id"}), ("reentry", "per_key"),
     "Purchase Completed has no property 'oder_id'; did you mean 'order_id'?"),
    (offer("o", {"absent": {"event": "Purchase Completed"}, "after": {"event": "Account Created"}, "within": "7d"},
     reentry={"per_key": "order_id"}), ("reentry", "per_key"),
     "Account Created has no property 'order_id'; it has email"),
    (offer(completion=BUYS, reward=a_value(expr="items * 2")), ("reward", "value", "expr"),
     "items of Purchase Completed may be missing; expected one that is required"),
    (offer(completion=BUYS, reward=a_value(expr="amount > 5")), ("reward", "value", "expr"),
     "expected a number such as amount * 0.05"),
    (offer(completion=BUYS, reward=a_value(expr="currency")), ("reward", "value", "expr"),
     "column 1 of the expression: expected a number such as amount * 0.05, got an enum"),
    (offer(completion=BUYS, reward=a_value(expr="amout * 2")), ("reward", "value", "expr"),
     "column 1 of the expression: Purchase Completed has no property 'amout'; did you mean 'amount'?"),
    (offer(completion=BUYS, reward=a_value(expr="amount *")), ("reward", "value", "expr"),
     "column 9 of the expression: expected a property, a literal or '(', got 'the end'"),
    (offer(completion=BUYS, reward=a_value(expr="note * 2")), ("reward", "value", "expr"),
     ("column 6 of the expression: expected a number such as amount * 0.05, got a value whose"
      " type is not planned; plan its type")),
    (offer(completion=BUYS, reward=a_value(max=20.005)), ("reward", "value", "max"),
     "EUR has 2 digits after the point, got 20.005"),
    (offer(completion=BUYS, reward=a_value(currency="JPY", max=20.5)), ("reward", "value", "max"),
     "JPY has 0 digits after the point, got 20.5"),
    (offer(completion=BUYS, reward=a_value(currency="XAU")), ("reward", "value", "currency"),
     "XAU has no minor unit to round to"),
    (offer(completion={"any": [BUYS, SIGNS_UP]}, reward=a_value()), ("reward", "value", "expr"),
     "column 1 of the expression: Account Created has no property 'amount'; it has email"),
    (offer(completion={"absent": {"event": "Account Created"}, "after": BUYS, "within": "7d"}, reward=a_value()),
     ("reward", "value", "expr"),
     ("a timer may earn it (no Account Created within 7d after Purchase Completed since the"
      " entry), which brings no event to compute the value from")),
    (offer(completion={"any": [BUYS, {"profile": "plan == 'pro'"}]}, reward=a_value()), ("reward", "value", "expr"),
     'profile plan == "pro" alone may earn it, which brings no event to compute the value from'),
    (offer(completion={"any": [BUYS, {"in_offer": "o"}]}, reward=a_value()), ("reward", "value", "expr"),
     "in offer o alone may earn it, which brings no event to compute the value from"),
    (offer("o", {**BUYS, "code": "X"}, completion="immediate", reward=a_value()), ("reward", "value", "expr"),
     "a code or the API may earn it, which brings no event to compute the value from"),
    (offer("o", {**BUYS, "api": True}, completion="immediate", reward=a_value()), ("reward", "value", "expr"),
     "a code or the API may earn it, which brings no event to compute the value from"),
    (offer(completion="immediate", reward=a_value()), ("reward", "value", "expr"),
     "column 1 of the expression: Account Created has no property 'amount'; it has email"),
    (offer(starts="2026-03-02", ends="2026-03-01"), ("ends",),
     "ends 2026-03-01 is before starts 2026-03-02"),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "path", "message"), TABLE)
def test_one_mistake(definition: Definition, path: tuple[str | int, ...], message: str) -> None:
    """A definition with one mistake is refused with these words at this place, and nothing else is told."""
    found = refused(definition, OTHER)
    assert [(one.definition, one.path, one.message) for one in found] == [("offer/o", path, message)]


@pytest.mark.parametrize(
    ("definitions", "where", "path", "words"),
    [
        ([condition("c", **BUYS, where="y"), offer("o", {"condition": "c"})], "condition/c", ("where",),
         "property 'y'"),
        ([condition("c", **BUYS, where="y")], "condition/c", ("where",), "no property 'y'"),
        ([condition("cc", **BUYS), offer("o", {"condition": "c"})], "offer/o", ("entry", "condition"),
         "no condition 'c'; did you mean 'cc'"),
        ([condition("c", none=[BUYS]), offer("o", {"condition": "c"})], "offer/o", ("entry",), "trigger the entry"),
        ([condition("c", **BUYS, since="entry"), offer("o", {"condition": "c"})], "offer/o", ("entry", "condition"),
         "condition 'c': since: entry has no meaning here"),
        ([condition("c", **BUYS, since="entry"), condition("d", any=[BUYS, {"condition": "c"}]),
          offer("o", {"all": [{"condition": "d"}]})], "offer/o", ("entry", "all", 0, "condition"),
         "condition 'd': condition 'c': since: entry has no meaning here"),
        ([condition("c", in_offer="x")], "condition/c", ("in_offer",), "no offer 'x'"),
        ([offer("o", SIGNS_UP, status="draft", exit={"event": "Q"})], "offer/o", ("exit", "event"), "no event 'Q'"),
        ([offer("a", {"code": "Up26"}), offer("b", {"code": "uP26"})], "offer/b", ("entry", "code"),
         "offer 'a' has the code uP26 already, whatever the case of its letters"),
        ([offer("a", {"in_offer": "b"}), offer("b", SIGNS_UP, audience={"none": [{"completed_offer": "c"}]}),
          offer("c", {"any": [BUYS, {"completed_offer": "a"}]})], "offer/a", ("entry",),
          "nobody could be first: a -> b -> c -> a"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once(definitions: list[Definition], where: str, path: Any, words: str) -> None:
    """Each is told where it stands: a mistake inside a condition at the condition, not at every offer that asks it;
    what is wrong with it only where it is used, there."""
    (problem,) = refused(*definitions)
    assert (problem.definition, problem.path) == (where, path)
    assert words in problem.message


def test_everything_wrong_is_told() -> None:
    """Mistakes in several places are as many problems."""
    found = refused(offer("o", {"event": "Q"}, completion={"event": "R"}, starts="2027-01-01", ends="2026-01-01"),
                    offer("p", {"condition": "nope"}))  # fmt: skip
    assert [(one.definition, one.path[0]) for one in found] == [
        ("offer/o", "entry"), ("offer/o", "completion"), ("offer/o", "ends"), ("offer/p", "entry"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "definitions",
    [
        [condition("c", **BUYS, since="entry"), offer("o", completion={"condition": "c"}, exit={"condition": "c"})],
        [offer("a", {"code": "X"}, status="draft"), offer("b", {"code": "X"})],
        [offer("o", SIGNS_UP, audience={"none": [{"completed_offer": "o"}]})],
        [offer("a", SIGNS_UP, exit={"in_offer": "a"}), offer("b", {"in_offer": "a"})],
        [offer("o", {**BUYS, "count": {"at_least": 5000}, "max_hits": 5000})],
        [offer("o", {**BUYS, "days": {"at_least": 8}, "within": "7d"})],
        [offer("o", {**BUYS, "days": {"at_least": 9}, "within": "7d"}, timezone="Europe/Berlin")],
        [offer("o", {**BUYS, "where": "amount >= 0 || amount < 5"})],
        [offer("o", BUYS, completion="immediate", reward=a_value(max=20, min=1.5))],
        [offer("o", completion={"all": [BUYS, {"profile": "plan == 'pro'"}, {"in_offer": "p"}]}, reward=a_value()),
         offer("p", BUYS)],
        [offer("o", {"code": "X", **BUYS}, completion="immediate", reward=a_value(expr="5 / 3"))],
        [offer("o", {"event": "*", "distinct": {"of": "meta.source", "at_least": 2}})],
    ],
)  # fmt: skip
def test_what_looks_like_a_mistake_and_is_none(definitions: list[Definition]) -> None:
    """Each of these is near to one of the above."""
    assert ruleset(*definitions).offers


@pytest.mark.parametrize(
    "conditions",
    [
        [condition("a", condition="a")],
        [condition("a", condition="b"), condition("b", all=[BUYS, {"condition": "a"}])],
        [condition("a", any=[BUYS, {"condition": "b"}]), condition("b", condition="c"),
         condition("c", none=[{"condition": "a"}])],
    ],
)  # fmt: skip
def test_conditions_in_a_circle(conditions: list[Definition]) -> None:
    """A circle of any length is refused at each of its conditions, which it names, whether or not an offer asks."""
    for definitions in (conditions, [*conditions, offer("o", {"condition": "a"})]):
        found = refused(*definitions)
        assert {one.definition for one in found} == {f"condition/{one['id']}" for one in conditions}
        assert all("refers to itself" in one.message for one in found)


def nested(levels: int) -> Definition:
    node: Definition = BUYS
    for _ in range(levels):
        node = {"any": [node]}
    return node


def chain(length: int, width: int = 1) -> list[Definition]:
    """Conditions each of which asks the next ``width`` times."""
    links = [condition(f"c{n}", any=[{"condition": f"c{n + 1}"}] * width) for n in range(length)]
    return [*links, condition(f"c{length}", **BUYS)]


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


def test_chains_of_references_are_fine() -> None:
    """A chain within the bound resolves to its one leaf, and the same condition may be asked many times over."""
    asked = {"all": [{"condition": "c0"}, {"condition": "c0"}, {"condition": "c5"}]}
    assert ruleset(*chain(12), offer("o", asked)).offers


def test_an_event_name_of_nobody() -> None:
    """An empty plan says so instead of naming nothing."""
    with pytest.raises(RulesetProblems, match="it has no event at all"):
        ruleset(offer(), types=[])
    with pytest.raises(RulesetProblems, match="no event that sets traits"):
        ruleset(offer("o", {"profile": "plan == 'pro'"}), types=TYPES[:1])
