"""The alert rules that ship: they ask for metrics that exist, fire when they should, and tell people what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from offerflow.runtime import metrics
from tests.deploy.prometheus_tools import tool

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "alerts.md"


def rules() -> list[dict[str, Any]]:
    return [rule for group in load("alerts.yaml")["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def load(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((PROMETHEUS / name).read_text(encoding="utf-8"))


def run(name: str, *arguments: str) -> str:
    """What the tool says; fails with it if the tool does."""
    done = subprocess.run([tool(name), *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def series() -> dict[str, set[str]]:
    """Name of every series that ``metrics`` declares, with its labels."""
    declared = [value for value in vars(metrics).values() if hasattr(value, "_labelnames")]
    return {
        family.name + suffix: set(metric._labelnames)
        for metric in declared
        for family in metric.describe()
        for suffix in ("", "_total", "_bucket", "_count", "_sum")
    }


def asked(rule: dict[str, Any]) -> set[str]:
    """The programs' series in an expression; what a rule of ours has recorded is none."""
    return set(re.findall(r"\bofferflow_\w+", rule["expr"]))


def test_alerts_ask_only_for_metrics_that_exist() -> None:
    """An alert on a metric that was renamed would stay silent for ever."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        used = set(re.findall(r"\bofferflow(?::\w+)+", rule["expr"]))
        assert asked(rule) | used
        assert asked(rule) <= set(series())
        assert used <= recorded


def test_alerts_group_by_labels_that_exist() -> None:
    """Each label in a `by` clause is one of the metric's, or one that Prometheus adds."""
    for rule in rules():
        labels = set().union(*(series()[name] for name in asked(rule)), {"instance", "job"})
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(",")}
        if not asked(rule):
            labels |= {"reason", "event"}
        assert grouped <= labels, rule


def test_every_alert_says_what_to_do() -> None:
    """An alert that wakes somebody has a severity, a summary, a next step, and a section of the runbook."""
    sections = re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
    assert sections == [rule["alert"] for rule in alerts()]


def test_alerts_fire_within_their_window_and_stay_silent_otherwise() -> None:
    """promtool runs the cases of alerts_test.yaml against the rules."""
    assert "SUCCESS" in run("promtool", "check", "rules", "alerts.yaml")
    assert "SUCCESS" in run("promtool", "test", "rules", "alerts_test.yaml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    """A case that expects nothing at all keeps every alert silent, so firing once is what each needs besides."""
    cases = [case for group in load("alerts_test.yaml")["tests"] for case in group.get("promql_expr_test", ())]
    silent = [case for case in cases if case["expr"] == 'ALERTS{alertstate="firing"}' and not case["exp_samples"]]
    fired = {
        name
        for case in cases
        for sample in case["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert silent
    assert fired == {rule["alert"] for rule in alerts()}


def test_the_example_routes_pages_to_chat_and_tickets_to_mail() -> None:
    """amtool accepts the example, and each severity ends where the comment says."""
    run("amtool", "check-config", "alertmanager.yaml")
    names = {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
    route = ("config", "routes", "test", "--config.file=alertmanager.yaml")
    for name, severity in (("FuseHolds", "page"), ("DeadLettersGrow", "ticket"), ("NewSchemaId", "ticket")):
        assert names[name] == severity
    assert run("amtool", *route, "alertname=FuseHolds", "severity=page").strip() == "chat-and-mail"
    assert run("amtool", *route, "alertname=DeadLettersGrow", "severity=ticket").strip() == "mail"
    assert run("amtool", *route, "alertname=NewSchemaId", "severity=ticket").strip() == "senders"


def test_the_example_names_only_alerts_that_exist() -> None:
    """A route or inhibition for an alert that was renamed would do nothing."""
    names = {rule["alert"] for rule in alerts()}
    text = (PROMETHEUS / "alertmanager.yaml").read_text(encoding="utf-8")
    for pattern in re.findall(r"alertname =~? \"?([\w|.*]+)", text):
        for one in pattern.split("|"):
            assert any(re.fullmatch(one, name) for name in names), one
