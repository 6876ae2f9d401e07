"""``offerflow history rebuild`` over a history of its own; ``show``, which asks Kafka, is tested beside the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli.main import main
from offerflow.runtime.store.reward_list import Wanted, list_rewards
from offerflow.runtime.store.transactions import reading
from tests.consumers.history.said import Kept, entered, fulfilled, satisfied

Run = Callable[..., Result]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def run(kept: Kept) -> Run:
    environment = {
        "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "OFFERFLOW_STORE__URL": str(kept.engine.url),
    }  # fmt: skip
    return lambda *arguments: CliRunner(env=environment).invoke(main, ["history", *arguments])


def newest(kept: Kept) -> int:
    with reading(kept.engine) as connection:
        return list_rewards(connection, Wanted()).next


def test_nothing_is_emptied_unless_told(run: Run, kept: Kept) -> None:
    """What would go is shown, with the topics it would be read from again."""
    kept.take(entered(), satisfied(), fulfilled())
    done = run("rebuild", "outputs")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0, "outputs: 2 rows would be removed, to be read again from:",
    )  # fmt: skip
    assert "  offerflow.reward-satisfied" in done.stdout.splitlines()
    assert "offerflow.dead-letter" not in done.stdout
    assert "add --yes" in done.stderr
    assert (len(kept.table("entry")), len(kept.table("reward"))) == (1, 1)


def test_a_part_must_be_named(run: Run) -> None:
    """The message says what each of them is."""
    done = run("rebuild", "--yes")
    assert done.exit_code == 2
    assert "`events`, the index of what arrived, or `outputs`, entries and rewards" in done.stderr


def test_outputs_that_were_emptied_are_not_complete_and_count_on(run: Run, kept: Kept) -> None:
    """Lists are refused until all is there again, and cursors of before miss nothing then."""
    kept.complete()
    kept.take(entered(), satisfied(), fulfilled())
    before = newest(kept)
    done = run("rebuild", "outputs", "--yes", "--output", "json")
    assert json.loads(done.stdout) == {
        "part": "outputs", "emptied": True, "rows": 2,
        "topics": [f"offerflow.{name}" for name in ("offer-entry", "offer-exit", "reward-satisfied", "reward-reversed",
                                                    "reward-fulfilled")],
    }  # fmt: skip
    assert (kept.table("entry"), kept.table("reward"), kept.fold.complete()) == ([], [], False)
    kept.take(satisfied())
    kept.complete()
    assert newest(kept) > before
    assert [row["state"] for row in kept.table("reward")] == ["satisfied"]
