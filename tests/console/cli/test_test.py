"""``offerflow test`` as a person or a pipeline calls it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from console.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
EVENTS = ROOT / "schemas" / "events"

OFFER = """\
kind: offer
id: coffee-card
entry: {event: Account Created}
completion: {event: Purchase Completed, where: amount >= 3, count: {at_least: 3}}
expires_after: 30d
reward: {id: free-coffee, value: 4 EUR}
"""
PASSES = """\
kind: scenario
name: The third coffee earns one
steps:
  - event: Account Created
    expect: {entered: coffee-card}
  - event: Purchase Completed
    with: {order_id: "o-{n}", amount: 3.5, currency: EUR}
    times: 2
    every: 1d
    expect: {progress: {coffee-card: 2 of 3}}
  - event: Purchase Completed
    with: {order_id: o-3, amount: 3.5, currency: EUR}
    expect: {satisfied: {free-coffee: 4 EUR}}
"""
FAILS = """\
kind: scenario
name: <Two> coffees would do & more
steps:
  - event: Account Created
    expect: {entered: coffee-card}
  - event: Purchase Completed
    with: {order_id: "o-{n}", amount: 3.5, currency: EUR}
    times: 2
    expect:
      satisfied: free-coffee
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "tests").mkdir(parents=True)
    (folder / "coffee-card.yaml").write_text(OFFER)
    (folder / "tests" / "passes.yaml").write_text(PASSES)
    return folder


def play(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["test", str(EVENTS), *map(str, arguments)])


def test_all_that_passes_is_told_in_one_line(shop: Path) -> None:
    """Exit code 0, nothing on stdout, and how many; -v names them with their place."""
    done = play(shop)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("1 passed in ")
    assert f"ok   The third coffee earns one  {shop}/tests/passes.yaml:1" in "".join(
        play(shop, "-v").stdout.split("\n")
    )


def test_a_failure_tells_place_difference_and_what_is_missing(shop: Path, tmp_path: Path) -> None:
    """Exit code 1; expected and got side by side, file and line of the expectation, the tree with what is missing; the
    same as JSON and as JUnit XML."""
    (shop / "tests" / "fails.yaml").write_text(FAILS)
    junit = tmp_path / "junit.xml"
    done = play(shop, "--junit", junit)
    assert done.exit_code == 1
    assert done.stderr.startswith("1 passed, 1 failed in ")
    told = " ".join(done.stdout.split())
    assert f"FAIL <Two> coffees would do & more {shop}/tests/fails.yaml:1" in told.replace("\n", "")
    assert "fails.yaml:10: Purchase Completed at day 1 09:01, 2 times" in told
    assert "10 satisfied free-coffee nothing" in told
    assert "2 of 3" in told
    assert "missing: 1 more" in told

    output = json.loads(play(shop, "--output", "json").stdout)
    assert output["problems"] == []
    failed, passed = output["scenarios"]
    assert (passed["passed"], passed["failures"]) == (True, [])
    (failure,) = failed["failures"]
    assert (failure["file"], failure["line"]) == (f"{shop}/tests/fails.yaml", 10)
    assert failure["differences"] == [{"line": 10, "expected": "satisfied free-coffee", "got": None}]
    assert failure["explained"][0]["instances"][0]["completion"]["progress"] == "2 of 3"

    tree = ElementTree.parse(junit).getroot()  # noqa: S314 - our own file
    suites = {Path(suite.attrib["name"]).name: suite for suite in tree}
    assert {name: (one.attrib["tests"], one.attrib["failures"]) for name, one in suites.items()} == {
        "passes.yaml": ("1", "0"), "fails.yaml": ("1", "1"),
    }  # fmt: skip
    (case,) = suites["fails.yaml"]
    assert case.attrib["name"] == "<Two> coffees would do & more"
    assert case[0].text == "expected: satisfied free-coffee\n     got: nothing"


def test_some_may_be_chosen(shop: Path) -> None:
    """-k takes scenarios by their name or file; that there is none is an error."""
    (shop / "tests" / "fails.yaml").write_text(FAILS)
    assert play(shop, "-k", "third COFFEE").exit_code == 0
    assert play(shop, "-k", "passes.yaml").stderr.endswith("; 1 left out\n")
    nothing = play(shop, "-k", "tea")
    assert nothing.exit_code == 1
    assert nothing.stderr == "error: no scenario has 'tea' in its name or file\n"
    (shop / "tests" / "passes.yaml").unlink()
    (shop / "tests" / "fails.yaml").unlink()
    assert play(shop).stderr == "error: there is no scenario (kind: scenario)\n"


def test_what_is_wrong_in_files_is_told_at_once(shop: Path, tmp_path: Path) -> None:
    """Definitions that do not hold, scenarios that cannot be read, and names that nothing has: all of them, by place,
    and nothing is played; in XML too."""
    (shop / "tests" / "fails.yaml").write_text(FAILS.replace("free-coffee", "free-cofee").replace("entered", "enterd"))
    (shop / "broken.yaml").write_text(OFFER.replace("coffee-card", "other").replace("amount", "amonut"))
    done = play(shop, "--junit", tmp_path / "junit.xml")
    assert done.exit_code == 1
    broken, unreadable, count = done.stderr.splitlines()
    assert broken.startswith(f"error: {shop}/broken.yaml:4: completion.where")
    assert unreadable.startswith(f"error: {shop}/tests/fails.yaml:5: steps.0.expect.enterd: unknown key 'enterd'")
    assert count == "2 problems; no scenario was played"
    assert len(ElementTree.parse(tmp_path / "junit.xml").findall(".//error")) == 2  # noqa: S314 - ours

    (shop / "broken.yaml").unlink()
    (shop / "tests" / "fails.yaml").write_text(FAILS.replace("free-coffee", "free-cofee"))
    problem = play(shop).stderr.splitlines()[0]
    assert problem == (
        f"error: {shop}/tests/fails.yaml:10: steps.1.expect.satisfied: there is no reward 'free-cofee'; did you mean"
        " 'free-coffee'?"
    )
    assert json.loads(play(shop, "--output", "json").stdout)["problems"][0]["line"] == 10


def test_scenarios_stand_in_files_of_their_own(shop: Path) -> None:
    """A file that holds definitions too is refused, since a pull would write over its scenarios."""
    (shop / "coffee-card.yaml").write_text(f"{OFFER}---\n{PASSES.replace('third', '3rd')}")
    done = play(shop)
    assert done.exit_code == 1
    assert "offer/coffee-card stands in a file with scenarios (8); give them one of their own" in done.stderr


def test_a_folder_that_is_not_there_is_a_wrong_command() -> None:
    """Exit code 2, as for every path that cannot be used."""
    assert play("nowhere").exit_code == 2
