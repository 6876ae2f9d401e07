"""Made-up conditions."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.oracle.expression import holds
from tests.oracle.pairs.plan import NUMBERS
from tests.oracle.rules.ask import compares
from tests.oracle.rules.tree import COMPARISONS
from tests.oracle.rules.written import number

Definition = dict[str, Any]
EVENTS = (
    "Bought",
    "Bought",
    "Ordered",
    "Opened",
    "Opened",
    "Closed",
    "Closed",
    "Paid",
    "Refunded",
    "Seen",
    "*",
    "Identified",
)
WINDOWS = ("1h", "3h", "6h", "1d", "2d", "3d")
LOOSE = (
    "x > 1", "n == 1", 's == "a"', 's != "a" || x <= 2.0', "b", "!(n == 2)", "is_set(s)", "n in [1, 2]", "x >= n",
    'meta.source == "shop"', "!is_set(x) && n > 0", "n + 1 > x", "n / 2 == 1", "-n % 2 == -1", "x * 2.0 != 4.0",
    "10 / n > 4", "size(s) == 1", 's.startsWith("a")', 's.lowerAscii() == "b"', 's.contains("b") || b', 'n - 3 < 0',
    's.matches("^[aA]$")', 's.endsWith("B")', "!b && !is_set(at)", 'at > timestamp("2026-09-20T00:00:00Z")',
    'at + duration("24h") <= timestamp("2026-09-23T00:00:00Z")', "9223372036854775807 + n > 0",
)  # fmt: skip
WHERES = {
    "Bought": ("amount >= 10", 'order != "o1"', "amount > 5 && n > 0", "no < 3"), "Paid": ("amount >= 10",),
    "Opened": ('cart == "c1"', "is_set(cart)"), "Closed": ("is_set(cart)",), "Refunded": ('order == "o1"',),
}  # fmt: skip
PROFILES = (
    'plan == "pro"', "score > 1", "vip", 'plan in ["pro", "plus"] && score < 3', '!(plan == "pro")', "is_set(plan)",
    "!vip", "score * 2 >= 4", 'joined < timestamp("2026-09-21T00:00:00Z")',
)  # fmt: skip


def one_in(random: Random, n: int) -> bool:
    return random.randrange(n) == 0


def where(random: Random, event: str) -> str:
    """An expression over the event's properties."""
    own = WHERES.get("Bought" if event == "Ordered" else event, ())
    if event == "Identified":
        return random.choice(("score > 1", "is_set(plan)"))
    if event == "*":
        return random.choice(('meta.source == "shop"', "!is_set(meta.anonymous_id)"))
    return random.choice(own) if own and one_in(random, 2) else random.choice(LOOSE)


def step(random: Random, events: tuple[str, ...] = EVENTS) -> Definition:
    event = random.choice(events)
    return {"event": event, "where": where(random, event)} if one_in(random, 4) else {"event": event}


def leaf(random: Random) -> Definition:
    made = step(random)
    event = "Bought" if made["event"] == "Ordered" else made["event"]
    if one_in(random, 2):
        made |= _measure(random, event)
    if one_in(random, 3):
        made["within"] = random.choice(WINDOWS)
    elif one_in(random, 8):
        made["from"] = f"2026-09-{random.randrange(20, 24)}"
    elif one_in(random, 8):
        made["to"] = random.choice(("2026-09-22", "2026-09-23", "2026-09-22T06:00:00+02:00", "2026-09-24"))
    if "days" in made or "streak" in made:
        made.pop("within", None)
    if "count" in made and "at_least" in made["count"] and one_in(random, 6):
        made["max_hits"] = made["count"]["at_least"] + random.randrange(2)
    return made


