"""``apply``, ``pull`` and ``rulesets`` on a real broker, as a person types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli.apply import apply
from console.cli.pull import pull
from console.cli.rulesets import rulesets
from console.workspace.change import plan_change
from console.workspace.commit import Author, commit
from console.workspace.definitions import definition_of
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import KafkaSettings, Settings
from tests.console.workspace.samples import ALL, CONDITION, OFFER, X, event, optional
from tests.deployment import Deployment

# What waits for the workers asks for a group's members by a call that the client deprecates; its successor crashes.
pytestmark = [pytest.mark.broker, pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")]


class Desk:
    """A deployment and a folder that is applied to it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.folder = deployment.directory / "mine"
        self.settings = Settings(
            kafka=KafkaSettings(bootstrap_servers=deployment.services.kafka),
            topic_prefix=deployment.prefix, partitions=deployment.partitions,
        )  # fmt: skip

    def __call__(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        """What the command prints as JSON; fails unless it exits with ``code``."""
        told = json.loads(self._run(*arguments, "--output", "json", code=code)[0])
        return told if isinstance(told, dict) else {"list": told}

    def says(self, *arguments: str | Path, code: int = 0) -> str:
        """What it prints for people, both streams; but for paths, and for tables where there is no terminal, no line is
        wider than a terminal."""
        out, err = self._run(*arguments, code=code)
        wide = arguments[:2] == ("rulesets", "list")
        lines = [line for line in out.splitlines() if not wide and str(self.deployment.directory) not in line]
        assert all(len(line) <= 80 for line in lines), out
        return out + err

    def _run(self, *arguments: str | Path, code: int) -> tuple[str, str]:
        """In this process: two dozen interpreters would take their time to start."""
        name, *rest = map(str, arguments)
        command = {"apply": apply, "pull": pull, "rulesets": rulesets}[name]
        done = CliRunner(env=self.deployment.environment()).invoke(command, rest)
        told = str(done.exception) if isinstance(done.exception, OfferflowError) else ""
        exit_code = done.exception.exit_code if isinstance(done.exception, OfferflowError) else done.exit_code
        if exit_code != code and done.exc_info is not None:
            raise AssertionError(f"{arguments} exited with {exit_code}:\n{done.output}") from done.exception
        return done.stdout, done.stderr + told

    def edit(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def elsewhere(self, content: dict[str, Any], kind: str = "offer") -> None:
        """Somebody changes a definition from the console."""
        definition = definition_of(kind, content)
        with CatalogWriter(self.settings) as writer:
            change = plan_change(writer.catalog, {definition.name: definition})
            commit(self.settings, writer, change, Author("bob@desk", "console"), 20)

    def written(self) -> tuple[int, int, int]:
        return tuple(self.deployment.ends(topic) for topic in ("catalog", "journal", "audit"))  # type: ignore[return-value]


@pytest.fixture
def desk(deployment: Callable[..., Deployment]) -> Desk:
    made = Desk(deployment(partitions=2))
    made.deployment.create_topics()
    for name, text in ALL.items():
        made.edit(name, str(text))
    return made


def test_from_files_to_conflict_to_rollback(desk: Desk) -> None:
    """A day of two people: apply, an incompatible version, pull, a change in the console, the conflict, and the way
    back; what is refused or only looked at writes nothing."""
    before = desk.written()
    told = desk("apply", desk.folder, "--dry-run")
    assert (told["summary"], told["applied"]) == ({"add": 5, "change": 0, "remove": 0}, False)
    assert "add --yes" in desk.says("apply", desk.folder, code=2)  # nobody to ask
    assert desk.written() == before
    told = desk("apply", desk.folder, "--yes")
    assert (told["applied"], told["serial"], told["workers"]) == (True, 1, {"validation": 0, "rules": 0})
    assert "Nothing to change" in desk.says("apply", desk.folder, "--yes")

    before = desk.written()
    desk.edit("A2.avsc", event(X, {"name": "y", "type": "string"}, version=2))
    told = desk("apply", desk.folder, "--yes", code=1)
    assert "field y: version 2 requires it" in told["problems"][0]["message"]
    assert "A2.avsc:1: fields.2: field y" in desk.says("apply", desk.folder, "--yes", code=1)
    assert desk.written() == before
    desk.edit("A2.avsc", event(X, optional("y"), version=2, origins=["backend"]))
    said = desk.says("apply", desk.folder, "--yes")
    assert "+ event A@2 (after version 1)\n" in said
    assert "! breaks senders: what sources of origin sdk, integration (app) send" in said
    assert "1 to add, 0 to change, 0 to remove; 1 breaks senders" in said

    mine = desk.folder
    desk.folder = theirs = desk.deployment.directory / "theirs"
    assert len(desk("pull", theirs)["written"]) == 6
    assert "Nothing to write" in desk.says("pull", theirs)
    assert desk("apply", theirs, "--yes", "--prune")["changes"] == []

    desk.elsewhere({"kind": "offer", "id": "o", "name": "Theirs", "entry": {"condition": "c"}})
    desk.edit("offers/o.yaml", OFFER.replace("Old", "Ours"))
    before = desk.written()
    for folder in (theirs, mine):  # the one was pulled, the other never was
        (conflict,) = desk("apply", folder, "--yes", code=1)["conflicts"]
        assert (conflict["name"], conflict["catalog"]["by"], conflict["catalog"]["how"]) == (
            "offer/o", "bob@desk", "console",
        )  # fmt: skip
    said = desk.says("apply", theirs, "--yes", code=1)
    assert "changed by bob@desk with console" in said
    assert "~ name: Old -> Theirs" in said
    assert "~ name: Old -> Ours" in said
    assert "name: Old -> Ours" in desk("pull", theirs, code=1)["problems"][0]["message"]
    assert desk.written() == before
    assert "Theirs" not in (theirs / "offers" / "o.yaml").read_text()
    desk("apply", theirs, "--yes", "--overwrite")
    desk.edit("offers/o.yaml", OFFER.replace("Old", "Again"))
    assert desk("apply", theirs, "--yes")["serial"] == 5  # the base moved along

    said = desk.says("rulesets", "diff", "2")
    assert "~ offer o" in said
    assert "~ name: Old -> Again" in said
    assert desk("rulesets", "rollback", "1", "--dry-run")["applied"] is False
    told = desk("rulesets", "rollback", "1", "--yes")
    assert ([one["action"] for one in told["changes"]], told["serial"], told["to"]) == (["remove", "change"], 6, 1)
    assert "is a rollback already" in desk.says("rulesets", "rollback", "--yes", code=1)
    assert "there is no release 99" in desk.says("rulesets", "rollback", "99", "--yes", code=1)
    assert "rollback to 1" in desk("apply", theirs, "--yes", code=1)["conflicts"][0]["catalog"]["how"]
    found = desk("rulesets", "list")["list"]
    assert [(one["serial"], one["how"], one["current"]) for one in found] == [
        (6, "rollback to 1", True), (5, "apply", False), (4, "apply", False), (3, "console", False),
        (2, "apply", False), (1, "apply", False),
    ]  # fmt: skip
    assert found[0]["ruleset"] == found[-1]["ruleset"]
    assert "rollback to 1" in desk.says("rulesets", "list").replace("\n", " ")

    audit = [(record.key, json.loads(record.value or b"")) for record in desk.deployment.read("audit")]
    assert [(value["serial"], value["how"]) for _, value in audit] == [
        (one["serial"], one["how"]) for one in reversed(found)
    ]  # fmt: skip
    assert audit[2][0] == b"bob@desk"
    assert audit[2][1]["changes"] == [{"action": "change", "kind": "offer", "id": "o"}]


def test_asked_again_while_a_worker_has_not_taken_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 75 means try again: until the change is in force the same command says 75, whatever it is that changes
    the catalog; looking alone waits for nobody. An old release does not wait for what came in since."""
    desk("apply", desk.folder, "--yes")
    stuck = {"group": "validation"}

    def members(_: Admin, group: str) -> list[str]:
        return ["worker-9"] if group.endswith(stuck["group"]) else []

    monkeypatch.setattr(Admin, "members", members)
    desk.edit("o.yaml", OFFER.replace("Old", "New"))
    said = desk.says("apply", desk.folder, "--yes", "--timeout", "0s", code=75)
    assert "the change is written, but after 0 s still not in force at: worker-9" in said
    said = desk.says("apply", desk.folder, "--yes", "--timeout", "0s", code=75)
    assert "Nothing to change" in said
    assert "release 2 has all of this, but after 0 s still not in force at: worker-9" in said
    assert "still not in force" in desk.says("rulesets", "rollback", "2", "--yes", "--timeout", "0s", code=75)
    assert desk("apply", desk.folder, "--dry-run")["workers"] == {}
    stuck["group"] = "rules"
    assert "journal partition 0, journal partition 1" in desk.says("apply", desk.folder, "--timeout", "0s", code=75)
    stuck["group"] = "nobody"
    assert desk("apply", desk.folder)["workers"] == {"validation": 0, "rules": 0}
    admin, places = Admin(desk.settings), [(desk.settings.topic("journal"), partition) for partition in range(2)]
    assert admin.at(places, datetime.now(UTC) + timedelta(hours=1)) == admin.ends(places) != admin.starts(places)
    assert admin.at(places, datetime.now(UTC) - timedelta(hours=1)) == admin.starts(places)


def test_paths_and_folders_that_cannot_be_used(desk: Desk) -> None:
    """A line that names the path, exit code 2; a single file is as good as a folder; a folder of nothing removes
    nothing, and a folder that cannot remember what was applied does not make an apply that succeeded a failure."""
    told = desk("apply", *(desk.folder / name for name in ALL), "--yes")
    assert told["summary"]["add"] == 5
    assert "/proc/nowhere: No such file or directory" in desk.says("pull", "/proc/nowhere", code=2)
    desk.edit("file", "")
    assert "file/sub" in desk.says("pull", desk.folder / "file" / "sub", code=2)
    empty = desk.deployment.directory / "empty"
    empty.mkdir()
    (empty / "sources.yaml").touch()
    before = desk.written()
    (problem,) = desk("apply", empty, "--prune", "--yes", code=1)["problems"]
    assert problem["message"].startswith("holds no definitions")
    assert desk.written() == before
    assert len(desk("pull", empty)["written"]) == 5

    ignored = empty / ".pulled" / ".gitignore"
    ignored.unlink()
    ignored.mkdir()
    (empty / "offers" / "o.yaml").write_text(OFFER.replace("Old", "New"))
    assert f"warning: {ignored}: Is a directory" in desk.says("apply", empty, "--yes")
    assert "Nothing to change" in desk.says("apply", empty, "--yes")


def test_pull_after_a_rollback(desk: Desk) -> None:
    """The only file of an event, edited into its next version, holds the version that was rolled back to; what the
    folder lacks is not called all."""
    mine = desk.deployment.directory / "pulled"
    desk("apply", desk.folder, "--yes")
    desk("pull", mine)
    path = mine / "events" / "A@1.avsc"
    first = path.read_text()
    path.write_text(event(X, optional("y"), version=3))
    desk("apply", mine, "--yes")
    assert "has all else of release 2" in desk.says("pull", mine)
    assert desk("pull", mine)["superseded"] == ["event/A@1"]
    desk("rulesets", "rollback", "--yes")
    desk("pull", mine)
    assert path.read_text() == first
    assert "has all of release 3" in desk.says("pull", mine)
    assert desk("apply", mine, "--prune", "--dry-run")["changes"] == []


def test_a_writer_that_was_overtaken(desk: Desk) -> None:
    """Whoever planned against a catalog that another has opened since writes nothing: neither definitions, nor release,
    nor audit."""
    desk("apply", desk.folder, "--yes")
    condition = definition_of("condition", {"kind": "condition", "id": "c", "event": "A"})
    with CatalogWriter(desk.settings) as writer:
        change = plan_change(writer.catalog, {condition.name: condition})
        shutil.rmtree(desk.folder)
        desk.edit("c.yaml", CONDITION.replace("> 1", "> 7"))
        desk("apply", desk.folder, "--yes")
        before = desk.written()
        with pytest.raises(TryAgain, match="somebody else changed the catalog"):
            commit(desk.settings, writer, change, Author("late@desk", "console"), 20)
    assert desk.written() == before
    assert "Nothing to change" in desk.says("apply", desk.folder, "--yes")
