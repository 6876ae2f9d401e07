"""Gauges with a series per partition: what a program does not have any more it does not show."""

from __future__ import annotations

from prometheus_client import REGISTRY

from offerflow.runtime.metrics import LagGauge, PartitionsGauge, TimeGauge

STAGE = "stage of a test"


def shown(name: str) -> dict[str, float]:
    """Values by the last label."""
    samples = [sample for metric in REGISTRY.collect() if metric.name == name for sample in metric.samples]
    mine = [one for one in samples if one.labels.get("stage", STAGE) == STAGE]
    return {list(one.labels.values())[-1]: one.value for one in mine}


def test_the_lag_of_an_earlier_session_is_forgotten() -> None:
    """A worker that refused, or lost its services, begins with no partition, and its old ones are not taken for
    owned."""
    LagGauge(STAGE).show({("t", 0): 5, ("t", 1): 0})
    assert shown("offerflow_lag_records") == {"t/0": 5, "t/1": 0}
    again = LagGauge(STAGE)
    assert shown("offerflow_lag_records") == {}
    again.show({("t", 1): 2})
    again.show({("t", 2): 3})
    assert shown("offerflow_lag_records") == {"t/2": 3}


def test_an_input_that_is_read_no_more_is_not_missed() -> None:
    """A retired topic has no owners, and nobody expects any; not even of the session before."""
    PartitionsGauge(STAGE).show({"t.a": 8, "t.b": 2})
    assert shown("offerflow_partitions") == {"t.a": 8, "t.b": 2}
    PartitionsGauge(STAGE).show({"t.b": 2})
    assert shown("offerflow_partitions") == {"t.b": 2}


def test_timers_of_an_earlier_session_are_forgotten() -> None:
    """A partition that went to another worker does not look as if its time stood still."""
    TimeGauge().show({3: (1000, 2), 4: (None, 0)}, 61_000)
    assert shown("offerflow_stream_time_lag_seconds") == {"3": 60, "4": 0}
    TimeGauge()
    assert shown("offerflow_stream_time_lag_seconds") == shown("offerflow_timers_pending") == {}
