"""What docs/testing-offers.md shows, done as it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from console.cli.main import main
from console.scenarios.definition import ACTIONS, ExpectDefinition, StepDefinition
from console.scenarios.expectations import expectations
from console.scenarios.times import Calendar

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "testing-offers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


@pytest.fixture
def tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as it is after the first section."""
    offer, scenarios = blocks("yaml")[:2]
    shutil.copytree(ROOT / "schemas" / "events", tmp_path / "schemas" / "events")
    (tmp_path / "shop" / "tests").mkdir(parents=True)
    (tmp_path / "shop" / "coffee-card.yaml").write_text(offer)
    (tmp_path / "shop" / "tests" / "coffee-card.yaml").write_text(scenarios)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed() -> Result:
    """The command of the page."""
    (command,) = blocks("sh")
    return CliRunner().invoke(main, command.split()[1:])


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_tutorial_passes(tutorial: Path) -> None:
    """Both scenarios of the first section hold."""
    done = typed()
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.partition(" in ")[0] == blocks("text")[0].strip()


def test_the_tutorial_fails_as_shown(tutorial: Path) -> None:
    """With the change of the second section the command prints what the page prints, line by line."""
    offer = tutorial / "shop" / "coffee-card.yaml"
    offer.write_text(offer.read_text().replace("count: {at_least: 3}", "count: {at_least: 4}"))
    done = typed()
    assert done.exit_code == 1
    told = re.sub(r"definition [0-9a-f]{16}", "definition …", done.stdout)
    assert lines(told) == lines(blocks("text")[1])
    assert done.stderr.startswith("1 passed, 1 failed in ")


def test_every_key_is_on_the_page() -> None:
    """Steps and expectations that the code knows, and only those, are in the tables."""
    steps, _, expectations = PAGE.partition("## Expectations")
    cells = [line.split("|")[1] for line in steps.partition("## Steps")[2].splitlines() if line.startswith("| `")]
    named = {re.match(r"\w+", code)[0] for cell in cells for code in re.findall(r"`([^`]+)`", cell)}  # type: ignore[index]
    keys = {info.alias or name for name, info in StepDefinition.model_fields.items()}
    assert set(ACTIONS) <= named
    assert keys - named <= {"at", "after", "user", "anonymous", "expect", "key", "by"}
    assert named <= keys
    table = [line.split("|")[1].strip(" `") for line in expectations.splitlines() if line.startswith("| `")]
    assert table[: len(ExpectDefinition.model_fields)] == [*table][: len(ExpectDefinition.model_fields)]
    assert set(ExpectDefinition.model_fields) <= set(table)


def test_small_examples_are_what_they_say() -> None:
    """The list of expectations can be read as it stands, and the line about arms is one of a scenario."""
    listed, arms = (YAML(typ="safe", pure=True).load(text) for text in blocks("yaml")[2:])
    written = ExpectDefinition.model_validate(listed["expect"])
    told: list[str] = []
    found = list(expectations(written, (), Calendar.of("2026-01-05", "UTC"), lambda _, message: told.append(message)))
    assert told == []
    assert [one.name for one in found] == ["third-order", *["cashback"] * 7]
    assert [one.wants["value"] for one in found if one.kind == "satisfied" and one.wants] == ["1.50 EUR"] * 2
    assert arms["arms"] == {"upgrade": "bold", "bonus": "holdout"}
