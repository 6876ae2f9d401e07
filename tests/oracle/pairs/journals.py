"""Made-up journals: events of a few entities, in and out of order, requests, ticks and activations."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.oracle.pairs.conditions import one_in
from tests.oracle.pairs.focus import Focus

START = 1_790_028_000_000  # 2026-09-21T22:00:00Z, midnight in Berlin
HOUR = 3_600_000
DAY = 24 * HOUR
STEPS = (0, 0, 1, HOUR // 2, HOUR, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)
BEHIND = (1, HOUR, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY, 2 * DAY, 3 * DAY)
ENTITIES = ("u:ann", "u:ann", "u:ann", "u:bob", "a:kim")
REQUESTS = ("EnterOffer", "EnterOffer", "EnterOffer", "FulfilReward", "ReverseReward")


@dataclass
class Entry:
    """A journal record. ``what`` is ``event``, ``request``, ``tick`` or ``activate``; ``reward`` picks the nth reward
    the entity has earned by then, ``ruleset`` the nth of the rulesets."""

    what: str
    offset: int
    entity: str = ""
    name: str = ""
    id: str = ""
    time: int = 0
    received_at: int = 0
    exempt: bool = False
    properties: dict[str, Any] = field(default_factory=dict)
    reward: int | None = None
    ruleset: int = 0


def journal(random: Random, rulesets: int, offers: tuple[str, ...], focus: Focus) -> list[Entry]:
    """20 to 40 records; the first activates the first ruleset."""
    made = [Entry("activate", 0)]
    length, now, offset = random.randrange(20, 40), START, 0
    later = sorted(random.randrange(4, length) for _ in range(rulesets - 1))
    while len(made) < length:
        now += random.choice(STEPS)
        offset += random.choice((1, 1, 1, 2))
        if len(later) and len(made) >= later[0]:
            later.pop(0)
            made.append(Entry("activate", offset, ruleset=sum(one.what == "activate" for one in made)))
        elif one_in(random, focus.ticks):
            made.append(Entry("tick", offset, time=now - random.choice((0, 0, HOUR, DAY))))
        elif one_in(random, focus.requests):
            made.append(_request(random, offset, now, offers, made, focus))
        else:
            made.append(_event(random, offset, now, made, focus))
    made.append(Entry("tick", offset + 1, time=now + 7 * DAY))
    return made


def _times(random: Random, now: int, focus: Focus) -> dict[str, Any]:
    time = now - random.choice(BEHIND) if one_in(random, focus.behind) else now
    exempt = one_in(random, focus.exempt)
    if exempt:
        time = now - random.choice((0, DAY, 3 * DAY, 6 * DAY, 100 * DAY))
    return {"time": time, "exempt": exempt, "received_at": now + random.choice((0, 0, 0, -1, HOUR))}


def _event(random: Random, offset: int, now: int, made: list[Entry], focus: Focus) -> Entry:
    earlier = [one for one in made if one.what == "event"]
    entity = random.choice(ENTITIES)
    if earlier and one_in(random, focus.again):
        again = random.choice(earlier)
        properties = dict(again.properties)
        if one_in(random, 3):
            properties["n"] = 99
        return Entry(
            "event", offset, again.entity, again.name, again.id, properties=properties, **_times(random, now, focus)
        )
    name = random.choice(focus.names)
    when = _times(random, now, focus)
    before = [one.time for one in earlier if one.entity == entity]
    if before and one_in(random, focus.belated):
        when |= {"time": min(now, random.choice(before) + random.choice((1, HOUR, 3 * HOUR))), "exempt": False}
    return Entry("event", offset, entity, name, f"e{offset}", properties=_properties(random, name), **when)


def _properties(random: Random, name: str) -> dict[str, Any]:
    if name == "Identified":
        return {"plan": random.choice(("free", "plus", "pro", "pro", None)), "score": random.choice((None, 0, 2, 5)),
                "vip": random.choice((None, True, False)),
                "joined": random.choice((None, START - 2 * DAY, START))}  # fmt: skip
    made: dict[str, Any] = {
        "x": random.choice((None, 0.0, 1.0, 2.0, 2.5)), "n": random.choice((None, 0, 1, 2, 3)),
        "s": random.choice((None, "a", "b", "aB")), "b": random.choice((None, True, False)),
        "at": random.choice((None, None, START)),
    }  # fmt: skip
    if name in ("Bought", "Refunded"):
        made["order"] = random.choice(("o1", "o1", "o2", "o3", "o4"))
    if name == "Bought":
        made["no"] = random.randrange(1, 4)
    if name in ("Bought", "Paid"):
        made["amount"] = random.choice((4.99, 10.0, 12.35, 20.1, 0.3))
    if name in ("Opened", "Closed"):
        made["cart"] = random.choice((None, "c1", "c1", "c2"))
    if name == "Paid":
        made["key"] = random.choice(("k1", "k2", "k3", "k4", "k5"))
    return made


def _request(random: Random, offset: int, now: int, offers: tuple[str, ...], made: list[Entry], focus: Focus) -> Entry:
    earlier = [one for one in made if one.what == "request"]
    name, entity = random.choice(REQUESTS), random.choice(ENTITIES)
    common = {"entity": entity, "name": name, "id": f"q{offset}", **_times(random, now, focus)}
    if earlier and one_in(random, 6):
        again = random.choice(earlier)
        common |= {"id": again.id, "entity": again.entity}
    if name != "EnterOffer":
        properties = {"by": "shop"} if name == "FulfilReward" else {}
        return Entry("request", offset, properties=properties, reward=random.randrange(3), **common)
    offer = random.choice((*offers, *offers, "nowhere"))
    if one_in(random, 20):
        wanted: dict[str, Any] = {"offer": offer, "key": None}
    elif one_in(random, 2):
        wanted = {"code": random.choice((f"{offer}Code", f"{offer}code", f"{offer}CODE"))}
    else:
        wanted = {"offer": offer}
    return Entry("request", offset, properties={"key": random.choice(("o1", "k1", "o2")), **wanted}, **common)
