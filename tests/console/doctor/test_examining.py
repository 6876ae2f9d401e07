"""Running the parts and telling what they found, with parts of the test's own."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli.main import main
from console.doctor import examining
from console.doctor.examining import KAFKA, REDIS, Part, examine, part, reaching
from console.doctor.finding import Check, Finding, Verdict
from console.doctor.parts import AREAS, PARTS, SERVICES
from console.doctor.telling import as_json, lines, summary
from console.stack.files import CHECKOUT
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.settings import Settings

HERE, THERE, ALSO = (Check(name, "area", "what is expected") for name in ("here", "there", "also"))


def _ok(*checks: Check) -> Part:
    return part(lambda _: [check.ok("well") for check in checks], checks)


def _examined(services: dict[str, Part], *parts: Part) -> list[Finding]:
    return examine(Settings(), services, parts, lambda done, total: None)


def test_every_check_has_an_id_and_an_area_of_its_own() -> None:
    """Ids are lower case with dashes, and no two are the same."""
    checks = [check for one in (*SERVICES.values(), *PARTS) for check in one.checks]
    ids = [check.id for check in checks]
    assert len(set(ids)) == len(ids)
    assert all(name == name.lower() and name.replace("-", "").isalnum() for name in ids)
    assert {check.area for check in checks} == set(AREAS)


def test_the_page_tells_of_every_check_and_advice_leads_somewhere() -> None:
    """Every id is in docs/doctor.md; every page, and every section of one, that a check sends people to is there."""
    page = (CHECKOUT / "docs" / "doctor.md").read_text(encoding="utf-8")
    ids = {check.id for one in (*SERVICES.values(), *PARTS) for check in one.checks}
    assert {name for name in ids if f"`{name}`" not in page} == set()
    code = "".join(file.read_text(encoding="utf-8") for file in (CHECKOUT / "console" / "doctor").glob("*.py"))
    named = set(re.findall(r"docs/([a-z-]+\.md)(?:#([a-z_]+))?", code))
    assert len(named) > 8
    for file, section in named:
        text = (CHECKOUT / "docs" / file).read_text(encoding="utf-8")
        titles = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
        assert not section or section in titles, f"docs/{file} has no section {section}"


def test_a_part_that_fails_is_unknown_and_the_others_are_made() -> None:
    """Whether a service goes away in the middle, a defect shows, or an answer leaves a check out."""

    def down(_: Settings) -> Iterable[Finding]:
        raise KafkaDown("Kafka went away")

    def broken(_: Settings) -> Iterator[Finding]:
        yield THERE.ok("well")
        raise ZeroDivisionError("oops")

    found = _examined({}, part(down, (HERE,)), part(broken, (THERE,)), part(lambda _: [], (ALSO,)))
    assert [(one.id, one.verdict, one.found) for one in found] == [
        ("here", "unknown", "Kafka went away"), ("there", "unknown", "the check failed: ZeroDivisionError: oops"),
        ("also", "unknown", "it was not looked at"),
    ]  # fmt: skip


def test_a_part_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time it is unknown, and the examination ends."""
    monkeypatch.setattr(examining, "LIMIT_S", 0.01)
    release = threading.Event()

    def hang(_: Settings) -> Iterable[Finding]:
        release.wait(60)
        return []

    try:
        hung, well = _examined({}, part(hang, (HERE,)), _ok(THERE))
    finally:
        release.set()
    assert (hung.verdict, hung.found) == ("unknown", "there was no answer within 0.01 s")
    assert well.verdict == "ok"


@pytest.mark.parametrize("error", [TimeoutError("no answer within 1 s"), ValueError("no URL"), KafkaDown("away")])
def test_whatever_keeps_a_service_from_answering_is_bad(error: Exception) -> None:
    """For the check that it answers; what else was to be told of it is unknown, and what needs it is not tried."""

    def fail(_: Settings) -> Iterable[Finding]:
        raise error

    found = _examined({KAFKA: reaching(fail, (HERE, THERE))}, part(lambda _: [ALSO.ok("well")], (ALSO,), KAFKA))
    assert [(one.id, one.verdict) for one in found] == [("here", "bad"), ("there", "unknown"), ("also", "unknown")]
    assert str(error) in found[0].found
    assert found[0].do
    assert found[1].found == "it cannot be asked: see here"


