"""One workspace with something of everything, compiled once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from console.scenarios.reading import read_scenarios
from console.scenarios.running import Result, run
from console.scenarios.workspace import Workspace
from console.workspace.problems import Problem

EVENTS = Path(__file__).resolve().parents[3] / "schemas" / "events"

DEFINITIONS = """\
kind: offer
id: upgrade
entry: {event: Account Created}
audience: {none: [{event: Subscription Started}]}
completion: {event: Purchase Completed, where: amount >= 10, count: {at_least: 3}}
expires_after: 14d
exit: {event: Subscription Canceled}
variants:
  - {id: plain, attributes: {headline: Save 10}, reward: {id: voucher, value: 10 EUR}}
  - {id: bold, attributes: {headline: Save 20}, reward: {id: voucher, value: 20 EUR}}
---
kind: offer
id: spring
entry: {code: SPRING, api: true}
completion: {event: Purchase Completed, sum: {of: amount, at_least: 100}}
reward: {id: badge}
---
kind: offer
id: cashback
entry: {event: Purchase Completed, where: amount >= 1000}
reentry: {per_key: order_id}
completion: immediate
reward: {id: cashback, value: {expr: "amount * 0.05", currency: EUR}, pending: 14d, expires_after: 30d}
---
kind: offer
id: win-back
entry:
  absent: {event: Lesson Completed}
  after: {event: Lesson Started}
  within: 7d
---
kind: offer
id: measured
entry: {event: Goal Set}
holdout: 50%
completion: {event: Goal Achieved}
reward: {id: medal}
---
kind: offer
id: later
status: draft
entry: {event: Goal Set}
---
- {id: shop, origin: backend, topics: [raw.backend]}
- {id: app, origin: sdk, topics: [raw.sdk], system_events: {Application Opened: false}}
"""

Play = Callable[[str], Result]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("scenarios")
    shutil.copytree(EVENTS, folder / "events")
    (folder / "definitions.yaml").write_text(DEFINITIONS)
    return Workspace.read([folder])


@pytest.fixture
def play(workspace: Workspace, tmp_path: Path) -> Play:
    """The result of one scenario, given from ``steps:`` on or whole."""

    def played(text: str) -> Result:
        file = tmp_path / "scenario.yaml"
        body = text if "steps:" in text else f"steps:\n{text}"
        file.write_text(f"kind: scenario\nname: one\n{body}")
        problems: list[Problem] = []
        found = read_scenarios([file], problems)
        assert problems == []
        return run(workspace, found[0])

    return played
