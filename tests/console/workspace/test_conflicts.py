"""Changes in the catalog that files would silently undo."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.workspace.conflicts import Conflict, WorkspaceConflicts, find_conflicts
from console.workspace.pulled import Base, Bases, read_base, write_base
from console.workspace.state import state_of
from tests.console.workspace.conftest import Deployed, Files
from tests.console.workspace.samples import ALL, CONDITION, OFFER, SOURCES, X, event, optional, with_

NAMES = ("event/A@1", "condition/c", "offer/o", "source/shop", "source/app")


def pulled(deployed: Deployed) -> Base:
    """What a folder remembers that was pulled now."""
    base = Base(0)
    state = state_of(deployed.catalog)
    base.take(deployed.catalog.head.serial, state, state)
    return base


def conflicts(deployed: Deployed, files: Files, base: Base | None, *removed: str) -> list[Conflict]:
    for path in [one for one in deployed.folder.rglob("*") if one.is_file()]:
        path.unlink()
    defined = deployed.read(files).defined
    return find_conflicts(deployed.catalog, defined, removed, lambda *_: base)


def edited(name: str) -> str:
    return OFFER.replace("name: Old", f"name: {name}")


def test_nobody_else_changed_anything(deployed: Deployed) -> None:
    """Local edits are no conflict, with a base or without."""
    deployed.apply(ALL)
    mine = with_(o_yaml=edited("Mine"), s_yaml=SOURCES.replace("raw.backend", "raw.till"))
    for base in (pulled(deployed), None):
        assert conflicts(deployed, mine, base) == []
        assert conflicts(deployed, ALL, base, "source/app") == []


def test_both_sides_are_named(deployed: Deployed) -> None:
    """What the catalog changed since, by whom, when and how; what the file changes."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"o.yaml": edited("Theirs")}, by="bob@desk", how="console")
    (found,) = conflicts(deployed, with_(o_yaml=edited("Mine")), base)
    assert (found.name, Path(found.file or "").name, found.line) == ("offer/o", "o.yaml", 1)
    assert (found.catalog, [one.text for one in found.catalog_details]) == ("changed", ["name: Old -> Theirs"])
    assert (found.files, [one.text for one in found.files_details]) == ("changed", ["name: Old -> Mine"])
    assert found.release is not None
    assert found.release.author == "by bob@desk with console at 2026-03-05T10:00:02.000Z (release 2)"
    assert found.as_json()["catalog"] == {
        "what": "changed", "details": [one.as_json() for one in found.catalog_details], "by": "bob@desk",
        "how": "console", "at": "2026-03-05T10:00:02.000Z", "serial": 2,
    }  # fmt: skip
    assert "1 conflict with changes made in the catalog; nothing was applied" in str(WorkspaceConflicts([found]))


def test_a_file_left_alone_is_a_conflict_too(deployed: Deployed) -> None:
    """Applying it would undo what somebody did since it was pulled; also if they used files, from elsewhere."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"o.yaml": edited("Theirs")})
    (found,) = conflicts(deployed, ALL, base)
    assert (found.files, found.files_details) == ("left as it was", ())


def test_the_same_change_on_both_sides(deployed: Deployed) -> None:
    """What the files say already is no conflict."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"o.yaml": edited("Both")}, how="console")
    assert conflicts(deployed, with_(o_yaml=edited("Both")), base) == []


def test_a_default_that_is_said_is_no_change(deployed: Deployed) -> None:
    """The catalog says `status: live`, the file leaves it out, or the other way round: with a base or without."""
    said = with_(o_yaml=f"{OFFER}status: live\nreentry: never\n")
    for first, second in ((ALL, said), (said, ALL)):
        deployed.apply(first)
        base = pulled(deployed)
        deployed.apply(second, how="offers resume")
        assert conflicts(deployed, first, base) == []
        assert conflicts(deployed, first, None) == []
        assert conflicts(deployed, with_(o_yaml=edited("Mine")), base) == []


def test_only_what_differs(deployed: Deployed) -> None:
    """One definition changed elsewhere does not hold up the others."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"o.yaml": edited("Theirs")}, how="console")
    mine = {"c.yaml": CONDITION.replace("> 1", "> 9"), "s.yaml": SOURCES}
    assert conflicts(deployed, mine, base) == []


@pytest.mark.parametrize("how", ["console", "plan add", "adopt", "rollback to 1"])
def test_without_a_base(deployed: Deployed, how: str) -> None:
    """A definition that something other than files wrote last is not overwritten; one that files wrote is."""
    deployed.apply(ALL)
    deployed.apply({"o.yaml": edited("Theirs")}, by="bob@desk", how=how)
    (found,) = conflicts(deployed, ALL, None)
    assert (found.catalog, found.files) == ("changed", "the file differs")
    assert [one.text for one in found.files_details] == ["name: Theirs -> Old"]
    assert conflicts(deployed, with_(o_yaml=edited("Theirs")), None) == []
    deployed.apply({"o.yaml": edited("Files again")})
    assert conflicts(deployed, ALL, None) == []


def test_removed_there(deployed: Deployed) -> None:
    """What somebody took away in the catalog does not come back by a file that still has it."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({name: text for name, text in ALL.items() if name != "o.yaml"}, prune=True, how="console")
    (found,) = conflicts(deployed, ALL, base)
    assert (found.name, found.catalog, found.files) == ("offer/o", "removed", "left as it was")
    (found,) = conflicts(deployed, ALL, None)
    assert (found.name, found.catalog, found.files) == ("offer/o", "removed", "the file still has it")


