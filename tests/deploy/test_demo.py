"""The demo workspace does what its scenarios say, and has one for each of its offers."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from ruamel.yaml import YAML

from console.cli.main import main

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo"


def test_every_scenario_of_the_demo_holds() -> None:
    """`offerflow test` passes on the workspace as it is shipped."""
    done = CliRunner().invoke(main, ["test", str(ROOT / "schemas" / "events"), str(DEMO)])
    assert done.exit_code == 0, done.output
    assert "failed" not in done.output


def test_every_offer_of_the_demo_has_a_scenario() -> None:
    """A file of scenarios bears the name of each offer that is not a draft."""
    yaml = YAML(typ="safe", pure=True)
    documents = [one for path in (DEMO / "offers").glob("*.yaml") for one in yaml.load_all(path.read_text("utf-8"))]
    live = {one["id"] for one in documents if one.get("status", "live") != "draft"}
    assert {path.stem for path in (DEMO / "scenarios").glob("*.yaml")} == live
