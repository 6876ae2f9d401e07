"""Scenarios beside definitions: they define nothing."""

from __future__ import annotations

from pathlib import Path

from console.scenarios.workspace import Workspace
from console.workspace.definitions import read_workspace
from console.workspace.problems import Problem

SCENARIO = "kind: scenario\nname: one\nsteps: [{event: Account Created}]\n"


def test_scenarios_are_no_definitions(tmp_path: Path) -> None:
    """They are left out where definitions are read, unknown keys and all; a folder of nothing else defines nothing, and
    applying it with --prune would remove everything."""
    (tmp_path / "one.yaml").write_text(SCENARIO + "whatever: 1\n")
    problems: list[Problem] = []
    assert read_workspace([tmp_path], problems) == {}
    assert [problem.message.partition(";")[0] for problem in problems] == ["holds no definitions"]
    (tmp_path / "sources.yaml").write_text("- {id: shop, origin: backend, topics: [raw.backend]}\n")
    problems.clear()
    assert list(read_workspace([tmp_path], problems)) == ["source/shop"]
    assert problems == []


def test_who_sends_an_event(workspace: Workspace) -> None:
    """The first source that may, unless it has it switched off; somebody for an event that nobody plans, too."""
    assert workspace.source_for("Purchase Completed").id == "shop"
    assert workspace.source_for("Lesson Started").id == "app"
    assert workspace.source_for("Application Opened").id == "app"
    assert workspace.source_for("Whatever").id == "shop"
    assert [workspace.topic_of(name) for name in ("app", "shop", "nobody")] == ["raw.sdk", "raw.backend", "raw.backend"]


def test_without_sources_there_is_one_of_each_origin(tmp_path: Path) -> None:
    """Offers can be tried before anybody said who sends."""
    (tmp_path / "offer.yaml").write_text("kind: settings\nid: rules\ngrace: 5m\n")
    assert sorted(Workspace.read([tmp_path]).sources) == ["backend", "integration", "sdk"]
