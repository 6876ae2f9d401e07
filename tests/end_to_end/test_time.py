"""Time in the real stack: timers fire without traffic, once, and never past an event that was on its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from tests.deployment import Deployment, Program
from tests.end_to_end.moments import DAY, Moments, now, once
from tests.waiting import until

pytestmark = pytest.mark.broker


@pytest.fixture
def moments(deployment: Callable[..., Deployment]) -> Moments:
    return Moments(deployment(partitions=3))


def _fall(moments: Moments, rules: Program) -> Program:
    """Kill the worker and empty Redis, but for a partition that seems to be of another version: all of it is folded
    again from the journal."""
    rules.kill()
    redis = Redis.from_url(moments.deployment.services.redis)
    for key in redis.scan_iter(f"{{of:{moments.deployment.prefix}*", count=1000):
        if b"journal:0}" not in key:
            redis.delete(key)
    journal = moments.deployment.prefix + "journal"
    redis.hset(f"{{of:{journal}:0}}:meta", "layout", "of another version")
    redis.hset(f"{{of:{journal}:0}}:st:1", "u:nobody", "what this version cannot read")
    redis.close()
    return moments.deployment.rules().wait_ready()


def test_timers_fire_without_traffic_once(moments: Moments) -> None:
    """Absences, expiries and pending rewards come by themselves, each once, though the worker is killed again and again
    meanwhile; a week of silence is decided the same live, on replay and from an empty Redis; then all is quiet."""
    made = moments.deployment
    made.validation()
    rules = made.rules()
    start = now() - 8 * DAY
    silent = [f"silent{n}" for n in range(20)]
    paid = [f"paid{n}" for n in range(20)]
    joined = [f"joined{n}" for n in range(20)]
    for n in range(20):
        moments.send(
            ("Carted", silent[n], start + n), ("Carted", paid[n], start + n), ("Paid", paid[n], start + n + 7 * DAY),
            ("Paid", silent[n], start + n + 7 * DAY + 1), ("Joined", joined[n], now()),
        )  # fmt: skip
    moments.send(*(("Paid", user, now()) for user in joined))
    for _ in range(3):
        before = moments.ticks()
        until(lambda before=before: moments.ticks() > before or not moments.pending(), "time to pass", 60, rules.tail)
        rules.kill()
        rules = made.rules()
    until(lambda: not moments.pending() and made.idle("rules", "journal"), "all timers to fire", 60, rules.tail)
    made.wait_idle(["raw.backend"])
    assert not moments.pending()
    assert moments.entered("forgotten") == once(silent)
    assert moments.rewarded("nudge") == once(silent)
    assert moments.exited("brief", "expired") == once(joined)
    assert moments.rewarded("thanks") == once(joined)
    live = moments.redis()
    ends = {topic: made.ends(topic) for topic in ("offer-entry", "offer-exit", "reward-satisfied", "dead-letter")}
    rules = _fall(moments, rules)
    until(lambda: moments.redis() == live, "the same states", 60, rules.tail)
    assert {topic: made.ends(topic) for topic in ends} == ends
    assert moments.entered("forgotten") == once(silent)
    # Nothing is due, so nobody writes ticks: not until the worker has looked at the timers a few times more.
    looks = rules.metric("offerflow_batch_records_count")
    ticks = moments.ticks()
    moments.send(*(("Paid", f"late{n}", now()) for n in range(5)))
    until(lambda: rules.metric("offerflow_batch_records_count") > looks, "another batch", 30, rules.tail)
    made.wait_idle(["raw.backend"])
    assert moments.ticks() == ticks


def test_time_waits_for_what_lies_in_raw(moments: Moments) -> None:
    """An absence does not fire while validation is stopped, however long it is due; the event that was in time, and
    lay in the raw topic, prevents it once validation goes on."""
    made = moments.deployment
    validation, rules = made.validation(), made.rules()
    validation.wait_ready()
    rules.wait_ready()
    start = now() - 7 * DAY + 6000
    moments.send(("Carted", "paying", start), ("Carted", "silent", start))
    until(lambda: moments.pending() == 2, "both absences to be waited for", 60, rules.tail)
    assert validation.stop() == 0
    moments.send(("Paid", "paying", start + 6 * DAY))
    until(lambda: rules.metric("offerflow_stream_time_lag_seconds") > 2, "the timers to be overdue", 60, rules.tail)
    assert moments.ticks() == 0
    assert moments.pending() == 2
    made.validation()
    until(lambda: not moments.pending(), "time to pass again", 60, rules.tail)
    made.wait_idle(["raw.backend"])
    assert moments.entered("forgotten") == once(["silent"])
    assert rules.metric("offerflow_stream_time_lag_seconds") == 0


def test_requests_and_withdrawal(moments: Moments) -> None:
    """A code enters, a reward is fulfilled and reversed by request; a withdrawn offer is left by everybody inside,
    without traffic and without a timer."""
    made = moments.deployment
    validation, rules = made.validation(), made.rules()
    users = [f"user{n}" for n in range(10)]
    moments.send(*(("offerflow.EnterOffer", user, now()) for user in users), code="lasting")
    moments.send(("offerflow.EnterOffer", "nobody", now()), code="wrong")
    moments.send(("offerflow.EnterOfer", "nobody", now()), code="lasting")
    until(lambda: moments.entered("lasting") == once(users), "all to enter", 60, rules.tail)
    assert [one["reason"] for one in moments.outputs("dead-letter")] == ["unknown_event"]
    moments.send(("Paid", users[0], now()))
    until(lambda: moments.rewarded("thanks") == once(users[:1]), "the reward", 60, rules.tail)
    (reward,) = moments.outputs("reward-satisfied")
    moments.send(("offerflow.FulfilReward", users[0], now()), reward_id=reward["id"], by="till 7")
    until(lambda: moments.outputs("reward-fulfilled"), "it to be fulfilled", 60, rules.tail)
    moments.send(("offerflow.ReverseReward", users[0], now()), reward_id=reward["id"])
    until(lambda: moments.outputs("reward-reversed"), "it to be reversed", 60, rules.tail)
    (fulfilled,), (reversed_,) = moments.outputs("reward-fulfilled"), moments.outputs("reward-reversed")
    assert (fulfilled["reward_id"], fulfilled["by"]) == (reward["id"], "till 7")
    assert (reversed_["reward_id"], reversed_["reason"]) == (reward["id"], "manual")
    assert not moments.pending()
    moments.apply(**{"id: lasting": "id: lasting\nwithdraw: true"})
    until(lambda: moments.exited("lasting", "withdrawn") == once(users[1:]), "all to leave", 60, rules.tail)
    made.wait_idle(["raw.backend"])
    assert moments.exited("lasting", "withdrawn") == once(users[1:])
    assert not any(opened for _, _, opened in moments.redis().values())
    assert validation.process.poll() is None
