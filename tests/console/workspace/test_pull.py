"""The catalog as files: what is written reads back as the same, and what people wrote is left alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.workspace.conflicts import earlier_content
from console.workspace.definitions import Definition, read_workspace
from console.workspace.problems import Problem
from console.workspace.pulled import Base
from console.workspace.pulling import Pull, plan_pull
from console.workspace.rendering import definition_tree, documents_text, event_text
from console.workspace.state import state_of
from console.workspace.writing import write_files
from tests.console.workspace.conftest import Deployed
from tests.console.workspace.samples import ALL, CONDITION, OFFER, SOURCES, X, event, optional, with_

WORKSPACES = Path(__file__).parents[2] / "workspaces"
STANDARD = Path(__file__).parents[3] / "schemas" / "events"
DEMO = Path(__file__).parents[3] / "deploy" / "demo"


@dataclass
class Folder:
    """A folder that a catalog is pulled into."""

    path: Path
    deployed: Deployed
    base: Base | None = None

    def defined(self) -> dict[str, Definition]:
        problems: list[Problem] = []
        found = read_workspace([self.path], problems, may_be_empty=True)
        assert problems == []
        return found

    def plan(self) -> Pull:
        catalog = self.deployed.catalog
        earlier = functools.partial(earlier_content, catalog)
        return plan_pull(self.path, state_of(catalog), self.defined(), self.base, earlier)

    def pull(self) -> list[str]:
        """What was done, as the command says it; the base moves along."""
        planned, state = self.plan(), state_of(self.deployed.catalog)
        write_files(planned.steps, state, self.defined())
        self.base = Base(0)
        self.base.take(self.deployed.catalog.head.serial, state, state)
        return [f"{step.action} {step.name} {step.file.relative_to(self.path)}" for step in planned.steps]

    def files(self) -> dict[str, str]:
        return {str(one.relative_to(self.path)): one.read_text("utf-8") for one in sorted(self.path.rglob("*.*"))}


@pytest.fixture
def folder(deployed: Deployed, tmp_path: Path) -> Folder:
    """Beside the workspace that the catalog grows from, and outside of it."""
    return Folder(tmp_path.with_name(f"{tmp_path.name}-pulled"), deployed)


def test_files_and_back(folder: Folder) -> None:
    """One file per event version, condition and offer, one for sources and one for settings; read again they are what
    the catalog has."""
    settings = "kind: settings\nid: rules\ngrace: 1m\n"
    folder.deployed.apply({**ALL, "A2.avsc": event(X, optional("y"), version=2), "rules.yaml": settings})
    assert folder.pull() == [
        "add condition/c conditions/c.yaml", "add event/A@1 events/A@1.avsc", "add event/A@2 events/A@2.avsc",
        "add offer/o offers/o.yaml", "add settings/rules settings.yaml", "add source/app sources.yaml",
        "add source/shop sources.yaml",
    ]  # fmt: skip
    assert folder.files()["settings.yaml"] == settings
    state = state_of(folder.deployed.catalog)
    assert {name: one.content for name, one in folder.defined().items()} == state
    assert folder.files()["offers/o.yaml"] == "kind: offer\nid: o\nname: Old\nentry: {condition: c}\n"
    assert folder.files()["sources.yaml"] == (
        "- {id: app, origin: sdk}\n- {id: shop, origin: backend, topics: [raw.backend]}\n"
    )
    assert folder.files()["events/A@2.avsc"] == (
        '{\n  "type": "record",\n  "name": "A",\n  "version": 2,\n  "fields": [\n'
        '    {"name": "meta", "type": "events.Meta"},\n    {"name": "x", "type": "double"},\n'
        '    {"name": "y", "type": ["null", "string"], "default": null}\n  ]\n}\n'
    )
    assert folder.pull() == []


@pytest.mark.parametrize("workspace", [WORKSPACES / "coffee", STANDARD, DEMO], ids=lambda path: path.name)
def test_every_workspace_reads_back(workspace: Path, tmp_path: Path) -> None:
    """Whatever is applied can be pulled: the standard plan, the demo's, hostile names."""
    problems: list[Problem] = []
    state = {name: one.content for name, one in read_workspace([workspace], problems).items()}
    pull = plan_pull(tmp_path, state, {}, None, lambda *_: None)
    write_files(pull.steps, state, {})
    again = {name: one.content for name, one in read_workspace([tmp_path], problems).items()}
    assert (again, problems) == (state, [])


