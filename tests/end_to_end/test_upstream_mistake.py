"""A sender's mistake, from the first dead letter to outputs that look as if it had never been made."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.deploy.prometheus_tools import tool
from tests.deployment import ROOT, Deployment, Program, parse, publish
from tests.end_to_end.upstream import AFTER, BEFORE, DURING, TOPICS, mended, minute, workspace
from tests.oracle import topics, wire
from tests.waiting import until

pytestmark = pytest.mark.broker
INPUTS = (*TOPICS, "raw.replay")
OUTPUTS = ("offer-entry", "offer-exit", "reward-satisfied")
SERIES = ("offerflow_events_total", "offerflow_dead_letters_total", "offerflow_first_seen_total")
Counters = Mapping[str, float]


class Shop:
    """A deployment whose counters are looked at after each minute of traffic."""

    def __init__(self, deployment: Deployment, planned: Path, mistaken: bool) -> None:
        self.deployment = deployment
        self.planned = planned
        self.mistaken = mistaken
        self.scrapes: list[Counters] = []
        self._sent = 0
        deployment.create_topics()
        deployment.apply(planned)
        self._validation = deployment.validation()
        deployment.rules()

    def pass_minutes(self, numbers: range) -> None:
        """Send the traffic of these minutes, and scrape as Prometheus would once each has been judged."""
        self._validation.wait_ready()
        for number in numbers:
            raws = minute(number, self.mistaken)
            publish(self.deployment.services.kafka, [(self.deployment.prefix + topic, *raw) for topic, *raw in raws])
            self._sent += len(raws)
            until(self._judged, f"minute {number} to be judged", 60, self._validation.tail)
            self.scrapes.append(_scrape(self._validation))

    def _judged(self) -> bool:
        return self._validation.metric("offerflow_events_total") >= self._sent

    def letters(self) -> list[dict[str, Any]]:
        schemas = wire.output_schemas()
        read = [(wire.unframe(record.value, record.where), record) for record in self.deployment.read("dead-letter")]
        return [wire.decode(body, schemas[schema_id], record.where) for (schema_id, body), record in read]

    def outputs(self) -> dict[str, Any]:
        """Every output by its id, without what names places in the journal or rulesets by their hash."""
        schemas, found = wire.output_schemas(), {}
        for record in topics.stream(
            self.deployment.services.kafka, [self.deployment.prefix + name for name in OUTPUTS]
        ):
            schema_id, body = wire.unframe(record.value, record.where)
            fields = wire.decode(body, schemas[schema_id], record.where)
            fields.pop("ruleset", None)
            for item in fields.get("evidence", ()):
                del item["journal_partition"], item["journal_offset"]
            found[fields["id"]] = (schema_id, record.key, fields)
        return found


def _scrape(program: Program) -> Counters:
    text = httpx.get(f"{program.url}/metrics", timeout=5).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {_series(sample.name, sample.labels): sample.value for sample in samples if sample.name in SERIES}


def _series(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels.items())) + "}"


def _firing(scrapes: list[Counters], directory: Path) -> dict[int, set[str]]:
    """Names of the shipped alerts that fire at each minute, if Prometheus had scraped these counters once a minute.

    promtool evaluates the real rules on the real counters; only the clock is that of the test's minutes.
    """
    names = sorted({name for scrape in scrapes for name in scrape})
    series = [
        {"series": name, "values": " ".join(f"{scrape[name]:g}" if name in scrape else "_" for scrape in scrapes)}
        for name in names
    ]
    asked = 'count by (alertname) (ALERTS{alertstate="firing"})'
    nothing = [{"labels": '{alertname="nothing that is there"}', "value": 1}]
    case = {
        "interval": "1m", "input_series": series,
        "promql_expr_test": [
            {"expr": asked, "eval_time": f"{at}m", "exp_samples": nothing} for at in range(len(scrapes))
        ],
    }  # fmt: skip
    path = directory / "figures.yaml"
    alerts = str(ROOT / "deploy" / "prometheus" / "alerts.yaml")
    with path.open("w", encoding="utf-8") as file:
        YAML().dump({"rule_files": [alerts], "evaluation_interval": "1m", "tests": [case]}, file)
    done = subprocess.run([tool("promtool"), "test", "rules", path], capture_output=True, text=True, check=False)
    said = re.findall(r"time: (\w+),\s+exp:.*\s+got:(.*)", done.stdout + done.stderr)
    assert len(said) == len(scrapes), done.stdout + done.stderr
    return {int(at.removesuffix("m").removesuffix("s")): set(re.findall(r'alertname="(\w+)"', got)) for at, got in said}


def test_a_mistake_is_told_mended_and_forgotten(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """The dead letters name the field, the alerts fire within their window and in no shop without the mistake; after
    `apply`, `dlq patch` and `dlq replay` every output is that of the shop that never made it, ids included."""
    planned, later = workspace(tmp_path / "planned"), mended(tmp_path / "later")
    wrong, right = (Shop(deployment(), planned, mistaken) for mistaken in (True, False))
    for shop in (wrong, right):
        for minutes in (BEFORE, DURING, AFTER):
            shop.pass_minutes(minutes)
        shop.deployment.wait_idle(INPUTS)

    # What the mistakes look like.
    letters, due = wrong.letters(), right.outputs()
    told = {(letter["reason"], letter["field"], letter["got"], letter["event"]) for letter in letters}
    assert told == {
        ("schema_violation", "currency", "nothing", "Purchased"),
        ("schema_violation", "store", 'string "7"', "Purchased"),
    }
    assert len(letters) == len(DURING) * 6
    assert not right.letters()
    assert due
    assert wrong.outputs() != due

    # Who is told, and when: at once that something is new, and within minutes that it goes on.
    firing, first = _firing(wrong.scrapes, tmp_path), DURING.start
    assert not any(firing[at] for at in BEFORE)
    assert "NewDeadLetterReason" in firing[first + 1]
    assert firing[first + 5] >= {"DeadLettersGrow", "InvalidEventsBurnSlowly"}
    assert firing[DURING.stop - 1] >= {"DeadLettersGrow", "InvalidEventsBurnFast"}
    assert not any(_firing(right.scrapes, tmp_path).values())

    # How it is mended: the plan learns what the one meant, the other is set right by hand.
    planned_at = int(time.time() * 1000)
    wrong.deployment.apply(later)
    patch = json.dumps(
        [{"op": op, "path": "/properties/store", "value": v} for op, v in (("test", "7"), ("replace", 7))]
    )
    for command, selected in (
        (("replay", "--field", "currency"), 3), (("patch", "--field", "store", "--patch", patch), 3),
        (("replay",), 0),
    ):  # fmt: skip
        done = parse(wrong.deployment.command("dlq", *command, "--yes", "--wait", "--output", "json"))
        assert done["sent"] == selected * len(DURING), done
    wrong.deployment.wait_idle(INPUTS)

    assert wrong.outputs() == due
    for shop, more in ((wrong, [later]), (right, [])):
        examined = shop.deployment.examine(planned, later=more, planned_at=[planned_at] * len(more))
        assert not examined.report, str(examined.report)
