"""The alert rules that ship, held against the metrics that exist."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from offerflow.runtime import metrics

ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yaml"


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe", pure=True).load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def series() -> dict[str, set[str]]:
    """Name of every series that ``metrics`` declares, with its labels."""
    declared = [value for value in vars(metrics).values() if hasattr(value, "_labelnames")]
    return {
        family.name + suffix: set(metric._labelnames)
        for metric in declared
        for family in metric.describe()
        for suffix in ("", "_total", "_bucket", "_count", "_sum")
    }


def test_alerts_ask_only_for_metrics_that_exist() -> None:
    """An alert on a metric that was renamed would stay silent for ever."""
    asked = {name for rule in rules() for name in re.findall(r"offerflow_\w+", rule["expr"])}
    assert asked
    assert asked <= set(series())


def test_alerts_group_by_labels_that_exist() -> None:
    """Each label in a `by` clause is one of the metric's, or one that Prometheus adds."""
    for rule in rules():
        names = set(re.findall(r"offerflow_\w+", rule["expr"]))
        labels = set().union(*(series()[name] for name in names)) | {"instance", "job"}
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(",")}
        assert grouped <= labels, rule["alert"]


def test_every_alert_says_what_to_do() -> None:
    """An alert that wakes somebody has a severity, a summary and a next step."""
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
