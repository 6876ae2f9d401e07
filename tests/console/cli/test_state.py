"""``offerflow state`` while workers are in the way: what it says of them, without a broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli import state, tables
from console.cli.main import main
from console.cli.state_table import print_adoptions, print_standings
from console.stack.files import StackFiles, State, Wanted
from console.state.adopting import plan_adoption
from console.state.standing import LAYOUT, Stage, Standing, judged
from offerflow.runtime.kafka.admin import Committed, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.settings import KafkaSettings, Settings
from offerflow.runtime.topics import commit_metadata

TOPIC = TopicInfo("offerflow.journal", "here", 8)
FOLDED = Meta(100, None, b"fold", LAYOUT, "here", "cluster", "offerflow.rules", "8")
Run = Callable[..., Result]


def standing(number: int, known: Committed | None, meta: Meta = FOLDED, end: int = 200) -> Standing:
    return judged((TOPIC.name, number), TOPIC, "cluster", "offerflow.rules", known, 0, end, meta)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``offerflow state …`` beside a local stack of three rules workers, one of which is a member of the group;
    the offset of a partition was set by hand. ``kafka`` is the one that the settings lead to."""
    files = StackFiles.find(tmp_path)
    files.make()
    files.write(State(1, "running", "", "127.0.0.1:9", "redis://127.0.0.1:9/0", "offerflow.", 8))
    files.write(Wanted(1, rules=3))
    stage = Stage("rules", "offerflow.rules", ["rules-1"], [standing(3, Committed(70, ""))])
    monkeypatch.setattr(StackFiles, "supervised", lambda self: True)
    monkeypatch.setattr(state, "look", lambda *_: stage)

    def invoke(*arguments: str, kafka: str = "127.0.0.1:9") -> Result:
        settings = Settings(kafka=KafkaSettings(bootstrap_servers=kafka))
        monkeypatch.setattr(state, "connect", lambda files: settings)
        return CliRunner().invoke(main, ["state", *arguments, "--dir", str(tmp_path)])

    return invoke


@pytest.mark.parametrize("more", [(), ("--yes",)])
def test_how_the_workers_of_a_local_stack_stop(run: Run, more: tuple[str, ...], tmp_path: Path) -> None:
    """The command for it, which reaches the same stack, and the one that has them all back; elsewhere there is none."""
    told = run("adopt", *more)
    assert told.exit_code == 75, told.output
    assert f"stop with `offerflow up --detach --rules-workers 0 --dir {tmp_path}`" in told.stderr
    assert f"start again with `offerflow up --detach --rules-workers 3 --dir {tmp_path}`" in told.stderr
    elsewhere = run("adopt", *more, kafka="kafka-1:9092")
    assert elsewhere.exit_code == 75
    assert "stop the rules workers first" in elsewhere.stderr
    assert "--rules-workers" not in elsewhere.stderr


def test_what_adopting_proposes_is_not_asked_for(run: Run) -> None:
    """Of an offset that was set by hand it says what is wrong and which position it takes; `show` advises."""
    told = run("adopt")
    assert "was not committed by this system (its metadata is '')" in told.stdout
    assert "Kafka: commit 100 for group offerflow.rules, found 70" in told.stdout
    assert "--position" not in told.output
    assert "put back the offset that you know to be right" in run("show").stdout


def test_a_reason_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """However many partitions are refused for it, each with its numbers in the table; what differs in more than its
    numbers is told apart."""
    known = [None if number == 4 else Committed(70 + number, "x" if number == 5 else "") for number in range(8)]
    found = [standing(number, one) for number, one in enumerate(known)]
    print_standings(Stage("rules", "offerflow.rules", [], found))
    shown = capsys.readouterr().out
    print_adoptions("rules", [one for one in map(plan_adoption, found) if one is not None])
    adopted = capsys.readouterr().out
    for told in (shown, adopted):
        assert told.count("was not committed by this system") == 2
        assert told.count("has no committed offset") == 1
        assert "\nofferflow.journal/0 to 3, 6, 7: offset_foreign; the numbers are those of offerflow.journal/0" in told
        assert "\nofferflow.journal/4: offset_absent\n" in told
        assert "\nofferflow.journal/5: offset_foreign\n" in told
    assert adopted.count("This takes for granted") == 3
    assert ["offerflow.journal/7", "offset_foreign", "77", "->", "100", "100"] in map(str.split, adopted.splitlines())
    assert ["offerflow.journal/7", "0", "77", "200", "100", "refuse:", "offset_foreign"] in map(
        str.split, shown.splitlines()
    )


def test_what_a_claim_would_do_is_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a narrow terminal, with numbers as large as they become, it goes below."""
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    much = 10**10
    metas = [replace(FOLDED, next=much), replace(FOLDED, next=much, group="other")]
    known = Committed(much + 95, commit_metadata(TOPIC.id, much + 95))
    found = [standing(number, known, meta, much * 2) for number, meta in enumerate(metas)]
    print_standings(Stage("rules", "offerflow.rules", [], found))
    told = capsys.readouterr().out
    assert "fold 10000000000 to 10000000095 again" in told
    assert "refuse: other_group" in told
    assert max(map(len, told.splitlines())) <= 80