def test_prune_of_what_others_added(deployed: Deployed) -> None:
    """``--prune`` does not take away what was added or changed since, nor, without a base, what no file wrote."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"B.avsc": event(name="B")}, how="plan add")
    (found,) = conflicts(deployed, ALL, base, "event/B@1")
    assert (found.name, found.file, found.catalog, found.files) == ("event/B@1", None, "added", "removed")
    (found,) = conflicts(deployed, ALL, None, "event/B@1")
    assert (found.catalog, found.files) == ("added", "would be removed")
    assert conflicts(deployed, ALL, pulled(deployed), "event/B@1") == []


def test_a_version_that_another_applied_first(deployed: Deployed) -> None:
    """Two people write version 2: the second sees whose it is, and how theirs differs."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"A2.avsc": event(X, optional("y"), version=2)}, by="bob@desk")
    (found,) = conflicts(deployed, with_(A_avsc=event(X, optional("z"), version=2)), base)
    assert (found.name, found.catalog, found.files) == ("event/A@2", "added", "added")
    assert [one.text for one in found.files_details] == [
        "field z (null or string, default null)", "field y (null or string, default null)",
    ]  # fmt: skip


def test_a_source_keeps_its_past(deployed: Deployed) -> None:
    """Sources are replaced in the catalog; what they were is told from the releases."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"s.yaml": SOURCES.replace("raw.backend", "raw.till")}, how="console")
    (found,) = conflicts(deployed, with_(s_yaml=SOURCES.replace("raw.backend", "raw.own")), base)
    assert [one.text for one in found.catalog_details] == ["topics: [raw.backend] -> [raw.till]"]
    assert [one.text for one in found.files_details] == ["topics: [raw.backend] -> [raw.own]"]


def test_a_catalog_without_releases(deployed: Deployed) -> None:
    """One that an older version wrote: nothing is known of who wrote what, so files are taken."""
    deployed.apply(ALL)
    for key in [key for key in deployed.records if key.startswith("release/")]:
        del deployed.records[key]
    assert conflicts(deployed, with_(o_yaml=edited("Mine")), None) == []


def test_the_way_out(deployed: Deployed) -> None:
    """The error says what helps here: a pull where nothing was edited, else both sides in the files."""
    deployed.apply(ALL)
    base = pulled(deployed)
    deployed.apply({"o.yaml": edited("Theirs"), "B.avsc": event(name="B")}, how="console")
    for files, known, removed, says in (
        (ALL, base, (), "`offerflow pull DIR` brings those changes"),
        (ALL, base, ("event/B@1",), "`offerflow pull DIR` brings those changes"),
        (with_(o_yaml=edited("Mine")), base, (), "Bring both sides together in the files and apply them with --overwr"),
        (with_(o_yaml=edited("Mine")), base, (), "or take the catalog's side by `offerflow pull DIR --force`"),
        (ALL, None, (), "or take the catalog's side by `offerflow pull DIR --force`"),
    ):
        assert says in str(WorkspaceConflicts(conflicts(deployed, files, known, *removed)))
    deployed.apply({name: text for name, text in ALL.items() if name != "o.yaml"}, prune=True, how="console")
    assert "unless its file is deleted" in str(WorkspaceConflicts(conflicts(deployed, ALL, None)))


def test_bases_of_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each folder has its own, found from a folder or file inside it, one for each catalog; Git does not see it. A
    damaged one is told."""
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "offers").mkdir(parents=True)
    second.mkdir()
    write_base(first, "a/b", Base(3, {"offer/o": "x"}))
    assert (read_base(first, "a/b"), read_base(first, "c"), read_base(second, "a/b")) == (
        Base(3, {"offer/o": "x"}), None, None,
    )  # fmt: skip
    assert (first / ".pulled" / ".gitignore").read_text() == "*\n"
    bases = Bases([first / "offers", second], "a/b")
    assert bases.of("offer/o", None) == Base(3, {"offer/o": "x"})
    assert Bases([second], "a/b").of("offer/o", None) is None
    (second / "s.yaml").touch()
    assert Bases([first / "offers", second / "s.yaml"], "a/b").of("offer/o", None) == Base(3, {"offer/o": "x"})
    assert capsys.readouterr().err == ""
    (first / ".pulled" / "catalog-a_b.json").write_text("{")
    assert read_base(first, "a/b") is None
    assert "catalog-a_b.json: it cannot be read" in capsys.readouterr().err