def test_the_whole_language_reads_back(folder: Folder) -> None:
    """An offer with dates, shares, durations and expressions comes back as the same definition."""
    offer = (
        "kind: offer\nid: o\nentry: {event: A, where: 'x > 1 && meta.source == \"a: b\"', from: 2026-03-01}\n"
        "completion: immediate\nexpires_after: 1d12h\nreentry: {per_key: x}\nstarts: 2026-03-01\n"
        "ends: 2026-03-02T09:00\n"
        "holdout: 2.5%\nreward: {id: r, value: {expr: x * 0.05, max: 20, currency: EUR}, pending: 14d}\n"
    )
    folder.deployed.apply({"A.avsc": event(), "o.yaml": offer})
    folder.pull()
    assert folder.defined()["offer/o"].content == state_of(folder.deployed.catalog)["offer/o"]
    assert folder.pull() == []


def test_what_people_wrote_stays(folder: Folder) -> None:
    """Only what differs is written: comments, other documents of the file and other items of the list are kept."""
    folder.deployed.apply(ALL)
    folder.path.mkdir()
    (folder.path / "rules.yaml").write_text(f"# ours\n{CONDITION}---\n# theirs\n{OFFER}", "utf-8")
    (folder.path / "who.yaml").write_text(f"# senders\n{SOURCES}# end\n", "utf-8")
    assert folder.pull() == ["add event/A@1 events/A@1.avsc"]
    changed = {"c.yaml": CONDITION.replace("> 1", "> 2"), "s.yaml": SOURCES + "- {id: more, origin: sdk}\n"}
    folder.deployed.apply(changed, how="console")
    assert folder.pull() == ["change condition/c rules.yaml", "add source/more who.yaml"]
    assert {name: one.content for name, one in folder.defined().items()} == state_of(folder.deployed.catalog)
    files = folder.files()
    assert "where: x > 2" in files["rules.yaml"]
    assert "name: Old" in files["rules.yaml"]
    assert files["who.yaml"].startswith("# senders\n- {id: shop")
    assert files["who.yaml"].count("id:") == 3


def test_what_was_removed_there_goes_here(folder: Folder) -> None:
    """A file that defines nothing any more is removed, a document or an item of several alone."""
    folder.deployed.apply(ALL)
    folder.pull()
    folder.deployed.apply({"A.avsc": event(), "c.yaml": CONDITION, "s.yaml": "- {id: app, origin: sdk}\n"}, prune=True)
    assert folder.pull() == ["remove offer/o offers/o.yaml", "remove source/shop sources.yaml"]
    assert sorted(folder.files()) == ["conditions/c.yaml", "events/A@1.avsc", "sources.yaml"]
    assert folder.files()["sources.yaml"] == "- {id: app, origin: sdk}\n"


def test_edits_are_not_overwritten(folder: Folder) -> None:
    """What was edited, deleted or never pulled here is told, with what was edited, and stands in the way."""
    folder.deployed.apply(ALL)
    folder.pull()
    (folder.path / "offers" / "o.yaml").write_text(OFFER.replace("Old", "Mine"), "utf-8")
    (folder.path / "conditions" / "c.yaml").unlink()
    folder.deployed.apply({"o.yaml": OFFER.replace("Old", "Theirs")}, how="console")
    said = [str(problem).removeprefix(f"{folder.path}/") for problem in folder.plan().edited]
    assert said == [
        f"{folder.path}:1: condition c was deleted here since it was pulled; --force brings it back",
        "offers/o.yaml:1: offer o was edited here since it was pulled (name: Old -> Mine); --force takes the catalog's",
    ]
    folder.base = None
    assert "differs from the catalog's and was never pulled" in str(folder.plan().edited[0])


def test_forced(folder: Folder) -> None:
    """Carried out all the same, the folder says what the catalog says; what only it has is left alone."""
    folder.deployed.apply(ALL)
    folder.pull()
    (folder.path / "offers" / "o.yaml").write_text(OFFER.replace("Old", "Mine"), "utf-8")
    (folder.path / "mine.yaml").write_text(OFFER.replace("id: o", "id: mine"), "utf-8")
    assert folder.plan().kept == ["offer/mine"]
    assert folder.pull() == ["change offer/o offers/o.yaml"]
    assert set(folder.defined()) == {*state_of(folder.deployed.catalog), "offer/mine"}


def test_a_file_edited_into_the_next_version(folder: Folder) -> None:
    """The version before is no local deletion; another file of the same name is not overwritten."""
    folder.deployed.apply(ALL)
    folder.pull()
    newer = event(X, optional("y"), version=2)
    (folder.path / "events" / "A@1.avsc").write_text(newer, "utf-8")
    folder.deployed.apply(with_(A_avsc=newer))
    assert folder.plan() == Pull(superseded=["event/A@1"])
    (folder.path / "offers" / "p.yaml").write_text(OFFER.replace("id: o", "id: mine"), "utf-8")
    folder.deployed.apply({"p.yaml": OFFER.replace("id: o", "id: p")}, how="console")
    assert folder.pull() == ["add offer/p offers/p-2.yaml"]