def test_what_needs_a_service_that_is_away_is_not_tried() -> None:
    """It is unknown, and names the check that says why."""
    tried: list[str] = []

    def look(_: Settings) -> Iterable[Finding]:
        tried.append("looked")
        return [THERE.ok("well")]

    away = part(lambda _: [HERE.bad("no answer", "start it")], (HERE,))
    found = _examined({KAFKA: away, REDIS: _ok(ALSO)}, part(look, (THERE,), KAFKA, REDIS))
    assert [(one.id, one.verdict) for one in found] == [("here", "bad"), ("also", "ok"), ("there", "unknown")]
    assert found[2].found == "Kafka cannot be asked: see here"
    assert tried == []


FOUND = [
    HERE.ok("well"), THERE.warn("it is odd", "`offerflow mend it`"), ALSO.unknown("nobody answers"),
    Check("last", "area", "x").unknown("nobody answers"), Check("far", "other", "x").ok("well"),
]  # fmt: skip


def test_only_what_is_not_ok_is_told_unless_all_is_wanted() -> None:
    """What is unknown for the same reason is told once; what is wrong with what was expected and what to do."""
    told = ["".join(line[:2]) for line in lines(FOUND, whole=False, width=None)]
    assert told == [
        "area", "  warn     there", "           it is odd", "           expected: what is expected",
        "           to do: `offerflow mend it`", "  unknown  also, last", "           nobody answers", "",
    ]  # fmt: skip
    whole = ["".join(line[:2]) for line in lines(FOUND, whole=True, width=None)]
    assert "  ok       here  well" in whole
    assert "other" in whole
    assert summary(FOUND) == "5 checks: 2 ok, 2 unknown, 1 warn"


def test_lines_fit_the_terminal() -> None:
    """What is longer goes on below, indented."""
    long = HERE.bad("word " * 60, "`offerflow state show --stage validation` " * 3)
    told = ["".join(line[:2]) for line in lines([long, THERE.ok("word " * 40)], whole=True, width=80)]
    assert max(map(len, told)) <= 80
    assert sum("word" in line for line in told) > 5


def test_programs_get_everything() -> None:
    """Every check with all its fields, and how many of each verdict."""
    said = as_json(FOUND)
    assert said["counts"] == {"ok": 2, "unknown": 2, "warn": 1, "bad": 0}
    assert said["checks"][1] == {
        "id": "there", "area": "area", "verdict": "warn", "found": "it is odd", "expected": "what is expected",
        "do": "`offerflow mend it`",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        ({}, False, 0),
        ({"python": "warn", "libraries": "unknown"}, False, 0),
        ({"python": "warn"}, True, 1),
        ({"libraries": "unknown"}, True, 1),
        ({"python": "bad"}, False, 1),
        ({"kafka-reachable": "bad"}, False, 1),
        ({"redis-reachable": "bad"}, False, 1),
        ({"kafka-reachable": "bad", "redis-reachable": "unknown"}, False, 69),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    verdicts: dict[str, Verdict], strict: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is unknown is no fault unless asked to be strict; a service alone that is away is one, and both of them are
    a code of their own."""
    ids = [check.id for one in (*SERVICES.values(), *PARTS) for check in one.checks]
    found = [Finding(name, "area", verdicts.get(name, "ok"), "found", "expected") for name in ids]
    monkeypatch.setattr("console.doctor.parts.examination", lambda settings, progress: found)
    monkeypatch.setenv("OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(main, ["doctor", "--dir", str(tmp_path), *(["--strict"] if strict else [])])
    assert done.exit_code == code, done.output
    assert done.stdout.splitlines()[-1] == summary(found)
