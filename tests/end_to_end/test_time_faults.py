"""Timers under faults: two workers that are killed by turns, and a Redis that loses a partition."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from redis import Redis

from offerflow.rules.state import EntityState, unpack_entity
from tests.deployment import Deployment
from tests.end_to_end.moments import DAY, Moments, now
from tests.end_to_end.refold import Kept, refold
from tests.waiting import until

pytestmark = pytest.mark.broker
TOPICS = ("offer-entry", "offer-exit", "reward-satisfied", "reward-reversed")
USERS, ROUNDS = 600, 3


def differing(found: Mapping[int, Kept], expected: Mapping[int, Kept]) -> list[object]:
    """What of two Redis is not the same, unpacked: the bytes of hundreds of states tell nobody anything."""
    wrong: list[object] = []
    for number, (states, timers, opened) in expected.items():
        theirs, their_timers, their_opened = found[number]
        for entity in sorted({*states, *theirs}):
            if states.get(entity) != theirs.get(entity):
                pair = unpack_entity(states.get(entity)), unpack_entity(theirs.get(entity))
                fields = [
                    name for name in EntityState.__struct_fields__ if getattr(pair[0], name) != getattr(pair[1], name)
                ]
                wrong.append((number, entity, [(name, *(getattr(one, name) for one in pair)) for name in fields]))
        wrong += [(number, one) for one in (timers.items() ^ their_timers.items(), opened ^ their_opened) if one]
    return wrong


def test_timers_fire_once_whatever_dies(deployment: Callable[..., Deployment]) -> None:
    """Absences, expiries and pending rewards of hundreds of users come due while workers die, partitions move and Redis
    forgets one: outputs and Redis are those of the journal folded in one piece."""
    made = deployment(partitions=4)
    moments, draw = Moments(made), random.Random(5)
    made.validation()
    workers = {number: made.rules(number) for number in (1, 2)}
    for worker in workers.values():
        worker.wait_ready()
    for turn in range(ROUNDS):
        events = []
        for _ in range(1500):
            user, at = f"u{draw.randrange(USERS)}", now() - draw.choice([0, 0, 500, 1500])
            carted = now() - 7 * DAY + draw.randrange(4000)
            events.append(draw.choice([("Joined", user, at), ("Paid", user, at), ("Carted", user, carted)]))
        moments.send(*events)
        ticks = moments.ticks()
        until(lambda ticks=ticks: moments.ticks() > ticks, "time to pass", 60, workers[1].tail)
        number = 1 + turn % 2
        workers[number].kill()
        if turn == 1:
            redis = Redis.from_url(made.services.redis)
            for key in redis.scan_iter(f"{{of:{made.prefix}journal:2}}*", count=1000):
                redis.delete(key)
            redis.close()
        workers[number] = made.rules(number)
    until(lambda: not moments.pending() and made.idle("rules", "journal"), "all timers to fire", 120, workers[1].tail)
    made.wait_idle(["raw.backend"])
    expected = refold(made)
    assert Counter(str(one["id"]) for topic in TOPICS for one in moments.outputs(topic)) == expected.outputs
    assert differing(moments.redis(), expected.kept) == []
    assert expected.ticks > ROUNDS
    assert len(expected.outputs) > USERS
    assert made.read("dead-letter") == []