@pytest.mark.parametrize("edited", [False, True])
def test_a_version_that_was_rolled_back(folder: Folder, edited: bool) -> None:
    """The file that became the next version becomes the version that the catalog has again, and is not removed; also
    if it was edited once more and the pull is forced."""
    folder.deployed.apply(ALL)
    folder.pull()
    path = folder.path / "events" / "A@1.avsc"
    path.write_text(event(X, optional("y"), version=3), "utf-8")
    folder.deployed.apply(with_(A_avsc=event(X, optional("y"), version=3)))
    assert folder.base is not None
    folder.base.take(2, state_of(folder.deployed.catalog), ["event/A@3"])
    if edited:
        path.write_text(event(X, optional("y"), optional("z"), version=3), "utf-8")
    folder.deployed.roll_back(1)
    said = [str(problem).removeprefix(f"{folder.path}/") for problem in folder.plan().edited]
    assert [one.split(";")[0] for one in said] == (
        ["events/A@1.avsc:1: event A@3 was edited here, and removed in the catalog"] if edited else []
    )
    assert folder.pull() == ["add event/A@1 events/A@1.avsc", "remove event/A@3 events/A@1.avsc"]
    assert {name: one.content for name, one in folder.defined().items()} == state_of(folder.deployed.catalog)
    assert folder.plan() == Pull()


def test_an_older_version_beside_one_that_goes(folder: Folder) -> None:
    """Two versions of three were written over one another; what the folder keeps still stands for the older one."""
    folder.deployed.apply({**ALL, "A2.avsc": event(X, optional("y"), version=2)})
    folder.pull()
    (folder.path / "events" / "A@1.avsc").write_text(event(X, optional("z"), version=3), "utf-8")
    folder.deployed.apply({"A3.avsc": event(X, optional("z"), version=3)})
    assert folder.base is not None
    folder.base.take(2, state_of(folder.deployed.catalog), ["event/A@3"])
    folder.deployed.roll_back(1)
    assert folder.plan().superseded == ["event/A@1"]
    assert folder.pull() == ["remove event/A@3 events/A@1.avsc"]


def test_an_event_among_others_in_a_file(folder: Folder) -> None:
    """A schema may stand in YAML too; forced to change, the other documents of its file stay."""
    folder.deployed.apply(ALL)
    folder.path.mkdir()
    (folder.path / "all.yaml").write_text(f"{event(doc='mine')}\n---\n{CONDITION}---\n{OFFER}", "utf-8")
    assert folder.pull()[0] == "change event/A@1 all.yaml"
    assert {name: one.content for name, one in folder.defined().items()} == state_of(folder.deployed.catalog)


@pytest.mark.parametrize(("text", "file"), [("# nobody yet\n", "sources-2.yaml"), ("[]\n", "sources.yaml"),
                                            ("kind: offer\nid: p\nentry: {event: A}\n", "sources.yaml")])  # fmt: skip
def test_a_file_of_sources_without_any(folder: Folder, text: str, file: str) -> None:
    """What a person wrote there is not overwritten."""
    folder.deployed.apply({"s.yaml": "- {id: app, origin: sdk}\n"})
    folder.path.mkdir()
    (folder.path / "sources.yaml").write_text(text, "utf-8")
    assert folder.pull() == [f"add source/app {file}"]
    assert text.strip("[]\n") in folder.files()["sources.yaml"]
    assert "source/app" in folder.defined()


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30) | st.sampled_from(
    ["yes", "null", "1e3", "- a", "a: b", "#", "a #b", "0o7", "'", '"', "{a}", "~", "2026-01-01", " x", "=", "<<"]
)


@given(st.dictionaries(st.sampled_from(["x", "y", "zé", "?k", ":", "-k"]), TEXTS), TEXTS)
@example({"x": "?0", "?k": ":0"}, "-0")
def test_any_text_reads_back(attributes: dict[str, str], name: str) -> None:
    """Names and values that YAML could take for something else are quoted."""
    from ruamel.yaml import YAML

    offer = {"kind": "offer", "id": "o", "name": name, "variants": [{"id": "a", "attributes": attributes}]}
    assert YAML(typ="safe", pure=True).load(documents_text([definition_tree(offer)])) == offer


def test_the_same_text_every_time() -> None:
    """Whatever order the catalog has the keys in, people read them in one."""
    schema = {"fields": [{"type": "string", "name": "a"}], "doc": "Ä", "name": "A", "event": ["A"], "type": "record"}
    assert event_text(schema) == event_text(dict(reversed(schema.items())))
    assert event_text(schema).splitlines()[1:5] == [
        '  "type": "record",', '  "name": "A",', '  "doc": "Ä",', '  "event": ["A"],',
    ]  # fmt: skip
