"""What is drafted of a file, against a catalog in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import infer as commands
from console.plan import inference
from console.plan.drafting import Choices, entry_by_name
from console.plan.inference import infer_from_file
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings

KEY = "event/LessonPaused@1"
CATALOG = Catalog({
    KEY: {"schema": entry_by_name("Lesson Paused", "LessonPaused", Choices()), "schema_id": 1000},
    "head": {"serial": 1, "definitions": [KEY]},
})  # fmt: skip
SETTINGS = Settings(topic_prefix="t.")


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An event each of three names, two of which a type inside events.Meta has."""
    monkeypatch.setattr(inference, "read_catalog", lambda _: CATALOG)
    file = tmp_path / "samples.jsonl"
    events = [{"event": name, "user_id": "u", "properties": {"n": 1}} for name in ("Meta", "Lamp Lit", "origin")]
    file.write_text("\n".join(map(json.dumps, events)))
    return file


def test_names_of_the_meta_record(samples: Path) -> None:
    """Every name is drafted; where events.Meta has the record name, a number is behind it."""
    found = infer_from_file(SETTINGS, samples, None, (), (), 10, Choices())
    assert [(one.event, one.definition["name"]) for one in found.drafts] == [
        ("Meta", "Meta2"), ("Lamp Lit", "LampLit"), ("origin", "Origin2"),
    ]  # fmt: skip
    assert found.refused == {}


def test_a_name_like_the_record_of_another(samples: Path) -> None:
    """An event called LessonPaused is not the planned Lesson Paused: it gets a type of its own."""
    samples.write_text(samples.read_text().replace("Meta", "LessonPaused"))
    found = infer_from_file(SETTINGS, samples, None, (), (), 10, Choices())
    assert found.drafts[0].key == "event/LessonPaused2@1"


def test_a_name_whose_draft_fails_is_refused_alone(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are drafted all the same, and the command says which was left alone, why, and what to do."""
    monkeypatch.setattr("console.plan.record_names.RESERVED", frozenset())
    monkeypatch.setattr(commands, "connect", lambda _: SETTINGS)
    done = CliRunner().invoke(commands.infer, ["--from-file", str(samples), "--output", "json"])
    told = json.loads(done.stdout)
    assert [one["event"] for one in told["drafts"]] == ["Lamp Lit"]
    assert set(told["refused"]) == {"Meta", "origin"}
    shown = CliRunner().invoke(commands.infer, ["--from-file", str(samples)]).stderr
    assert "origin: left alone: the name gave no schema that can be applied" in shown
    assert "events.Origin" in shown
    assert "write one by hand" in shown


def test_a_planned_name_whose_draft_fails_is_refused_alone(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next version of a planned type is a draft like any other: it fails alone, and nothing of it is replayed."""

    def fails(*_: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(inference, "draft_next", fails)
    samples.write_text(samples.read_text().replace("Meta", "Lesson Paused"))
    found = infer_from_file(SETTINGS, samples, None, (), (), 10, Choices())
    assert found.names == ["Lamp Lit", "origin"]
    assert "OverflowError: too large" in found.refused["Lesson Paused"]


def test_only_the_names_that_are_asked_for_are_drafted(samples: Path) -> None:
    """Other names are not drafted; one that the file lacks is an error that offers the nearest."""
    assert infer_from_file(SETTINGS, samples, None, ("Lamp Lit",), (), 10, Choices()).names == ["Lamp Lit"]
    with pytest.raises(OfferflowError, match=r"no sample of 'Lamp Litt'.*did you mean 'Lamp Lit'"):
        infer_from_file(SETTINGS, samples, None, ("Lamp Litt",), (), 10, Choices())
