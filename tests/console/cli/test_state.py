"""``offerflow state`` while workers are in the way: what it says of them, without a broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli import state
from console.cli.main import main
from console.stack.files import StackFiles, State, Wanted
from console.state.standing import LAYOUT, Stage, judged
from offerflow.runtime.kafka.admin import Committed, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.settings import KafkaSettings, Settings

TOPIC = TopicInfo("offerflow.journal", "here", 8)
FOLDED = Meta(100, None, b"fold", LAYOUT, "here", "cluster", "offerflow.rules", "8")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``offerflow state …`` beside a local stack of three rules workers, one of which is a member of the group;
    the offset of a partition was set by hand. ``kafka`` is the one that the settings lead to."""
    files = StackFiles.find(tmp_path)
    files.make()
    files.write(State(1, "running", "", "127.0.0.1:9", "redis://127.0.0.1:9/0", "offerflow.", 8))
    files.write(Wanted(1, rules=3))
    standing = judged((TOPIC.name, 3), TOPIC, "cluster", "offerflow.rules", Committed(70, ""), 0, 200, FOLDED)
    stage = Stage("rules", "offerflow.rules", ["rules-1"], [standing])
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
