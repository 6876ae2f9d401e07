"""Made-up rulesets: a first one, and what becomes of it at later activations."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

from tests.oracle.pairs.conditions import active, lasting, node, one_in
from tests.oracle.pairs.focus import Focus
from tests.oracle.pairs.plan import KEYS

Definition = dict[str, Any]
Ruleset = list[Definition]
OFFERS = ("p", "q", "r", "s")
SPANS = ("1h", "6h", "1d", "2d")


def rulesets(random: Random, focus: Focus) -> list[Ruleset]:
    """One or several, each of settings, conditions and offers."""
    found = [_first(random, focus)]
    for _ in range(random.choice(focus.changes)):
        found.append(_changed(random, found[-1], focus))
    return found


def _first(random: Random, focus: Focus) -> Ruleset:
    conditions = {"c1": node(random)}
    conditions["c0"] = node(random, conditions=("c1",))
    names = OFFERS[: random.choice((1, 2, 2, 3, 3, 4))]
    offers = [offer(random, name, names[:at], conditions, focus) for at, name in enumerate(names)]
    named = [{"kind": "condition", "id": name, **made} for name, made in conditions.items()]
    return [settings(random), *named, *offers]


def settings(random: Random) -> Definition:
    return {
        "kind": "settings", "id": "rules", "allowed_lateness": random.choice(("6h", "1d", "1d", "2d")),
        "grace": random.choice(("10m", "10m", "1h")),
        "timezone": random.choice(("UTC", "Europe/Berlin", "America/New_York")),
    }  # fmt: skip


def offer(
    random: Random, name: str, others: tuple[str, ...], conditions: dict[str, Definition], focus: Focus
) -> Definition:
    made: Definition = {"kind": "offer", "id": name, "entry": {}}
    if not one_in(random, 8):
        made["entry"] = leaf_or_active(random, others, conditions, focus)
    if one_in(random, focus.asked) or not made["entry"]:
        made["entry"] = {**made["entry"], "code": f"{name}Code"}
    if one_in(random, focus.asked):
        made["entry"] = {**made["entry"], "api": True}
    if one_in(random, 4):
        made["audience"] = node(random, others, tuple(conditions))
    completed = random.randrange(6)
    if completed == 0:
        made["completion"] = "immediate"
    elif completed < 5:
        made["completion"] = lasting(leaf_or_active(random, others, conditions, focus), random)
    _rewarded(random, made, others, conditions, focus)
    _limited(random, made, others, conditions, focus)
    return made


def leaf_or_active(
    random: Random, others: tuple[str, ...], conditions: dict[str, Definition], focus: Focus
) -> Definition:
    """Often something simple, so that offers are entered and completed at all."""
    if one_in(random, focus.simple):
        return {"event": random.choice(focus.plain)}
    return active(random, others, conditions)


def _limited(
    random: Random, made: Definition, others: tuple[str, ...], conditions: dict[str, Definition], focus: Focus
) -> None:
    if one_in(random, focus.expires):
        made["expires_after"] = random.choice(SPANS)
    if one_in(random, 5):
        made["exit"] = lasting(active(random, others, conditions), random)
    if one_in(random, focus.reenters):
        made["reentry"] = random.choice(("after_expiry", "after_completion", "after_completion"))
    key = _key(random, made["entry"])
    if key and one_in(random, 3):
        made["reentry"] = {"per_key": key}
    for name, value in (("cooldown", random.choice(SPANS)), ("caps", {"per_user": random.choice((1, 2, 3))}),
                        ("count_entry_event", True), ("timezone", "Asia/Tokyo"), ("starts", "2026-09-22"),
                        ("ends", random.choice(("2026-09-23", "2026-09-24T00:00:00Z"))),
                        ("status", random.choice(("paused", "draft"))),
                        ("withdraw", True)):  # fmt: skip
        if one_in(random, {"status": 20, "withdraw": 40}.get(name, 7)):
            made[name] = value
    if one_in(random, 3):
        made["exclusive"] = {"group": "g", **({"priority": random.choice((-1, 1, 2))} if one_in(random, 2) else {})}
    if one_in(random, 5):
        made["holdout"] = random.choice(("30%", "0.5%"))


def _key(random: Random, entry: Definition) -> str | None:
    """A property of every event that the entry is about."""
    found: set[str] = set()
    _events(entry, found)
    events = ["Bought" if name == "Ordered" else name for name in found]
    keys = set.intersection(*(set(KEYS.get(name, ())) for name in events)) if events else set()
    return random.choice(sorted(keys)) if keys else None


def _events(made: Any, found: set[str]) -> None:
    if isinstance(made, list):
        for one in made:
            found.add(one) if isinstance(one, str) else _events(one, found)
    elif isinstance(made, dict):
        if {"profile", "in_offer", "completed_offer", "condition"} & made.keys():
            found.add("?")
        if "event" in made:
            found.add(made["event"])
        for key in ("all", "any", "none", "sequence", "absent", "after"):
            _events(made.get(key), found)


def _rewarded(
    random: Random, made: Definition, others: tuple[str, ...], conditions: dict[str, Definition], focus: Focus
) -> None:
    if "completion" not in made or one_in(random, focus.bare):
        return
    if one_in(random, 4):
        made["variants"] = [
            {"id": "v", "weight": 2, "attributes": {"headline": "x"}, "reward": _reward(random, made)},
            {"id": "w", "reward": {"id": "other", "value": "7.50 USD"}},
            {"id": "z"},
        ]
        if one_in(random, 2):
            made["variants"][1]["completion"] = lasting(leaf_or_active(random, others, conditions, focus), random)
    else:
        made["reward"] = _reward(random, made)


def _reward(random: Random, made: Definition) -> Definition:
    reward: Definition = {"id": "prize"}
    if one_in(random, 2):
        reward["value"] = random.choice(("10 EUR", "0.5 USD"))
    about: set[str] = set()
    _events(made["entry"] if made["completion"] == "immediate" else made["completion"], about)
    plain = not {"absent", "code", "api"} & words(made)
    if about and about <= {"Bought", "Ordered", "Paid"} and plain and one_in(random, 2):
        reward["value"] = random.choice((
            {"expr": "amount * 0.05", "max": 20, "currency": "EUR"},
            {"expr": "amount * 0.125 + 0.01", "min": 1, "currency": "USD"},
            {"expr": "(amount - 10.0) * 3 - 0.005", "currency": "EUR", "max": 2.5},
            {"expr": "amount / 8", "currency": "JPY"},
        ))  # fmt: skip
    if one_in(random, 3):
        reward["pending"] = random.choice(SPANS)
    if one_in(random, 3):
        reward["expires_after"] = random.choice(SPANS)
    return reward


def words(made: Any) -> set[str]:
    """Every key of a definition."""
    if isinstance(made, dict):
        return set(made) | {word for value in made.values() for word in words(value)}
    return {word for one in made for word in words(one)} if isinstance(made, list) else set()


def _changed(random: Random, before: Ruleset, focus: Focus) -> Ruleset:
    """Another ruleset with much in common."""
    after = deepcopy(before)
    offers = [one for one in after if one["kind"] == "offer"]
    conditions = {one["id"]: {k: v for k, v in one.items() if k not in ("kind", "id")}
                  for one in after if one["kind"] == "condition"}  # fmt: skip
    at = random.randrange(len(offers))
    chosen = offers[at]
    match random.randrange(9):
        case 0:
            chosen["status"] = random.choice(("paused", "live", "draft"))
        case 1 | 2:
            chosen["withdraw"] = not chosen.get("withdraw", False)
        case 3 if len(offers) > 1 and not any(chosen["id"] in repr(one) for one in offers if one is not chosen):
            after.remove(chosen)
        case 4:
            after[0] = settings(random)
        case 5:
            chosen["reentry"] = random.choice(("never", "after_expiry", "after_completion"))
        case 6 if "completion" in chosen and "expr" not in repr(chosen):
            chosen["completion"] = leaf_or_active(random, (), conditions, focus)
        case 7 if len(offers) < len(OFFERS):
            free = next(name for name in OFFERS if all(one["id"] != name for one in offers))
            after.append(offer(random, free, (), conditions, focus))
        case _:
            named = tuple(one["id"] for one in offers[:at])
            after[after.index(chosen)] = offer(random, chosen["id"], named, conditions, focus)
    if one_in(random, 3):
        after = [
            *[one for one in after if one["id"] != "t"],
            {"kind": "offer", "id": "t", "entry": active(random, (), conditions)},
        ]
    return after
