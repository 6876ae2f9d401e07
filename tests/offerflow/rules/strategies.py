"""Random rulesets over the events of ``samples``, and random events that meet them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.offerflow.rules.samples import NOON, Definition, condition, offer

NAMES = ("A", "B", "U")
EXPRESSIONS = (
    "x > 1", "n == 1", 's == "a"', 's != "a" || x <= 2', "b", "!(n == 2)", "is_set(s)", "n in [1, 2]", "x >= n",
    'meta.source == "shop"', "!is_set(x) && n > 0",
)  # fmt: skip
CONDITIONS = ("c0", "c1")
"""``c0`` may ask ``c1``; ``c1`` asks nobody."""


@st.composite
def leaves(draw: st.DrawFn) -> Definition:
    leaf: Definition = {"event": draw(st.sampled_from((*NAMES, "A again")))}
    if draw(st.integers(0, 2)) == 2:
        leaf["where"] = draw(st.sampled_from(EXPRESSIONS))
    if draw(st.integers(0, 2)) == 2:
        leaf["count"] = {"at_least": draw(st.integers(1, 3))}
    return leaf


def nodes(references: tuple[str, ...] = ()) -> st.SearchStrategy[Definition]:
    """Leaves, references and groups of them, two or three levels deep."""
    ends = (
        leaves() | st.builds(lambda name: {"condition": name}, st.sampled_from(references)) if references else leaves()
    )
    return st.recursive(
        ends,
        lambda inner: st.builds(
            lambda group, members: {group: members}, st.sampled_from(["all", "any", "none"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=4,
    )  # fmt: skip


def idle(node: Definition, conditions: dict[str, Definition]) -> bool:
    """Whether the condition holds of who never did anything, which no entry and no completion may."""
    if "condition" in node:
        return idle(conditions[node["condition"]], conditions)
    for group, combine in (("all", all), ("any", any), ("none", lambda found: not any(found))):
        if group in node:
            return bool(combine([idle(one, conditions) for one in node[group]]))
    return False


@st.composite
def rulesets(draw: st.DrawFn) -> list[Definition]:
    """Conditions and one to four offers, whose ids recur from ruleset to ruleset."""
    conditions = {"c1": condition("c1", **draw(nodes()))}
    conditions["c0"] = condition("c0", **draw(nodes(("c1",))))

    def active() -> Definition:
        node = draw(nodes(CONDITIONS))
        return {"all": [draw(leaves()), node]} if idle(node, conditions) else node

    offers = []
    for name in draw(st.lists(st.sampled_from("opqr"), min_size=1, max_size=4, unique=True)):
        made: dict[str, Any] = offer(name, active())
        if draw(st.integers(0, 2)) == 2:
            made["audience"] = draw(nodes(CONDITIONS))
        if draw(st.integers(0, 3)):
            made["completion"] = active()
            made |= draw(st.sampled_from([{}, {"reward": {"id": "r", "value": "10 EUR"}}, {"variants": VARIANTS}]))
        offers.append(made)
    return [*conditions.values(), *offers]


VARIANTS = [
    {"id": "v", "weight": 2, "attributes": {"headline": "x"}, "reward": {"id": "s"}},
    {"id": "w", "reward": {"id": "r", "value": "7.50 USD"}},
    {"id": "x", "weight": 3},
]

properties = st.fixed_dictionaries(
    {"key": st.sampled_from(["k1", "k2", "k3", "k4", "k5"])},
    optional={
        "x": st.sampled_from([0.0, 1.0, 2.0, 3.0]), "n": st.integers(0, 3), "s": st.sampled_from(["a", "b"]),
        "b": st.booleans(),
    },
)  # fmt: skip
arrivals = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "properties": properties,
        "event_id": st.sampled_from([None, None, None, "e-1", "e-2"]),
        "time": st.sampled_from([NOON, NOON + 1000, NOON + 100 * 86_400_000]),
        "source": st.sampled_from(["shop", "app"]),
    }
)
"""An event to come; without an id it gets one of its own."""