def _measure(random: Random, event: str) -> Definition:
    kind = random.choice(
        ("count", "count", "count", "sum", "min", "max", "average", "distinct", "days", "streak", "gap")
    )
    if kind == "gap":
        return {kind: random.choice(({"at_least": "1d"}, {"more_than": "6h"}, {"at_least": "3h", "at_most": "1d"}))}
    if kind in ("sum", "min", "max", "average"):
        if event == "*":
            return {}
        of = random.choice(NUMBERS.get(event, ("x", "n")))
        return {kind: {"of": of, **_bounds(random, (1, 2, 5, 10, 12.5, 20, 30))}}
    if kind == "distinct":
        of = {"Opened": "cart", "Bought": "order", "Paid": "key", "Identified": "plan"}.get(event, "s")
        return {} if event == "*" else {kind: {"of": of, **_bounds(random, (1, 2, 3))}}
    return {kind: _bounds(random, (1, 2, 3))}


def _bounds(random: Random, values: tuple[Any, ...]) -> Definition:
    word = random.choice(("at_least",) * 6 + COMPARISONS)
    made = {word: random.choice(values)}
    if word == "at_least" and one_in(random, 6):
        made["at_most"] = made[word] + random.choice((0, 1, 3))
    return made


def sequence(random: Random) -> Definition:
    carts = one_in(random, 2)
    events = ("Opened", "Closed") if carts else ("Bought", "Opened", "Closed", "Paid", "Seen")
    steps = [step(random, events) for _ in range(random.choice((2, 2, 3)))]
    made: Definition = {"sequence": [one["event"] if len(one) == 1 and one_in(random, 2) else one for one in steps]}
    if one_in(random, 2):
        made["within"] = random.choice(WINDOWS)
    if carts and one_in(random, 2):
        made["same"] = "cart"
    return made


def absent(random: Random) -> Definition:
    carts = one_in(random, 2)
    events = ("Opened", "Closed") if carts else EVENTS[:-2]
    made = {"absent": step(random, events), "after": step(random, events), "within": random.choice(WINDOWS)}
    if carts and one_in(random, 2):
        made["same"] = "cart"
    return made


def end(random: Random, offers: tuple[str, ...], conditions: tuple[str, ...]) -> Definition:
    """Any condition but a group."""
    kind = random.randrange(24)
    if kind < 3:
        return sequence(random)
    if kind < 6:
        return absent(random)
    if kind < 8:
        return {"profile": random.choice(PROFILES)}
    if kind < 10 and offers:
        return {random.choice(("in_offer", "completed_offer")): random.choice(offers)}
    if kind < 12 and conditions:
        return {"condition": random.choice(conditions)}
    return leaf(random)


def node(random: Random, offers: tuple[str, ...] = (), conditions: tuple[str, ...] = (), depth: int = 2) -> Definition:
    if depth == 0 or not one_in(random, 3):
        return end(random, offers, conditions)
    group = random.choice(("all", "all", "any", "any", "none"))
    return {group: [node(random, offers, conditions, depth - 1) for _ in range(random.choice((1, 2, 2, 3)))]}


def idle(made: Definition, conditions: dict[str, Definition]) -> bool:
    """Whether a condition holds of who never did anything."""
    if "condition" in made:
        return idle(conditions[made["condition"]], conditions)
    for group, combine in (("all", all), ("any", any), ("none", lambda found: not any(found))):
        if group in made:
            return bool(combine([idle(one, conditions) for one in made[group]]))
    if "profile" in made:
        return holds(made["profile"], {})
    for measure in ("count", "sum", "distinct", "days", "streak"):
        if measure in made:
            said = made[measure]
            return all(compares(word, 0, number(said[word])) for word in COMPARISONS if word in said)
    return False


def active(random: Random, offers: tuple[str, ...], conditions: dict[str, Definition]) -> Definition:
    """A condition that may stand as entry or completion."""
    made = node(random, offers, tuple(conditions))
    if not idle(made, conditions):
        return made
    plain = {"event": random.choice(("Bought", "Opened", "Closed", "Paid"))}
    return {"all": [plain, made]}


def lasting(made: Any, random: Random) -> Any:
    """The same with some leaves that count since ever, as completions and exits may."""
    if isinstance(made, dict) and "event" in made and one_in(random, 8):
        return {**made, "since": "ever"}
    if isinstance(made, dict):
        return {key: [lasting(one, random) for one in value] if key in ("all", "any", "none") else value
                for key, value in made.items()}  # fmt: skip
    return made
