"""Events in three forms, good and bad, through workers that are killed: nothing is lost, doubled or judged wrongly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deployment import Deployment
from tests.end_to_end.identity import Trial
from tests.waiting import until

pytestmark = pytest.mark.broker
EVENTS = 24_000


def test_every_record_is_accounted_for_though_workers_die(deployment: Callable[..., Deployment]) -> None:
    """Both workers are killed in the middle of their batches: raw records = journal + dead letters + switched off, each
    with the oracle's verdict, bytes and headers as they came."""
    trial = Trial(deployment(), seed=71, OFFERFLOW_BATCH__MAX_RECORDS="150")
    trial.publish(trial.traffic.take(EVENTS))
    for number in (1, 2):
        trial.start(number)
    for number, share in ((1, 0.1), (2, 0.3)):
        until(lambda share=share: trial.judged() > share, f"{share:.0%} to be judged", 60, trial.state)
        trial.kill(number)
    assert trial.judged() < 0.95
    until(trial.idle, "all of it to be judged", 120, trial.state)
    balance = trial.settle()
    assert balance.even, str(balance.report)
    assert balance.raw == EVENTS
    assert min(balance.forms.values()) > 2000
    assert len(balance.forms) == 4
    assert balance.dropped > 500
    assert balance.dead.keys() == {
        "undecodable", "unknown_schema", "unknown_source", "unknown_event", "origin_forbidden", "missing_user",
        "clock_skew", "schema_violation", "rule_of_plan_violation",
    }  # fmt: skip
