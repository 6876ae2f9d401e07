"""``offerflow test``: offers tried on scenarios, without a broker."""

from __future__ import annotations

import time
from pathlib import Path

import click

from console.cli.options import output_option
from console.cli.output import print_json
from console.cli.paths import told_paths, writing_below
from console.scenarios.junit import write_junit
from console.scenarios.model import Scenario
from console.scenarios.names import unknown_names
from console.scenarios.reading import read_scenarios
from console.scenarios.report import as_json, show, summary
from console.scenarios.running import Result, run
from console.scenarios.workspace import Workspace
from console.workspace.problems import Problem, WorkspaceProblems


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-k", "pattern", metavar="TEXT", help="Only scenarios with TEXT in their name or file.")
@click.option("-v", "--verbose", is_flag=True, help="Name the scenarios that pass, too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results as JUnit XML.")
@output_option
def test(folders: tuple[Path, ...], pattern: str | None, verbose: bool, junit: Path | None, output: str) -> None:
    """Play the scenarios found below DIR against the definitions found there.

    A scenario (kind: scenario) says which events come, when, and what is expected to follow. Events are judged and
    decided by what runs in production; no broker is needed. Exit code 1 if anything went another way than expected.
    """
    began = time.perf_counter()
    results: list[Result] = []
    problems: list[Problem] = []
    left_out = 0
    try:
        with told_paths():
            scenarios = read_scenarios(folders, problems)
            workspace = Workspace.read(folders)
        problems += unknown_names(workspace, scenarios)
    except WorkspaceProblems as error:
        problems += error.problems
    problems.sort(key=lambda problem: (problem.file, problem.line))
    if not problems:
        chosen = [scenario for scenario in scenarios if pattern is None or _chosen(scenario, pattern)]
        left_out = len(scenarios) - len(chosen)
        results = [run(workspace, scenario) for scenario in chosen]
    if junit is not None:
        with writing_below(junit, "--junit"):
            write_junit(junit, results, problems)
    if output == "json":
        told = [{"file": p.file, "line": p.line, "path": list(p.path), "message": p.message} for p in problems]
        print_json({"problems": told, "scenarios": [as_json(result) for result in results]})
    else:
        show(results, verbose=verbose)
    _tell(problems, results, left_out, pattern, time.perf_counter() - began)
    if problems or not results or not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


def _tell(problems: list[Problem], results: list[Result], left_out: int, pattern: str | None, seconds: float) -> None:
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    if problems:
        many = "s" if len(problems) > 1 else ""
        click.echo(f"{len(problems)} problem{many}; no scenario was played", err=True)
    elif not results:
        why = (
            f"no scenario has {pattern!r} in its name or file" if left_out else "there is no scenario (kind: scenario)"
        )
        click.echo(f"error: {why}", err=True)
    else:
        more = f"; {left_out} left out" if left_out else ""
        click.echo(summary(results, seconds) + more, err=True)


def _chosen(scenario: Scenario, pattern: str) -> bool:
    return pattern.casefold() in f"{scenario.name}\n{scenario.document.file}".casefold()
