"""Results as JUnit XML, which continuous integration shows beside a change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from console.scenarios.report import NOTHING
from console.scenarios.running import Failure, Result
from console.workspace.problems import Problem

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(file: Path, results: Sequence[Result], problems: Sequence[Problem]) -> None:
    """A suite per file of scenarios. Problems that kept them from running are errors of a case of their own."""
    suites: dict[str, list[Result]] = {}
    for result in results:
        suites.setdefault(result.scenario.document.file, []).append(result)
    root = Element("testsuites")
    for name, members in suites.items():
        seconds = sum(result.seconds for result in members)
        failed = sum(not result.passed for result in members)
        suite = _suite(root, name, len(members), failed, 0, seconds)
        for result in members:
            case = _case(suite, result.scenario.name, name, result.scenario.document.line(()), result.seconds)
            for failure in result.failures:
                told = SubElement(case, "failure", message=_clean(f"{failure.place}: {failure.step.text}"))
                told.text = _clean(_text(failure))
    if problems:
        suite = _suite(root, "problems", len(problems), 0, len(problems), 0.0)
        for problem in problems:
            case = _case(suite, f"{problem.file}:{problem.line}", problem.file, problem.line, 0.0)
            SubElement(case, "error", message=_clean(str(problem)))
    ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _suite(root: Element, name: str, tests: int, failures: int, errors: int, seconds: float) -> Element:
    return SubElement(
        root, "testsuite", name=_clean(name), tests=str(tests), failures=str(failures), errors=str(errors),
        time=f"{seconds:.6f}",
    )  # fmt: skip


def _case(suite: Element, name: str, file: str, line: int, seconds: float) -> Element:
    return SubElement(
        suite, "testcase", name=_clean(name), classname=_clean(file), file=_clean(file), line=str(line),
        time=f"{seconds:.6f}",
    )  # fmt: skip


def _text(failure: Failure) -> str:
    lines = [f"expected: {miss.wanted or NOTHING}\n     got: {miss.got or NOTHING}" for miss in failure.misses]
    return "\n".join([*lines, *([failure.hint] if failure.hint else [])])


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
